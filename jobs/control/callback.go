package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/secret"
	"weir/studio"
)

const (
	// callbackTimeout is above the delivery's own 10 s, with room for its rows.
	callbackTimeout = 30 * time.Second
)

type callbackWorker struct {
	river.WorkerDefaults[jobs.CallbackArgs]
	db     *pgxpool.Pool
	sealer *secret.Sealer
	studio *studio.Client
	log    *slog.Logger
}

// Timeout implements river.Worker.
func (w *callbackWorker) Timeout(*river.Job[jobs.CallbackArgs]) time.Duration { return callbackTimeout }

// NextRetry implements river.Worker.
func (w *callbackWorker) NextRetry(*river.Job[jobs.CallbackArgs]) time.Time {
	return time.Now().Add(jobs.TroubleEvery)
}

// Work delivers once and records what came of it. The state of the transcode is
// read for the URL alone and never written.
func (w *callbackWorker) Work(ctx context.Context, job *river.Job[jobs.CallbackArgs]) error {
	q := dbsqlc.New()
	callback, err := q.CallbackGet(ctx, w.db, job.Args.CallbackID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("callback %s is gone", job.Args.CallbackID))
	}
	if err != nil {
		return fmt.Errorf("deliver callback %s: %w", job.Args.CallbackID, err)
	}
	if callback.State != jobs.CallbackPending && !job.Args.Redelivery {
		return nil // done by a job before this one
	}
	t, err := q.TranscodeGet(ctx, w.db, callback.TranscodeID)
	if err != nil {
		return fmt.Errorf("deliver callback %s: %w", callback.ID, err)
	}
	result := w.deliver(ctx, &t, &callback)
	if ctx.Err() != nil {
		return fmt.Errorf("deliver callback %s: %w", callback.ID, ctx.Err())
	}
	jobs.Crash(jobs.CrashDelivered)
	next := nextDelivery(&callback, job.CreatedAt, result, time.Now())
	w.log.InfoContext(ctx, "callback sent", "callback", callback.ID, "transcode", t.ID, "fate", result.Fate,
		"number", callback.Attempts+1, "latency", result.Latency, "why", result.Err)
	if err := w.record(ctx, job, &callback, result, next); err != nil {
		return fmt.Errorf("record delivery of callback %s: %w", callback.ID, err)
	}
	jobs.Crash(jobs.CrashDeliveryKept)
	if next.wait > 0 {
		return river.JobSnooze(next.wait)
	}
	return nil
}

func (w *callbackWorker) deliver(ctx context.Context, t *dbsqlc.Transcode, callback *dbsqlc.Callback) studio.Result {
	url, err := jobs.SealedCallback.Open(w.sealer, t.ID, t.CallbackSealed)
	if err != nil {
		// Mended by the right key, which a person has to give.
		return studio.Result{Fate: studio.Retry, Err: jobs.FailureOf(err, jobs.StageQueue).Text}
	}
	return w.studio.Deliver(ctx, studio.Delivery{
		URL: secret.Secret(url), Body: []byte(callback.Body), EventID: callback.ID.String(), Attempt: int(callback.Attempts) + 1,
	})
}

// next is what follows a delivery: the callback's state, and the wait before
// another try; 0: none.
type next struct {
	state string
	wait  time.Duration
}

// nextDelivery decides it. since is when the delivery was asked for.
func nextDelivery(callback *dbsqlc.Callback, since time.Time, result studio.Result, now time.Time) next {
	switch result.Fate {
	case studio.Delivered:
		return next{state: jobs.CallbackDelivered}
	case studio.Refused:
		return next{state: unlessDelivered(callback, jobs.CallbackRefused)}
	case studio.Retry:
	}
	if now.Sub(since) >= studio.GiveUpAfter {
		return next{state: unlessDelivered(callback, jobs.CallbackExpired)}
	}
	wait := studio.Backoff(int(callback.Attempts)+1, rand.Float64())
	return next{state: callback.State, wait: max(wait, result.RetryAfter)}
}

func unlessDelivered(callback *dbsqlc.Callback, state string) string {
	if callback.State == jobs.CallbackDelivered {
		return jobs.CallbackDelivered
	}
	return state
}

func (w *callbackWorker) record(ctx context.Context, job *river.Job[jobs.CallbackArgs], callback *dbsqlc.Callback, result studio.Result, next next) error {
	var status *int32
	if result.Status != nil {
		s := int32(*result.Status)
		status = &s
	}
	var at *time.Time
	if next.wait > 0 {
		t := time.Now().Add(next.wait)
		at = &t
	}
	return db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		recorded, err := q.CallbackRecord(ctx, tx, dbsqlc.CallbackRecordParams{
			ID: callback.ID, State: next.state, LastStatus: status, LastError: result.Err, NextAttemptAt: at,
		})
		if err != nil {
			return err
		}
		if err := q.CallbackAttemptInsert(ctx, tx, dbsqlc.CallbackAttemptInsertParams{
			CallbackID: callback.ID, Number: recorded.Attempts, Status: status, LatencyMs: int32(result.Latency.Milliseconds()),
			Error: result.Err, Answer: result.Answer, Redelivery: job.Args.Redelivery,
		}); err != nil {
			return err
		}
		if next.wait > 0 {
			return nil
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}
