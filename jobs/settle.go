package jobs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	// freeFor bounds what eats no attempt.
	freeFor = 24 * time.Hour
	// freeFactor and freeMax: such a wait grows to about as long as what it waits for,
	// and a fault that stays costs some fifty attempts in a day.
	freeFactor = 2
	freeMax    = 30 * time.Minute
	// gatewayMax is the longest wait for room at a gateway: a stream's place is free
	// again a minute past its last segment.
	gatewayMax = time.Minute
	// lostMax: a dead host's transcodes start elsewhere within 30 s.
	lostMax = 4 * time.Second
)

// Decider moves transcodes through their states within a transaction, and inserts the
// River jobs that follow: both are committed or neither is. Where it decides an outcome
// the caller holds the transcode's lock (TranscodeGetForUpdate) in Tx, since before it
// changed a rendition.
type Decider struct {
	Tx    pgx.Tx
	River *river.Client[pgx.Tx]
}

// outcome is what the renditions of an attempt come to.
type outcome struct {
	// state the transcode goes to: queued (again), succeeded or failed; empty while
	// a rendition is still open.
	state   string
	failure *Failure
	wait    time.Duration
	// free: the attempt does not count.
	free bool
	// packages: all renditions are ok, and more is to be made of them.
	packages bool
}

// decide is the outcome of an attempt, from rows alone; age is the run's. Success is
// every rendition ok. A failure that no retry can mend is final, whatever else failed;
// one that eats the attempt comes before one that does not. Without renditions, as before
// a ladder is made, there is none.
func decide(t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, age time.Duration) outcome {
	var worst *Failure
	for _, r := range renditions {
		switch r.State {
		case RenditionOK:
		case RenditionFailed:
			if f := renditionFailure(r); worst == nil || weight(f) > weight(worst) {
				worst = f
			}
		default:
			return outcome{}
		}
	}
	switch {
	case len(renditions) == 0:
		return outcome{}
	case worst == nil:
		return outcome{state: StateSucceeded}
	}
	return outcomeOf(t, worst, age)
}

// decideOutputs is the outcome of an attempt whose renditions are all ok.
func decideOutputs(t *dbsqlc.Transcode, outputs []dbsqlc.Output, age time.Duration) outcome {
	for i := range outputs {
		switch o := &outputs[i]; {
		case o.State == OutputFailed:
			return outcomeOf(t, outputFailure(o), age) // one job makes all: they fail together
		case o.State == OutputExpected && o.Type != OutputTS:
			return outcome{packages: true}
		}
	}
	return outcome{state: StateSucceeded}
}

// outcomeOf is what follows a failed attempt.
func outcomeOf(t *dbsqlc.Transcode, f *Failure, age time.Duration) outcome {
	switch {
	case f.Retriable() && f.Eats() && t.AttemptsLeft > 0:
		tries := maxAttempts - t.AttemptsLeft // made so far
		wait := float64(retryAfter) * math.Pow(retryFactor, float64(tries-1))
		return outcome{state: StateQueued, failure: f, wait: time.Duration(wait)}
	case f.Retriable() && !f.Eats() && age < freeFor:
		return outcome{state: StateQueued, failure: f, wait: freeWait(f, t.FreeTries), free: true}
	default:
		return outcome{state: StateFailed, failure: f}
	}
}

// freeWait is how long the next attempt waits after so many free ones.
func freeWait(f *Failure, before int32) time.Duration {
	longest := freeMax
	switch f.Code {
	case CodeGatewayFull:
		longest = gatewayMax
	case CodeHostLost:
		longest = lostMax
	}
	wait := float64(retryAfter) * math.Pow(freeFactor, float64(before))
	return time.Duration(min(wait, float64(longest)))
}

// weight orders failures by how much they decide.
func weight(f *Failure) int {
	switch {
	case !f.Retriable():
		return 2 //nolint:mnd // the heaviest of three
	case f.Eats():
		return 1
	default:
		return 0
	}
}

