package reseal

import (
	"context"
	"fmt"
	"slices"

	"weir/db/dbsqlc"
	"weir/secret"
)

const (
	// pagesAtOnce of a table are read in one statement: half a megabyte.
	pagesAtOnce = 64
	// passesMost bounds what can't end while a daemon still seals with a former key.
	passesMost = 10
)

// Rotation seals anew. DB must not be a transaction: each value is one of its own, so
// that no daemon waits for more than it.
type Rotation struct {
	DB dbsqlc.DBTX
	// Sealer seals with the newest key and opens with the former ones.
	Sealer *secret.Sealer
}

// State is where a column is.
type State struct {
	Column Column
	// Resealed values are sealed anew by this run, Left are not yet.
	Resealed, Left int64
	// Unreadable of Left are sealed with a key that is not given, or not for their row.
	Unreadable int64
}

// Count says how many values are left to be sealed anew. It changes nothing.
func (r *Rotation) Count(ctx context.Context) ([]State, error) {
	var states []State
	for _, column := range Columns() {
		s := State{Column: column}
		err := r.pass(ctx, column, func(row *dbsqlc.SealedPageRow) error {
			s.Left++
			if _, is := r.open(column, row); !is {
				s.Unreadable++
			}
			return nil
		}, nil)
		if err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

// Run seals anew all that Count would count, and calls tell after some pages with where
// it is. Before the first value it calls begin with what was counted, and goes no further
// where that fails; where nothing can be sealed anew, neither is called. What is left at its
// end can't be opened, or was written by a daemon that still seals with a former key.
func (r *Rotation) Run(ctx context.Context, begin func([]State) error, tell func(State)) ([]State, error) {
	states, err := r.Count(ctx)
	if err != nil || !slices.ContainsFunc(states, func(s State) bool { return s.Left > s.Unreadable }) {
		return states, err
	}
	if err := begin(states); err != nil {
		return states, err
	}
	for i := range states {
		if err := r.column(ctx, &states[i], tell); err != nil {
			return states, err
		}
	}
	return states, nil
}

// column goes over a table until nothing is found any more: rows move while they are
// written, by others too.
func (r *Rotation) column(ctx context.Context, s *State, tell func(State)) error {
	for range passesMost {
		var found, unreadable, resealed int64
		err := r.pass(ctx, s.Column, func(row *dbsqlc.SealedPageRow) error {
			found++
			text, is := r.open(s.Column, row)
			if !is {
				unreadable++ // the values that can be opened must not wait for it
				return nil
			}
			replaced, err := dbsqlc.New().SealedReplace(ctx, r.DB, dbsqlc.SealedReplaceParams{
				Relation: s.Column.Table, Sealed: s.Column.Name, Place: row.Place,
				Former: row.Value, Value: r.Sealer.Seal(text, s.Column.Context(row.Key)),
			})
			if err != nil {
				return err
			}
			if replaced {
				resealed++
				s.Resealed++
				s.Left = max(s.Left-1, 0)
			}
			return nil
		}, func() { tell(*s) })
		if err != nil {
			return err
		}
		s.Left, s.Unreadable = found-resealed, unreadable
		if found == unreadable {
			break
		}
	}
	tell(*s)
	return nil
}

// open opens a value, where one of the keys is its.
func (r *Rotation) open(column Column, row *dbsqlc.SealedPageRow) (text []byte, is bool) {
	text, err := r.Sealer.Open(row.Value, column.Context(row.Key))
	return text, err == nil
}

// pass calls each with every value of a column that is not sealed under the newest key,
// and page after some pages of which there were any.
func (r *Rotation) pass(ctx context.Context, column Column, each func(*dbsqlc.SealedPageRow) error, page func()) error {
	q := dbsqlc.New()
	fail := func(err error) error { return fmt.Errorf("seal %s.%s anew: %w", column.Table, column.Name, err) }
	end, err := q.SealedPages(ctx, r.DB, column.Table)
	if err != nil {
		return fail(err)
	}
	// Behind the end is what was written since; the next pass has it.
	for first := int64(0); first < end; first += pagesAtOnce {
		rows, err := q.SealedPage(ctx, r.DB, dbsqlc.SealedPageParams{
			Relation: column.Table, Sealed: column.Name, Keys: column.Key, Newest: r.Sealer.Newest(),
			FirstPage: first, Pages: min(pagesAtOnce, end-first),
		})
		if err != nil {
			return fail(err)
		}
		for i := range rows {
			if err := each(&rows[i]); err != nil {
				return fail(err)
			}
		}
		if page != nil && len(rows) > 0 {
			page()
		}
	}
	return nil
}
