// Package failures groups what failed of late by what it has in common, so that one look
// tells whether it is a host, a source, a store or Weir, who can mend it, and whether trying
// again helps.
package failures

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/filter"
)

// Most is how many failures are looked at, the newest; older ones are not counted.
const Most = 10_000

// What failures are grouped by.
const (
	ByCode        = "code"
	ByHost        = "host"
	ByBroadcaster = "broadcaster"
	ByTenant      = "tenant"
)

// Bys are all of them.
func Bys() []string { return []string{ByCode, ByHost, ByBroadcaster, ByTenant} }

// Question is what to group, and by what.
type Question struct {
	By string
	// Within is since when they failed.
	Within time.Duration
	// Filter narrows it, by tenant:, code: and host: alone.
	Filter filter.Filter
}

// Group is what some failures have in common.
type Group struct {
	// Name is the code, the host, the Broadcaster or the tenant; "": there was none.
	Name     string
	Failures int64
	// Retriable are those of them that another try may help, as their codes say.
	Retriable int64
	// Codes are theirs, the most frequent first; Blames who can mend them.
	Codes  []Code
	Blames []jobs.Blame
	// Words are those of the only code; "" of several.
	Words           string
	FirstAt, LastAt time.Time
	// Example is the newest of them.
	Example uuid.UUID
}

// Code is how many failed with one.
type Code struct {
	Code     string `json:"code"`
	Failures int64  `json:"failures"`
}

// Answer are the groups, the largest first. Capped: more failed than are looked at, so that
// there are more of each, and maybe other groups.
type Answer struct {
	Groups []Group
	Capped bool
}

// Check refuses what can't be grouped.
func (q *Question) Check() error {
	if err := filter.OneOf("group", q.By, Bys()); err != nil {
		return err
	}
	if q.Within <= 0 {
		return errors.New("the time is missing within which they failed")
	}
	f := q.Filter
	f.Tenants, f.Codes, f.Hosts = nil, nil, nil
	if !f.Empty() {
		return fmt.Errorf("%s: failures are narrowed by tenant:, code: and host: alone", f.String())
	}
	return nil
}

// Groups answers a question.
func Groups(ctx context.Context, on db.Queryer, q Question) (Answer, error) {
	if err := q.Check(); err != nil {
		return Answer{}, err
	}
	rows, err := dbsqlc.New().FailureGroups(ctx, db.Replanned{On: on}, dbsqlc.FailureGroupsParams{
		By: q.By, WithinSeconds: q.Within.Seconds(), Tenants: q.Filter.Tenants, Codes: q.Filter.Codes, Hosts: q.Filter.Hosts, PageSize: Most,
	})
	if err != nil {
		return Answer{}, fmt.Errorf("group failures: %w", err)
	}
	var all int64
	groups := map[string]*Group{}
	for i := range rows {
		all += rows[i].Failures
		group := groups[rows[i].Name]
		if group == nil {
			group = &Group{Name: rows[i].Name, FirstAt: rows[i].FirstAt, LastAt: rows[i].LastAt, Example: rows[i].Example}
			groups[rows[i].Name] = group
		}
		group.add(&rows[i])
	}
	answer := Answer{Capped: all >= Most}
	for _, group := range groups {
		if len(group.Codes) == 1 {
			group.Words = jobs.KindOf(group.Codes[0].Code).Words
		}
		slices.SortFunc(group.Codes, func(a, b Code) int { return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(a.Code, b.Code)) })
		slices.Sort(group.Blames)
		answer.Groups = append(answer.Groups, *group)
	}
	slices.SortFunc(answer.Groups, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(a.Name, b.Name)) })
	return answer, nil
}

func (g *Group) add(row *dbsqlc.FailureGroupsRow) {
	kind := jobs.KindOf(row.Code)
	g.Failures += row.Failures
	if kind.Retriable {
		g.Retriable += row.Failures
	}
	g.Codes = append(g.Codes, Code{row.Code, row.Failures})
	if !slices.Contains(g.Blames, kind.Blame) {
		g.Blames = append(g.Blames, kind.Blame)
	}
	if row.FirstAt.Before(g.FirstAt) {
		g.FirstAt = row.FirstAt
	}
	if row.LastAt.After(g.LastAt) {
		g.LastAt, g.Example = row.LastAt, row.Example
	}
}

// Helps says in a word whether trying them again may help.
func (g *Group) Helps() string {
	switch g.Retriable {
	case 0:
		return "no"
	case g.Failures:
		return "may"
	}
	return "some"
}

// Mends says who can mend them.
func (g *Group) Mends() string {
	words := make([]string, len(g.Blames))
	for i, blame := range g.Blames {
		words[i] = string(blame)
	}
	return strings.Join(words, ", ")
}

// FilterOf means the transcodes of a group, to act on them (jobs/bulk).
func (q *Question) FilterOf(name string) (f filter.Filter, err error) {
	if err := q.Check(); err != nil {
		return f, err
	}
	if name == "" {
		return f, fmt.Errorf("the group without a %s has no filter: act on its codes", q.By)
	}
	f = q.Filter
	into := map[string]*[]string{ByCode: &f.Codes, ByHost: &f.Hosts, ByBroadcaster: &f.Broadcasters, ByTenant: &f.Tenants}[q.By]
	if len(*into) > 0 && !slices.Contains(*into, name) {
		return f, fmt.Errorf("%s %s is none of those that the filter means", q.By, name)
	}
	*into = []string{name}
	f.EndedWithin = q.Within
	return filter.Parse(f.String()) // a name that is none is refused
}

// OpenOf means what goes on of the same: it has not ended, so it was accepted since then.
func (q *Question) OpenOf(name string) (filter.Filter, error) {
	f, err := q.FilterOf(name)
	f.EndedWithin, f.Younger = 0, f.EndedWithin
	return f, err
}