func renditionFailure(r dbsqlc.Rendition) *Failure {
	if r.ErrorCode == nil || r.ErrorStage == nil || r.ErrorMessage == nil {
		return Failed(CodeInternal, StageTranscode, "rendition "+r.Name+" failed without saying why")
	}
	f := &Failure{Code: *r.ErrorCode, Stage: Stage(*r.ErrorStage), Text: *r.ErrorMessage}
	if r.ErrorDetail != nil {
		f.Detail = *r.ErrorDetail
	}
	return f
}

// Works says whether an attempt is what a transcode stands on: no newer one has it, and it is
// neither decided nor waits to be placed again.
func Works(t *dbsqlc.Transcode, attempt int32) bool {
	return t.Attempt == attempt && !Terminal(t.State) && t.State != StateQueued
}

// Settle decides a transcode's outcome if its attempt has no open rendition left,
// and does all that follows in the transaction: the state, the attempt's end, and the callback
// with its job, or the next placement. The caller holds the transcode's lock since
// before it changed a rendition: whoever comes second sees the first one's change, so
// that of any number at once exactly one is the last.
func (d Decider) Settle(ctx context.Context, id uuid.UUID, attempt int32) error {
	return d.settle(ctx, id, attempt, nil)
}

// settle is Settle; f fails an attempt that has no rendition which could.
func (d Decider) settle(ctx context.Context, id uuid.UUID, attempt int32, f *Failure) error {
	q := dbsqlc.New()
	t, err := q.TranscodeGetForUpdate(ctx, d.Tx, id)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	if !Works(&t, attempt) {
		return nil
	}
	renditions, err := q.RenditionList(ctx, d.Tx, id)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	if err := d.settleRows(ctx, &t, renditions, f); err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	return nil
}

// SettleRows is Settle of rows that the caller has read under the lock, the renditions behind
// its last change of one.
func (d Decider) SettleRows(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, attempt int32) error {
	if !Works(t, attempt) {
		return nil
	}
	if err := d.settleRows(ctx, t, renditions, nil); err != nil {
		return fmt.Errorf("settle %s: %w", t.ID, err)
	}
	return nil
}

func (d Decider) settleRows(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, f *Failure) (err error) {
	age := time.Duration(0)
	failed := func(r dbsqlc.Rendition) bool { return r.State == RenditionFailed }
	if f != nil || t.Packages || slices.ContainsFunc(renditions, failed) { // else nothing hangs on it
		if age, err = d.runAge(ctx, t.ID); err != nil {
			return err
		}
	}
	follows := decide(t, renditions, age)
	if len(renditions) == 0 && f != nil {
		follows = outcomeOf(t, f, age)
	}
	if follows.state == StateSucceeded && t.Packages {
		outputs, err := dbsqlc.New().OutputList(ctx, d.Tx, t.ID)
		if err != nil {
			return err
		}
		follows = decideOutputs(t, outputs, age)
	}
	switch {
	case follows.packages:
		return d.beginPackage(ctx, t)
	case follows.state == StateSucceeded:
		return d.succeed(ctx, t, renditions)
	case follows.state == StateFailed:
		return d.fail(ctx, t, follows.failure)
	case follows.state == StateQueued:
		return d.requeue(ctx, t, follows)
	}
	return nil
}

// FailRendition fails a rendition that an attempt has not stored, and settles.
func (d Decider) FailRendition(ctx context.Context, id uuid.UUID, attempt int32, rendition string, f *Failure) error {
	if _, err := dbsqlc.New().RenditionFail(ctx, d.Tx, dbsqlc.RenditionFailParams{
		TranscodeID: id, Name: rendition, Attempt: attempt,
		ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
	}); err != nil {
		return err
	}
	return d.Settle(ctx, id, attempt)
}

