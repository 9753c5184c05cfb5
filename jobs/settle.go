package jobs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
)

const (
	// retryAfter is how long the second attempt waits, and retryFactor by how much
	// longer each one after it: what failed a host a moment ago may fail the next too.
	retryAfter  = 2 * time.Second
	retryFactor = 5
)

// verdict is what the renditions of an attempt come to.
type verdict struct {
	// state the transcode goes to: queued (again), succeeded or failed; empty while
	// a rendition is still open.
	state   string
	failure *Failure
	wait    time.Duration
}

// decide is the outcome of an attempt, from rows alone. Success is every rendition
// ok. A failure that no retry can mend is final, whatever else failed.
func decide(t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) verdict {
	var worst *Failure
	for _, r := range renditions {
		switch r.State {
		case RenditionOK:
		case RenditionFailed:
			f := renditionFailure(r)
			if worst == nil || worst.Retriable() && !f.Retriable() {
				worst = f
			}
		default:
			return verdict{}
		}
	}
	switch {
	case worst == nil:
		return verdict{state: StateSucceeded}
	case worst.Retriable() && t.AttemptsLeft > 0:
		tries := maxAttempts - t.AttemptsLeft // made so far
		wait := float64(retryAfter) * math.Pow(retryFactor, float64(tries-1))
		return verdict{state: StateQueued, failure: worst, wait: time.Duration(wait)}
	default:
		return verdict{state: StateFailed, failure: worst}
	}
}

func renditionFailure(r dbsqlc.Rendition) *Failure {
	if r.ErrorCode == nil || r.ErrorStage == nil || r.ErrorMessage == nil {
		return failed(CodeInternal, StageTranscode, "rendition "+r.Name+" failed without saying why")
	}
	return &Failure{Code: *r.ErrorCode, Stage: Stage(*r.ErrorStage), Text: *r.ErrorMessage}
}

// settle decides a transcode's outcome if its attempt has no open rendition left,
// and does all that follows in tx: the state, the attempt's end, and the callback
// with its job, or the next placement. The caller holds the transcode's lock in tx
// since before it changed a rendition: whoever comes second sees the first one's
// change, so that of any number at once exactly one is the last.
func settle(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], id uuid.UUID, attempt int32) error {
	q := dbsqlc.New()
	t, err := q.TranscodeGetForUpdate(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	if t.Attempt != attempt || terminal(t.State) || t.State == StateQueued {
		return nil // a newer attempt has it, or it is decided
	}
	renditions, err := q.RenditionList(ctx, tx, id)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	v := decide(&t, renditions)
	switch v.state {
	case StateSucceeded:
		err = succeed(ctx, tx, client, &t, renditions)
	case StateFailed:
		err = fail(ctx, tx, client, &t, v.failure)
	case StateQueued:
		err = requeue(ctx, tx, client, &t, v)
	}
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	return nil
}

func succeed(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	ended, err := dbsqlc.New().TranscodeSucceed(ctx, tx, dbsqlc.TranscodeSucceedParams{ID: t.ID, Attempt: t.Attempt})
	if err != nil {
		return err
	}
	if err := endAttempt(ctx, tx, &ended, OutcomeSucceeded, nil); err != nil {
		return err
	}
	return end(ctx, tx, client, &ended, renditions)
}

func fail(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, f *Failure) error {
	ended, err := dbsqlc.New().TranscodeFail(ctx, tx, dbsqlc.TranscodeFailParams{
		ID: t.ID, Attempt: t.Attempt, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
	})
	if err != nil {
		return err
	}
	if err := endAttempt(ctx, tx, &ended, OutcomeFailed, f); err != nil {
		return err
	}
	return end(ctx, tx, client, &ended, nil)
}

func requeue(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, v verdict) error {
	queued, err := dbsqlc.New().TranscodeRequeue(ctx, tx, dbsqlc.TranscodeRequeueParams{
		ID: t.ID, Attempt: t.Attempt, WaitSeconds: v.wait.Seconds(),
		ErrorCode: v.failure.Code, ErrorStage: string(v.failure.Stage), ErrorMessage: v.failure.Text,
	})
	if err != nil {
		return err
	}
	if err := endAttempt(ctx, tx, &queued, OutcomeFailed, v.failure); err != nil { // unless it has ended as lost
		return err
	}
	_, err = client.InsertTx(ctx, tx, PlaceArgs{}, &river.InsertOpts{ScheduledAt: queued.NotBefore})
	return err
}

// cancel ends a transcode that the caller has locked in tx.
func cancel(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	f := failed(CodeCancelled, stageOf(t.State), "")
	renditions, err := q.RenditionList(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	if err := q.RenditionFailOpen(ctx, tx, dbsqlc.RenditionFailOpenParams{
		TranscodeID: t.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
	}); err != nil {
		return err
	}
	ended, err := q.TranscodeCancel(ctx, tx, dbsqlc.TranscodeCancelParams{
		ID: t.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
	})
	if err != nil {
		return err
	}
	if err := cancelJobs(ctx, tx, client, &ended, renditions); err != nil {
		return err
	}
	if ended.Attempt > 0 {
		if err := endAttempt(ctx, tx, &ended, OutcomeCancelled, f); err != nil {
			return err
		}
	}
	return end(ctx, tx, client, &ended, nil)
}

// end does what follows every end: the callback, and the removal of what is left.
func end(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	if err := writeCallback(ctx, tx, client, t, renditions); err != nil {
		return err
	}
	return insertResidue(ctx, tx, client, t)
}

// stageOf says where a transcode in this state is.
func stageOf(state string) Stage {
	switch state {
	case StateStoring:
		return StageStore
	case StatePlaced, StateRunning:
		return StageTranscode
	default:
		return StageQueue
	}
}

func cancelJobs(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	ids, err := openJobs(ctx, tx, t, renditions)
	if err != nil {
		return err
	}
	for _, id := range ids {
		// A job that River has pruned needs no cancelling.
		if _, err := client.JobCancelTx(ctx, tx, id); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
			return fmt.Errorf("cancel job %d: %w", id, err)
		}
	}
	return nil
}

// openJobs are the jobs of a transcode's attempt and of its files to be stored.
func openJobs(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) ([]int64, error) {
	var ids []int64
	for _, r := range renditions {
		if r.State == RenditionPushed && r.JobID != nil {
			ids = append(ids, *r.JobID)
		}
	}
	if t.Attempt == 0 {
		return ids, nil
	}
	a, err := dbsqlc.New().AttemptGet(ctx, tx, dbsqlc.AttemptGetParams{TranscodeID: t.ID, Number: t.Attempt})
	if err != nil {
		return nil, err
	}
	if a.JobID != nil {
		ids = append(ids, *a.JobID)
	}
	return ids, nil
}

func endAttempt(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode, outcome string, f *Failure) error {
	params := dbsqlc.AttemptEndParams{TranscodeID: t.ID, Number: t.Attempt, Outcome: outcome}
	if f != nil {
		stage := string(f.Stage)
		params.ErrorCode, params.ErrorStage, params.ErrorMessage = &f.Code, &stage, &f.Text
	}
	_, err := dbsqlc.New().AttemptEnd(ctx, tx, params)
	return err
}
