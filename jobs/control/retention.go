package control

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db/dbsqlc"
)

const (
	// retentionEvery is how late a removal may be, where days are counted.
	retentionEvery = 10 * time.Minute
	// retentionBatch is what one statement removes, in some ten milliseconds: what it has
	// locked nobody waits for, and it gives way to others soon.
	retentionBatch = 500
	// retentionTimeout is far above that.
	retentionTimeout = 30 * time.Second
)

// Keep says for how many days history is kept; 0: for ever.
type Keep struct {
	// Transcodes counts from their end, with all that belongs to them.
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
	DB   *pgxpool.Pool
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

// pruned is what a round came to.
type pruned struct {
	triggers, events, callbackAttempts, transcodes int64
	// held are transcodes that are old enough and stay: something is still to be done.
	held int64
}

// Run removes what is too old, at once and every ten minutes, until ctx ends.
func (r *Retention) Run(ctx context.Context) error {
	tick := time.NewTicker(retentionEvery)
	defer tick.Stop()
	for {
		done, err := r.round(ctx)
		if done != (pruned{}) {
			r.Log.InfoContext(ctx, "history removed", "triggers", done.triggers, "events", done.events, "callback attempts", done.callbackAttempts,
				"transcodes", done.transcodes, "transcodes held", done.held)
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

// round removes all that is too old now: triggers first, which are the most and of the
// least use.
func (r *Retention) round(ctx context.Context) (done pruned, err error) {
	q, keep := dbsqlc.New(), r.Kept()
	if days := keep.Triggers; days > 0 {
		done.triggers, err = batches(ctx, func(ctx context.Context) (int64, error) {
			return q.MistEventPrune(ctx, r.DB, dbsqlc.MistEventPruneParams{Days: int32(days), PageSize: retentionBatch})
		})
		if err != nil {
			return done, fmt.Errorf("remove triggers: %w", err)
		}
	}
	if days := keep.Events; days > 0 {
		done.events, err = batches(ctx, func(ctx context.Context) (int64, error) {
			return q.EventPrune(ctx, r.DB, dbsqlc.EventPruneParams{Days: int32(days), PageSize: retentionBatch})
		})
		if err != nil {
			return done, fmt.Errorf("remove events: %w", err)
		}
	}
	if days := keep.CallbackAttempts; days > 0 {
		done.callbackAttempts, err = batches(ctx, func(ctx context.Context) (int64, error) {
			return q.CallbackAttemptPrune(ctx, r.DB, dbsqlc.CallbackAttemptPruneParams{Days: int32(days), PageSize: retentionBatch})
		})
		if err != nil {
			return done, fmt.Errorf("remove callback attempts: %w", err)
		}
	}
	if keep.Transcodes > 0 {
		if done.transcodes, done.held, err = r.transcodes(ctx, keep.Transcodes); err != nil {
			return done, fmt.Errorf("remove transcodes: %w", err)
		}
	}
	return done, nil
}

// transcodes goes once through those that are old enough, so that what stays holds up
// nothing behind it.
func (r *Retention) transcodes(ctx context.Context, keep int) (removed, held int64, err error) {
	q, days := dbsqlc.New(), int32(keep)
	after := dbsqlc.TranscodeListEndedParams{Days: days, PageSize: retentionBatch}
	seen, err := batches(ctx, func(ctx context.Context) (int64, error) {
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

// batches calls next, which says how many rows it went through, until a batch is not full.
// Between two it pauses for as long as the last one took: removing a year of history at
// once leaves Postgres half of its time at the least.
func batches(ctx context.Context, next func(ctx context.Context) (int64, error)) (sum int64, err error) {
	for {
		start := time.Now()
		n, err := batch(ctx, next)
		sum += n
		if err != nil || n < retentionBatch {
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
	ctx, cancel := context.WithTimeout(ctx, retentionTimeout)
	defer cancel()
	return next(ctx)
}
