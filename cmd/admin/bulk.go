package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs/audit"
	"weir/jobs/bulk"
	"weir/jobs/filter"
)

// bulkList is the JSON of bulk list.
type bulkList struct {
	Operations []bulkShown `json:"operations"`
}

// bulkShown is an operation on many transcodes, and how far it is.
type bulkShown struct {
	ID        uuid.UUID      `json:"id"`
	Kind      string         `json:"kind"`
	Filter    string         `json:"filter"`
	State     string         `json:"state"`
	Counted   int64          `json:"counted"`
	More      bool           `json:"more"`
	Done      int64          `json:"done"`
	Skipped   int64          `json:"skipped"`
	Failed    int64          `json:"failed"`
	Whys      bulkWhys       `json:"whys"`
	Examples  []bulk.Example `json:"examples"`
	PerSecond int32          `json:"per_second"`
	Trouble   string         `json:"trouble"`
	Who       string         `json:"who"`
	Via       string         `json:"via"`
	Reason    string         `json:"reason"`
	FrozenAt  time.Time      `json:"frozen_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	EndedAt   *time.Time     `json:"ended_at"`
	DryRun    bool           `json:"dry_run"`
}

type bulkWhys struct {
	Skipped []bulk.Why `json:"skipped"`
	Failed  []bulk.Why `json:"failed"`
}

// actionList is the JSON of actions list.
type actionList struct {
	Actions []actionShown `json:"actions"`
}

// actionShown is a change by an operator.
type actionShown struct {
	ID     int64           `json:"id"`
	At     time.Time       `json:"at"`
	Who    string          `json:"who"`
	Via    string          `json:"via"`
	What   string          `json:"what"`
	Target string          `json:"target"`
	Reason string          `json:"reason"`
	Detail json.RawMessage `json:"detail"`
}

// mass are the flags of a command that acts on all that a filter means.
type mass struct {
	change
	filter string
	rate   int
	yes    bool
}

// massive adds them, but for those of a change.
func (m *mass) massive(c *cobra.Command) {
	c.Flags().IntVar(&m.rate, "rate", bulk.DefaultRate, fmt.Sprintf("transcodes in a second, up to %d", bulk.MaxRate))
	c.Flags().BoolVar(&m.yes, "yes", false, "do not ask whether so many are meant")
}

// filtered adds them to a command that takes one id or a filter.
func (m *mass) filtered(c *cobra.Command) {
	m.massive(c)
	c.Flags().StringVar(&m.filter, "filter", "", "instead of an ID: all of these, as 'state:failed code:push_failed age<1d' (docs/admin.md)")
}

// check reads the filter, and refuses what only goes with one.
func (m *mass) check(c *cobra.Command) (f filter.Filter, err error) {
	if f, err = filter.Parse(m.filter); err != nil {
		return f, fmt.Errorf("--filter: %w", err)
	}
	if m.rate < 1 || m.rate > bulk.MaxRate {
		return f, fmt.Errorf("--rate is %d: give 1 to %d", m.rate, bulk.MaxRate)
	}
	if f.Empty() && (c.Flags().Changed("rate") || m.yes) {
		return f, errors.New("--rate and --yes go with --filter")
	}
	return f, nil
}

// one is the id of a command that takes one, or a filter in its place.
func (m *mass) one(id *uuid.UUID) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case m.filter == "":
			return oneID(id)(c, args)
		case len(args) > 0:
			return fmt.Errorf("%s takes an id or --filter, and not both", c.CommandPath())
		}
		return nil
	}
}

// oneOrMany makes a command of what is done with one, or with all that a filter means.
func (a *admin) oneOrMany(c *cobra.Command, id *uuid.UUID, m *mass, kind bulk.Kind, one func(ctx context.Context) error) *cobra.Command {
	var f filter.Filter
	c.Args = m.one(id)
	c.RunE = act(func(ctx context.Context, _ []string) error {
		if f.Empty() {
			return one(ctx)
		}
		return a.startBulk(ctx, m, kind, &f)
	})
	m.filtered(c)
	a.changing(c, &m.change)
	return checked(c, func() (err error) {
		if f, err = m.check(c); err == nil && !f.Empty() {
			m.needs = true
		}
		return err
	})
}

// startBulk shows how many a filter means, has them confirmed, and begins.
func (a *admin) startBulk(ctx context.Context, m *mass, kind bulk.Kind, f *filter.Filter) error {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return err
	}
	ops := &bulk.Operations{DB: transcodes.DB, River: transcodes.River}
	if !m.yes && !m.dry {
		counted, err := ops.Count(ctx, kind, *f)
		if err != nil {
			return err
		}
		if err := a.confirm(fmt.Sprintf("%s %s: %s", kind, many(counted), f.String())); err != nil {
			return err
		}
	}
	op, err := ops.Start(ctx, m.by(a), bulk.Request{Kind: kind, Filter: *f, PerSecond: m.rate})
	if err != nil {
		return err
	}
	return a.printBulk(&op, m.dry, func() error {
		if m.dry {
			return a.saying(true, "%s would be of %s: %s", op.Kind, many(bulk.CountOf(op.Counted)), op.Filter)
		}
		return say(a.out, "%s of %s has begun as %s: `weir-admin bulk show %s` says how far it is", op.Kind, many(bulk.CountOf(op.Counted)), op.ID, op.ID)
	})
}

// many is how many transcodes a count is of, in words.
func many(n bulk.Count) string {
	if n.N == 1 && !n.More {
		return "1 transcode"
	}
	return n.String() + " transcodes"
}

func (a *admin) printBulk(op *dbsqlc.BulkOperation, dry bool, forPeople func() error) error {
	shown, err := showBulk(op)
	if err != nil {
		return err
	}
	shown.DryRun = dry
	return a.print(shown, forPeople)
}

func showBulk(op *dbsqlc.BulkOperation) (bulkShown, error) {
	counted := bulk.CountOf(op.Counted)
	shown := bulkShown{
		ID: op.ID, Kind: op.Kind, Filter: op.Filter, State: op.State, Counted: counted.N, More: counted.More, Done: op.Done, Skipped: op.Skipped, Failed: op.Failed,
		PerSecond: op.PerSecond, Trouble: op.Trouble, Who: op.Who, Via: op.Via, Reason: op.Reason, FrozenAt: op.FrozenAt, UpdatedAt: op.UpdatedAt, EndedAt: op.EndedAt,
		Whys: bulkWhys{Skipped: []bulk.Why{}, Failed: []bulk.Why{}}, Examples: []bulk.Example{},
	}
	skipped, failed, err := bulk.WhysOf(op)
	if err != nil {
		return shown, err
	}
	shown.Whys.Skipped, shown.Whys.Failed = append(shown.Whys.Skipped, skipped...), append(shown.Whys.Failed, failed...)
	examples, err := bulk.ExamplesOf(op)
	shown.Examples = append(shown.Examples, examples...)
	return shown, err
}

func (a *admin) bulk() *cobra.Command {
	return group("bulk", "What is done to many transcodes by a filter", a.bulkList(), a.bulkShow(),
		a.bulkSet("pause", "Hold an operation up, until it is resumed", (*bulk.Operations).Pause),
		a.bulkSet("resume", "Let an operation go on that was paused", (*bulk.Operations).Resume),
		a.bulkSet("cancel", "End an operation; what it has done stays done", (*bulk.Operations).Cancel))
}

func (a *admin) openBulk(ctx context.Context) (*bulk.Operations, error) {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return nil, err
	}
	return &bulk.Operations{DB: transcodes.DB, River: transcodes.River}, nil
}

func (a *admin) bulkList() *cobra.Command {
	var page bulk.Page
	c := limited(&cobra.Command{
		Use: "list", Short: "List operations on many transcodes, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			ops, err := a.openBulk(ctx)
			if err != nil {
				return err
			}
			rows, err := ops.List(ctx, page)
			if err != nil {
				return err
			}
			list := bulkList{Operations: []bulkShown{}}
			var lines [][]any
			for i := range rows {
				op := &rows[i]
				shown, err := showBulk(op)
				if err != nil {
					return err
				}
				list.Operations = append(list.Operations, shown)
				lines = append(lines, []any{op.ID, op.FrozenAt, op.Kind, op.State, bulk.CountOf(op.Counted), op.Done, op.Skipped, op.Failed, op.Who, op.Filter, op.Reason})
			}
			return a.print(list, func() error {
				return a.table("ID BEGUN KIND STATE MEANT DONE SKIPPED FAILED WHO FILTER REASON", lines)
			})
		}),
	}, &page.Limit)
	c.Flags().BoolVar(&page.Open, "open", false, "only those that have not ended")
	return c
}

func (a *admin) bulkShow() *cobra.Command {
	var id uuid.UUID
	return &cobra.Command{
		Use: "show ID", Short: "Show how far an operation is, and what it could not do", Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			ops, err := a.openBulk(ctx)
			if err != nil {
				return err
			}
			op, err := ops.Get(ctx, id)
			if err != nil {
				return err
			}
			return a.printBulk(&op, false, func() error { return a.tellBulk(&op) })
		}),
	}
}

// tellBulk shows an operation to people.
func (a *admin) tellBulk(op *dbsqlc.BulkOperation) error {
	shown, err := showBulk(op)
	if err != nil {
		return err
	}
	lines := [][]any{
		{"operation", op.ID}, {"what", op.Kind}, {"filter", op.Filter}, {"state", op.State}, {"begun", op.FrozenAt}, {"by", op.Who + " (" + op.Via + ")"}, {"reason", op.Reason},
		{"meant", bulk.CountOf(op.Counted)}, {"done", op.Done}, {"skipped", op.Skipped}, {"failed", op.Failed}, {"rate", fmt.Sprintf("%d in a second", op.PerSecond)},
		{"last item", op.UpdatedAt}, {"ended", op.EndedAt},
	}
	if op.Trouble != "" {
		lines = append(lines, []any{"held up by", op.Trouble})
	}
	if err := a.table("OPERATION", lines); err != nil {
		return err
	}
	for _, part := range []struct {
		what string
		whys []bulk.Why
	}{{"skipped", shown.Whys.Skipped}, {"failed", shown.Whys.Failed}} {
		for _, why := range part.whys {
			if err := say(a.out, "%s %d: %s", part.what, why.Items, printable(why.Why)); err != nil {
				return err
			}
		}
	}
	for _, e := range shown.Examples {
		if err := say(a.out, "  %s  %s", e.ID, printable(e.Why)); err != nil {
			return err
		}
	}
	return nil
}

// bulkSet is a command that changes an operation.
func (a *admin) bulkSet(name, short string, set func(*bulk.Operations, context.Context, bulk.By, uuid.UUID) (dbsqlc.BulkOperation, error)) *cobra.Command {
	var id uuid.UUID
	ch := &change{needs: name == "cancel"}
	c := &cobra.Command{
		Use: name + " ID", Short: short, Args: oneID(&id),
		RunE: act(func(ctx context.Context, _ []string) error {
			ops, err := a.openBulk(ctx)
			if err != nil {
				return err
			}
			op, err := set(ops, ctx, ch.by(a), id)
			if err != nil {
				return err
			}
			return a.printBulk(&op, ch.dry, func() error {
				return a.saying(ch.dry, "operation %s is %s: %d done, %d skipped, %d failed", op.ID, op.State, op.Done, op.Skipped, op.Failed)
			})
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) actions() *cobra.Command {
	return group("actions", "What operators have changed, and why", a.actionsList())
}

func (a *admin) actionsList() *cobra.Command {
	var target string
	var since sinceFlag
	var params dbsqlc.AdminActionListParams
	c := limited(&cobra.Command{
		Use: "list", Short: "List what operators have changed, newest first",
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			params.Target = given(target)
			now, err := dbsqlc.New().Clock(ctx, a.pool)
			if err != nil {
				return fmt.Errorf("ask for the time: %w", err)
			}
			params.Since = since.from(now)
			rows, err := dbsqlc.New().AdminActionList(ctx, db.Replanned{On: a.pool}, params)
			if err != nil {
				return fmt.Errorf("list what operators have changed: %w", err)
			}
			list := actionList{Actions: []actionShown{}}
			var lines [][]any
			for i := range rows {
				list.Actions = append(list.Actions, actionShown(rows[i]))
				r := &rows[i]
				lines = append(lines, []any{r.ID, r.At, r.Who, r.Via, r.What, r.Target, r.Reason, string(r.Detail)})
			}
			return a.print(list, func() error { return a.table("ID AT WHO VIA WHAT TARGET REASON DETAIL", lines) })
		}),
	}, &params.PageSize)
	c.Flags().StringVar(&target, "target", "", "only what was done to this: an id, a host, a tenant")
	since.listed(c)
	return c
}

// by is who begins or changes an operation.
func (ch *change) by(a *admin) bulk.By {
	return bulk.By{Who: ch.name(a), Via: audit.CLI, Reason: strings.TrimSpace(ch.reason), Dry: ch.dry}
}
