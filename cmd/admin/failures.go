package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/jobs/bulk"
	"weir/jobs/failures"
	"weir/jobs/filter"
)

// failuresShown is the JSON of failures list.
type failuresShown struct {
	By     string         `json:"by"`
	Since  time.Time      `json:"since"`
	Capped bool           `json:"capped"`
	Groups []failureGroup `json:"groups"`
}

// failureGroup is what some failures have in common.
type failureGroup struct {
	Name       string          `json:"name"`
	Failures   int64           `json:"failures"`
	Retriable  int64           `json:"retriable"`
	RetryHelps string          `json:"retry_helps"`
	MendedBy   []string        `json:"mended_by"`
	Codes      []failures.Code `json:"codes"`
	Words      string          `json:"words"`
	FirstAt    time.Time       `json:"first_at"`
	LastAt     time.Time       `json:"last_at"`
	Example    uuid.UUID       `json:"example"`
	Filter     string          `json:"filter"`
}

// sinceDefault is a night and the day before it.
const sinceDefault = "24h"

// grouping are the flags that say which failures are grouped, and by what.
type grouping struct{ by, since, filter string }

func (g *grouping) flags(c *cobra.Command) {
	c.Flags().StringVar(&g.by, "by", failures.ByCode, "what they have in common: "+strings.Join(failures.Bys(), ", "))
	offered(c, "by", failures.Bys())
	c.Flags().StringVar(&g.since, "since", sinceDefault, "how long ago they failed at the most, as 90m, 24h, 2d")
	c.Flags().StringVar(&g.filter, "filter", "", "only these, by tenant:, code: and host:, as 'tenant:acme code:push_failed'")
}

// question is what they ask.
func (g *grouping) question() (q failures.Question, err error) {
	if err := known("by", g.by, failures.Bys()); err != nil {
		return q, err
	}
	within, err := filter.Duration(g.since)
	if err != nil {
		return q, fmt.Errorf("--since is %q: give a time as 90m, 24h, 2d", g.since)
	}
	q = failures.Question{By: g.by, Within: within}
	if q.Filter, err = filter.Parse(g.filter); err != nil {
		return q, fmt.Errorf("--filter: %w", err)
	}
	if err := q.Check(); err != nil {
		return q, fmt.Errorf("--filter: %w", err)
	}
	return q, nil
}

func (a *admin) failures() *cobra.Command {
	c := group("failures", "What failed of late, grouped", a.failuresList(),
		a.failuresAct("retry", "Begin a new run of a group's failed transcodes", bulk.Retry),
		a.failuresAct("cancel", "Cancel what is open of a group", bulk.Cancel))
	bare := a.failuresList() // without a word behind it, it lists
	c.Flags().AddFlagSet(bare.Flags())
	c.Args, c.PreRunE, c.RunE = bare.Args, bare.PreRunE, bare.RunE
	return c
}

func (a *admin) failuresList() *cobra.Command {
	g := &grouping{}
	var q failures.Question
	c := &cobra.Command{
		Use: "list", Short: "Group what failed of late: how many, whether trying again helps, who can mend it", Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error { return a.listFailures(ctx, &q) }),
	}
	g.flags(c)
	return checked(c, func() (err error) {
		q, err = g.question()
		return err
	})
}

func (a *admin) listFailures(ctx context.Context, q *failures.Question) error {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	now, err := transcodes.Now(ctx)
	if err != nil {
		return err
	}
	answer, err := failures.Groups(ctx, a.pool, *q)
	if err != nil {
		return err
	}
	shown := failuresShown{By: q.By, Since: now.Add(-q.Within), Capped: answer.Capped, Groups: []failureGroup{}}
	var lines [][]any
	for i := range answer.Groups {
		g := &answer.Groups[i]
		group := failureGroup{
			Name: g.Name, Failures: g.Failures, Retriable: g.Retriable, RetryHelps: g.Helps(), MendedBy: []string{}, Codes: g.Codes,
			Words: g.Words, FirstAt: g.FirstAt, LastAt: g.LastAt, Example: g.Example,
		}
		for _, blame := range g.Blames {
			group.MendedBy = append(group.MendedBy, string(blame))
		}
		if f, err := q.FilterOf(g.Name); err == nil { // else there is none, as of no host
			group.Filter = f.String()
		}
		shown.Groups = append(shown.Groups, group)
		lines = append(lines, []any{bulk.Count{N: g.Failures, More: answer.Capped}, g.Name, g.Helps(), g.Mends(), codesOf(g), g.LastAt, g.Example})
	}
	return a.print(shown, func() error {
		if err := a.table("FAILURES "+strings.ToUpper(q.By)+" RETRY MENDED-BY CODES LAST EXAMPLE", lines); err != nil || !answer.Capped {
			return err
		}
		return say(a.out, "only the newest %s are counted: narrow it by --since or --filter", bulk.Count{N: failures.Most})
	})
}

// codesOf are a group's codes, the first of many.
func codesOf(g *failures.Group) string {
	const most = 3
	var words []string
	for i, code := range g.Codes {
		if i == most {
			words = append(words, fmt.Sprintf("%d others", len(g.Codes)-most))
			break
		}
		words = append(words, fmt.Sprintf("%s (%d)", code.Code, code.Failures))
	}
	return strings.Join(words, ", ")
}

// failuresAct is a command that acts on a group by a bulk operation.
func (a *admin) failuresAct(name, short string, kind bulk.Kind) *cobra.Command {
	g, m := &grouping{}, &mass{change: change{needs: true}}
	var f filter.Filter
	c := &cobra.Command{
		Use: name + " GROUP", Short: short, Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error { return a.startBulk(ctx, m, kind, &f) }),
	}
	g.flags(c)
	m.massive(c)
	a.changing(c, &m.change)
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		q, err := g.question()
		if err != nil {
			return err
		}
		of := q.FilterOf
		if kind == bulk.Cancel {
			of = q.OpenOf
		}
		if f, err = of(args[0]); err != nil {
			return err
		}
		return before(c, args)
	}
	return c
}