// FailUnpushed fails all renditions of an attempt that are not pushed, and settles.
func (d Decider) FailUnpushed(ctx context.Context, id uuid.UUID, attempt int32, f *Failure) error {
	if err := dbsqlc.New().RenditionFailUnpushed(ctx, d.Tx, dbsqlc.RenditionFailUnpushedParams{
		TranscodeID: id, Attempt: attempt,
		ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
	}); err != nil {
		return err
	}
	return d.settle(ctx, id, attempt, f)
}

// runAge is how old a transcode's run is, by the database's clock.
func (d Decider) runAge(ctx context.Context, id uuid.UUID) (time.Duration, error) {
	seconds, err := dbsqlc.New().TranscodeRunSeconds(ctx, d.Tx, id)
	return time.Duration(seconds * float64(time.Second)), err
}

func (d Decider) succeed(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	if err := dbsqlc.New().OutputSetFiles(ctx, d.Tx, dbsqlc.OutputSetFilesParams{TranscodeID: t.ID, Attempt: t.Attempt}); err != nil {
		return err
	}
	ended, err := dbsqlc.New().TranscodeSucceed(ctx, d.Tx, dbsqlc.TranscodeSucceedParams{ID: t.ID, Attempt: t.Attempt})
	if err != nil {
		return err
	}
	if err := d.endAttempt(ctx, &ended, OutcomeSucceeded, nil); err != nil {
		return err
	}
	return d.end(ctx, &ended, renditions)
}

func (d Decider) fail(ctx context.Context, t *dbsqlc.Transcode, f *Failure) error {
	ended, err := dbsqlc.New().TranscodeFail(ctx, d.Tx, dbsqlc.TranscodeFailParams{
		ID: t.ID, Attempt: t.Attempt, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
	})
	if err != nil {
		return err
	}
	if err := d.failOutputs(ctx, t.ID, f); err != nil {
		return err
	}
	if err := d.endAttempt(ctx, &ended, OutcomeFailed, f); err != nil {
		return err
	}
	return d.end(ctx, &ended, nil)
}

func (d Decider) requeue(ctx context.Context, t *dbsqlc.Transcode, follows outcome) error {
	free, grows := 0, 0
	if follows.free {
		free = 1
	}
	if follows.free && follows.failure.Code != CodeHostLost { // those don't wait
		grows = 1
	}
	queued, err := dbsqlc.New().TranscodeRequeue(ctx, d.Tx, dbsqlc.TranscodeRequeueParams{
		ID: t.ID, Attempt: t.Attempt, WaitSeconds: follows.wait.Seconds(), Free: int32(free), Grows: int32(grows),
		ErrorCode: follows.failure.Code, ErrorStage: string(follows.failure.Stage), ErrorMessage: follows.failure.Text,
	})
	if err != nil {
		return err
	}
	if err := d.endAttempt(ctx, &queued, OutcomeFailed, follows.failure); err != nil { // unless it has ended as lost
		return err
	}
	return d.wakePlacementAt(ctx, queued.NotBefore)
}

// cancel ends a transcode that the caller has locked.
func (d Decider) cancel(ctx context.Context, t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	stage, err := d.stageOf(ctx, t)
	if err != nil {
		return err
	}
	f := Failed(CodeCancelled, stage, "")
	renditions, err := q.RenditionList(ctx, d.Tx, t.ID)
	if err != nil {
		return err
	}
	if err := q.RenditionFailOpen(ctx, d.Tx, dbsqlc.RenditionFailOpenParams{
		TranscodeID: t.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
	}); err != nil {
		return err
	}
	if err := d.failOutputs(ctx, t.ID, f); err != nil {
		return err
	}
	ended, err := q.TranscodeCancel(ctx, d.Tx, dbsqlc.TranscodeCancelParams{
		ID: t.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text,
	})
	if err != nil {
		return err
	}
	if err := d.cancelJobs(ctx, &ended, renditions); err != nil {
		return err
	}
	if ended.Attempt > 0 {
		if err := d.endAttempt(ctx, &ended, OutcomeCancelled, f); err != nil {
			return err
		}
	}
	return d.end(ctx, &ended, nil)
}

