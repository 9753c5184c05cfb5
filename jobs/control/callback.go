package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/receivers"
	"weir/jobs/trace"
	"weir/secret"
	"weir/studio"
)

const (
	// callbackTimeout is above the delivery's own 10 s, with room for its rows.
	callbackTimeout = 30 * time.Second
	// turnOfStatus is how long a callback waits while a status of the same transcode is on
	// its way, and longer: River looks for jobs that were put off every five seconds.
	turnOfStatus = time.Second
	// A status is over within statusOver, where its receiver answers at once: until then the
	// callback looks every statusLook.
	statusOver = 500 * time.Millisecond
	statusLook = 20 * time.Millisecond
)

type callbackWorker struct {
	river.WorkerDefaults[jobs.CallbackArgs]
	db     *pgxpool.Pool
	sealer *secret.Sealer
	studio *studio.Client
	log    *slog.Logger
	trace  *trace.Tracer
	told   func(studio.Fate, time.Duration)
	gate   gate
	shared db.Shared
}

// Timeout implements river.Worker.
func (w *callbackWorker) Timeout(*river.Job[jobs.CallbackArgs]) time.Duration { return callbackTimeout }

// NextRetry implements river.Worker.
func (w *callbackWorker) NextRetry(*river.Job[jobs.CallbackArgs]) time.Time {
	return time.Now().Add(jobs.TroubleEvery)
}

// Work delivers once and records what came of it. The state of the transcode is
// never written.
func (w *callbackWorker) Work(ctx context.Context, job *river.Job[jobs.CallbackArgs]) error {
	row, err := dbsqlc.New().CallbackToDeliver(ctx, w.db, job.Args.CallbackID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("callback %s is gone", job.Args.CallbackID))
	}
	if err != nil {
		return fmt.Errorf("deliver callback %s: %w", job.Args.CallbackID, err)
	}
	callback := row.Callback
	ctx = trace.With(ctx, trace.Subject{Transcode: callback.TranscodeID})
	leave, wait := w.gate.enter(row.Tenant, receiver(callback.URL))
	if leave == nil {
		return river.JobSnooze(wait)
	}
	known := nothing
	defer func() { leave(known) }()
	claim, err := w.claim(ctx, job, callback.TranscodeID)
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil {
		return err
	}
	var result studio.Result
	sending, span := w.trace.Begin(ctx, trace.Callback, "callback", callback.ID, "number", callback.Attempts+1)
	result, known = w.deliver(sending, &claim, &callback)
	span.End(untold(result), "fate", result.Fate)
	if ctx.Err() != nil {
		return fmt.Errorf("deliver callback %s: %w", callback.ID, ctx.Err())
	}
	jobs.Crash(jobs.CrashDelivered)
	next := nextDelivery(&callback, job.CreatedAt, result, time.Now())
	w.log.InfoContext(ctx, "callback sent", "callback", callback.ID, "fate", result.Fate,
		"number", callback.Attempts+1, "latency", result.Latency, "why", result.Err)
	if next, err = w.record(ctx, job, &claim, result, next); err != nil {
		return fmt.Errorf("record delivery of callback %s: %w", callback.ID, err)
	}
	jobs.Crash(jobs.CrashDeliveryKept)
	if w.told != nil && !job.Args.Redelivery {
		w.told(result.Fate, time.Since(callback.CreatedAt))
	}
	if next.wait > 0 {
		return river.JobSnooze(next.wait)
	}
	return nil
}

// untold is why a delivery did not arrive.
func untold(result studio.Result) error {
	if result.Fate == studio.Delivered {
		return nil
	}
	return errors.New(result.Err)
}

