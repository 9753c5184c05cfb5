package bulk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/db"
	"weir/jobs"
	"weir/jobs/filter"
)

// Kind is what is done.
type Kind string

// What can be done.
const (
	Retry     Kind = "retry"
	Cancel    Kind = "cancel"
	Redeliver Kind = "redeliver"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Retry, Cancel, Redeliver} }

// states are those that it can be done in.
func (k Kind) states() []string {
	switch k {
	case Retry:
		return []string{jobs.StateFailed}
	case Cancel:
		return []string{jobs.StateQueued, jobs.StatePlaced, jobs.StateRunning, jobs.StateStoring}
	case Redeliver:
		return []string{jobs.StateSucceeded, jobs.StateFailed, jobs.StateCancelled}
	}
	return nil
}

// words are those of the command.
func (k Kind) words() string {
	if k == Redeliver {
		return "callbacks redeliver"
	}
	return "transcodes " + string(k)
}

// complete gives a filter the states that the kind implies, and refuses others.
func (k Kind) complete(f *filter.Filter) error {
	can := k.states()
	if can == nil {
		return fmt.Errorf("there is no bulk operation %q: give one of %v", k, Kinds())
	}
	if len(f.States) == 0 {
		f.States = can
	}
	for _, state := range f.States {
		if !slices.Contains(can, state) {
			return fmt.Errorf("state:%s in the filter: %s is for those that are %s", state, k.words(), strings.Join(can, ", "))
		}
	}
	_, err := f.Lists(time.Time{})
	return err
}

// lists are what a filter meant at a time: nothing that came, ended or began again later.
func lists(kind Kind, f *filter.Filter, frozen time.Time) ([]jobs.Filter, error) {
	all, err := f.Lists(frozen)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Between(nil, &frozen)
		if end := all[i].EndedTo; kind != Cancel && (end == nil || end.After(frozen)) {
			all[i].EndedTo = &frozen
		}
	}
	return all, nil
}

func count(ctx context.Context, on db.Queryer, kind Kind, f *filter.Filter, now time.Time) (int64, error) {
	all, err := lists(kind, f, now)
	if err != nil {
		return 0, err
	}
	return jobs.CountAny(ctx, on, all, CountMost+1)
}
