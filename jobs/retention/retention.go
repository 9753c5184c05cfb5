// Package retention removes history that is too old: leading daemons do it all the time, and
// an operator when it is asked for.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"weir/db"
	"weir/db/dbsqlc"
)

const (
	// Every is how late a removal may be, where days are counted.
	Every = 10 * time.Minute
	// Batch is what one statement removes, in some ten milliseconds: what it has
	// locked nobody waits for, and it gives way to others soon.
	Batch = 500
	// timeout is far above that.
	timeout = 30 * time.Second
)

// Keep says for how many days history is kept; 0: for ever.
type Keep struct {
	// Transcodes counts from their end, with all that belongs to them; operations on many of
	// them count from theirs.
	Transcodes int
	// Triggers counts from when they came.
	Triggers int
	// Events counts from when they happened.
	Events int
	// CallbackAttempts counts from when they were made.
	CallbackAttempts int
}

// Retention removes history. Any number of leading daemons may do it at once: each
// takes what no other has locked.
type Retention struct {
	// DB is a pool, or a transaction that is rolled back to learn what would be removed.
	DB db.Queryer
	// Log gets a line for each round that did something.
	Log  *slog.Logger
	Keep Keep

	changed atomic.Pointer[Keep]
}

// Change has later rounds keep history for other times. It is safe while Run runs.
func (r *Retention) Change(keep Keep) { r.changed.Store(&keep) }

// Kept is what the next round goes by.
func (r *Retention) Kept() Keep {
	if keep := r.changed.Load(); keep != nil {
		return *keep
	}
	return r.Keep
}

// Removed is what a round came to.
type Removed struct {
	Triggers         int64 `json:"triggers"`
	Events           int64 `json:"events"`
	CallbackAttempts int64 `json:"callback_attempts"`
	Transcodes       int64 `json:"transcodes"`
	BulkOperations   int64 `json:"bulk_operations"`
	// Held are transcodes that are old enough and stay: something is still to be done.
	Held int64 `json:"held"`
}

// Run removes what is too old, at once and every ten minutes, until ctx ends.
func (r *Retention) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		done, err := r.Round(ctx)
		if done != (Removed{}) {
			r.Log.InfoContext(ctx, "history removed", "triggers", done.Triggers, "events", done.Events, "callback attempts", done.CallbackAttempts,
				"transcodes", done.Transcodes, "transcodes held", done.Held, "bulk operations", done.BulkOperations)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "retention not finished", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Round removes all that is too old now: triggers first, which are the most and of the
// least use.
func (r *Retention) Round(ctx context.Context) (done Removed, err error) {
	q, keep := dbsqlc.New(), r.Kept()
	if days := keep.Triggers; days > 0 {
		done.Triggers, err = Batches(ctx, func(ctx context.Context) (int64, error) {
			return q.MistEventPrune(ctx, r.DB, dbsqlc.MistEventPruneParams{Days: int32(days), PageSize: Batch})
		})
		if err != nil {
			return done, fmt.Errorf("remove triggers: %w", err)
		}
	}
	if days := keep.Events; days > 0 {
		done.Events, err = Batches(ctx, func(ctx context.Context) (int64, error) {
			return q.EventPrune(ctx, db.Replanned{On: r.DB}, dbsqlc.EventPruneParams{Days: int32(days), PageSize: Batch})
		})
		if err != nil {
			return done, fmt.Errorf("remove events: %w", err)
		}
	}
	if days := keep.CallbackAttempts; days > 0 {
		done.CallbackAttempts, err = Batches(ctx, func(ctx context.Context) (int64, error) {
			return q.CallbackAttemptPrune(ctx, r.DB, dbsqlc.CallbackAttemptPruneParams{Days: int32(days), PageSize: Batch})
		})
		if err != nil {
			return done, fmt.Errorf("remove callback attempts: %w", err)
		}
	}
	if keep.Transcodes > 0 {
		if done.Transcodes, done.Held, err = r.transcodes(ctx, keep.Transcodes); err != nil {
			return done, fmt.Errorf("remove transcodes: %w", err)
		}
		done.BulkOperations, err = Batches(ctx, func(ctx context.Context) (int64, error) {
			return q.BulkPrune(ctx, r.DB, dbsqlc.BulkPruneParams{Days: int32(keep.Transcodes), PageSize: Batch})
		})
		if err != nil {
			return done, fmt.Errorf("remove bulk operations: %w", err)
		}
	}
	return done, nil
}

// transcodes goes once through those that are old enough, so that what stays holds up
// nothing behind it.
func (r *Retention) transcodes(ctx context.Context, keep int) (removed, held int64, err error) {
	q, days := dbsqlc.New(), int32(keep)
	after := dbsqlc.TranscodeListEndedParams{Days: days, PageSize: Batch}
	seen, err := Batches(ctx, func(ctx context.Context) (int64, error) {
		list, err := q.TranscodeListEnded(ctx, r.DB, after)
		if err != nil || len(list) == 0 {
			return 0, err
		}
		ids := make([]uuid.UUID, len(list))
		for i, t := range list {
			ids[i] = t.ID
		}
		last := list[len(list)-1]
		after.AfterAt, after.AfterID = last.FinishedAt, last.ID
		n, err := q.TranscodePrune(ctx, r.DB, dbsqlc.TranscodePruneParams{Ids: ids, Days: days})
		removed += n
		return int64(len(list)), err
	})
	return removed, seen - removed, err
}

// Batches calls next, which says how many rows it went through, until a batch is not full.
// Between two it pauses for as long as the last one took: removing a year of history at
// once leaves Postgres half of its time at the least.
func Batches(ctx context.Context, next func(ctx context.Context) (int64, error)) (sum int64, err error) {
	for {
		start := time.Now()
		n, err := batch(ctx, next)
		sum += n
		if err != nil || n < Batch {
			return sum, err
		}
		pause := time.NewTimer(time.Since(start))
		select {
		case <-ctx.Done():
			pause.Stop()
			return sum, ctx.Err()
		case <-pause.C:
		}
	}
}

func batch(ctx context.Context, next func(ctx context.Context) (int64, error)) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return next(ctx)
}