// end does what follows every end: the callback, and the removal of what is left.
func (d Decider) end(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	if err := d.writeCallback(ctx, t, renditions); err != nil {
		return err
	}
	return d.insertResidue(ctx, t)
}

// insertResidue comes with the end of a transcode that may have left something.
func (d Decider) insertResidue(ctx context.Context, t *dbsqlc.Transcode) error {
	if t.Attempt == 0 || t.Attempt == 1 && t.State == StateSucceeded && !t.Packages {
		return nil
	}
	_, err := d.River.InsertTx(ctx, d.Tx, ResidueArgs{TranscodeID: t.ID}, nil)
	return err
}

// stageOf says where a transcode is.
func (d Decider) stageOf(ctx context.Context, t *dbsqlc.Transcode) (Stage, error) {
	if t.Attempt == 0 {
		return StageQueue, nil
	}
	a, err := dbsqlc.New().AttemptGet(ctx, d.Tx, dbsqlc.AttemptGetParams{TranscodeID: t.ID, Number: t.Attempt})
	if err != nil {
		return "", err
	}
	if a.PackageFrom != nil && !Terminal(t.State) && t.State != StateQueued {
		return StagePackage, nil
	}
	return StageAt(t, a.Stage), nil
}

// StageAt says what is being done to a transcode whose newest attempt has done this
// step last: the state's word, refined.
func StageAt(t *dbsqlc.Transcode, done string) Stage {
	switch {
	case t.State == StateQueued, Terminal(t.State):
		return StageQueue
	case t.State == StateStoring:
		return StageStore
	case t.State == StatePlaced, done == AttemptPlaced:
		return StageFetch
	case done == AttemptFetched && t.SourceDurationMs == nil:
		return StageProbe
	case done == AttemptFetched:
		return StagePrepare
	case done == AttemptPrepared, done == AttemptStarted:
		return StageTranscode
	default:
		return StageStore
	}
}

func (d Decider) cancelJobs(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	ids, err := d.openJobs(ctx, t, renditions)
	if err != nil {
		return err
	}
	for _, id := range ids {
		// A job that River has pruned needs no cancelling.
		if _, err := d.River.JobCancelTx(ctx, d.Tx, id); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
			return fmt.Errorf("cancel job %d: %w", id, err)
		}
	}
	return nil
}

// openJobs are the jobs of a transcode's attempt, and of its files to be stored or packaged.
func (d Decider) openJobs(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) ([]int64, error) {
	var ids []int64
	for _, r := range renditions {
		if r.State == RenditionPushed && r.JobID != nil {
			ids = append(ids, *r.JobID)
		}
	}
	if t.Attempt == 0 {
		return ids, nil
	}
	a, err := dbsqlc.New().AttemptGet(ctx, d.Tx, dbsqlc.AttemptGetParams{TranscodeID: t.ID, Number: t.Attempt})
	if err != nil {
		return nil, err
	}
	if a.JobID != nil {
		ids = append(ids, *a.JobID)
	}
	if a.PackageJobID != nil && a.Outcome == nil {
		ids = append(ids, *a.PackageJobID)
	}
	return ids, nil
}

func (d Decider) endAttempt(ctx context.Context, t *dbsqlc.Transcode, as string, f *Failure) error {
	params := dbsqlc.AttemptEndParams{TranscodeID: t.ID, Number: t.Attempt, Outcome: as}
	if f != nil {
		stage := string(f.Stage)
		params.ErrorCode, params.ErrorStage, params.ErrorMessage = &f.Code, &stage, &f.Text
		if f.Detail != "" {
			params.ErrorDetail = &f.Detail
		}
	}
	_, err := dbsqlc.New().AttemptEnd(ctx, d.Tx, params)
	return err
}