// receiver is whom a callback goes to, as gates know them.
func receiver(shown string) string {
	u, err := url.Parse(shown)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// errDone: there is nothing to be sent any more.
var errDone = errors.New("not to be sent")

// claim is the last look before a delivery, as soon as no status is on its way. errDone: a job
// before this one has sent it, or a newer run has taken its place.
func (w *callbackWorker) claim(ctx context.Context, job *river.Job[jobs.CallbackArgs], transcode uuid.UUID) (claim dbsqlc.CallbackClaimRow, err error) {
	for until := time.Now().Add(statusOver); ; {
		claim, err = w.tryClaim(ctx, job, transcode)
		if !errors.Is(err, errTold) {
			return claim, err
		}
		if !time.Now().Before(until) {
			return claim, river.JobSnooze(turnOfStatus)
		}
		select {
		case <-time.After(statusLook):
		case <-ctx.Done():
			return claim, fmt.Errorf("deliver callback %s: %w", job.Args.CallbackID, context.Cause(ctx))
		}
	}
}

// errTold: somebody tells of the transcode still.
var errTold = errors.New("a status is on its way")

func (w *callbackWorker) tryClaim(ctx context.Context, job *river.Job[jobs.CallbackArgs], transcode uuid.UUID) (claim dbsqlc.CallbackClaimRow, err error) {
	q := dbsqlc.New()
	claimed := false
	err = w.shared.Exec(ctx, w.db, transcode, func(ctx context.Context, on db.Queryer) (err error) {
		claim, err = q.CallbackClaim(ctx, on, dbsqlc.CallbackClaimParams{
			ID: job.Args.CallbackID, Redelivery: job.Args.Redelivery, TellSeconds: tellFor.Seconds(),
		})
		if claimed = err == nil; errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if claimed || err != nil {
		return claim, err
	}
	due, err := q.CallbackIsDue(ctx, w.db, dbsqlc.CallbackIsDueParams{ID: job.Args.CallbackID, Redelivery: job.Args.Redelivery})
	switch {
	case err != nil:
		return claim, fmt.Errorf("deliver callback %s: %w", job.Args.CallbackID, err)
	case !due:
		return claim, errDone
	default:
		return claim, errTold
	}
}

func (w *callbackWorker) deliver(ctx context.Context, claim *dbsqlc.CallbackClaimRow, callback *dbsqlc.Callback) (studio.Result, heard) {
	location, err := jobs.SealedCallback.Open(w.sealer, claim.ID, claim.CallbackSealed)
	if err != nil {
		// Mended by the right key, which a person has to give.
		return studio.Result{Fate: studio.Retry, Err: jobs.FailureOf(err, jobs.StageQueue).Text}, nothing
	}
	secrets := receivers.Secrets{DB: w.db, Sealer: w.sealer}
	signedBy, err := secrets.Of(ctx, claim.ID, claim.Tenant, claim.CallbackSecretSealed)
	if err != nil { // unsigned it would be refused
		return studio.Result{Fate: studio.Retry, Err: jobs.FailureOf(err, jobs.StageQueue).Text}, nothing
	}
	result := w.studio.Deliver(ctx, studio.Delivery{
		URL: secret.Secret(location), Body: []byte(callback.Body), EventID: callback.ID.String(), Attempt: int(callback.Attempts) + 1,
		Secrets: signedBy,
	})
	return result, heardOf(result)
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

// record keeps what came of a delivery and ends the claim. Of a callback that was
// superseded meanwhile nothing follows, whatever next says.
func (w *callbackWorker) record(ctx context.Context, job *river.Job[jobs.CallbackArgs], claim *dbsqlc.CallbackClaimRow, result studio.Result, then next) (next, error) {
	var status *int32
	if result.Status != nil {
		s := int32(*result.Status)
		status = &s
	}
	var at *time.Time
	if then.wait > 0 {
		t := time.Now().Add(then.wait)
		at = &t
	}
	follows := then
	err := w.shared.InTx(ctx, w.db, claim.ID, func(ctx context.Context, tx pgx.Tx) error {
		follows = then
		q := dbsqlc.New()
		if err := q.TranscodeRelease(ctx, tx, dbsqlc.TranscodeReleaseParams{ID: claim.ID, TellingUntil: claim.TellingUntil}); err != nil {
			return err
		}
		recorded, err := q.CallbackRecord(ctx, tx, dbsqlc.CallbackRecordParams{
			ID: job.Args.CallbackID, State: then.state, LastStatus: status, LastError: result.Err, NextAttemptAt: at,
		})
		if err != nil {
			return err
		}
		if err := q.CallbackAttemptInsert(ctx, tx, dbsqlc.CallbackAttemptInsertParams{
			CallbackID: job.Args.CallbackID, Number: recorded.Attempts, Status: status, LatencyMs: int32(result.Latency.Milliseconds()),
			Error: result.Err, Answer: result.Answer, Redelivery: job.Args.Redelivery,
		}); err != nil {
			return err
		}
		if recorded.State == jobs.CallbackSuperseded {
			follows = next{state: recorded.State}
		}
		if follows.wait > 0 {
			return nil
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	return follows, err
}
