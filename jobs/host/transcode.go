package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/media"
)

const (
	// transcodeTimeout bounds an attempt; River's rescuer would take a job of this age
	// for stuck. A day of video goes through in less.
	transcodeTimeout = 12 * time.Hour
	// trackEvery is how often the process's log is looked at for tracks without a
	// trigger: it is a local file.
	trackEvery = 100 * time.Millisecond
	// startLimit is for two calls to Mist and a fork.
	startLimit = 30 * time.Second
	// cleanTimeout bounds the clean-up, which must also run when the job is cancelled:
	// inputPatience, nukePatience and calls to Mist.
	cleanTimeout = 90 * time.Second
	// stopGrace is what MistProcLivepeer gets between SIGTERM and SIGKILL where there is
	// no time: another host may begin once the lease has ended.
	stopGrace = 2 * time.Second
	// inputPatience is what the inputs get to go by themselves once the results are in:
	// the real one takes 1.1 to 2.8 s to give its memory back, and never does if killed.
	inputPatience = 30 * time.Second
	// nukePatience is how long Mist takes to end what is left of a stream that it is told
	// to nuke: it asks, waits for 10 s in livepeer's tree, and kills.
	nukePatience = 12 * time.Second
	// stopHold is how long a soft stop waits for pushes that can't wait for the next boot:
	// most of River's softStop, and longer than Mist takes from its start to a first track.
	stopHold = 8 * time.Second
	// logShown is how much of it is told when it failed.
	logShown = 600
)

type transcodeWorker struct {
	river.WorkerDefaults[jobs.TranscodeArgs]
	host *Host
}

// Timeout implements river.Worker.
func (w *transcodeWorker) Timeout(*river.Job[jobs.TranscodeArgs]) time.Duration {
	return transcodeTimeout
}

// NextRetry implements river.Worker.
func (w *transcodeWorker) NextRetry(*river.Job[jobs.TranscodeArgs]) time.Time {
	return w.host.clock.now().Add(jobs.TroubleEvery)
}

// Work supervises the attempt until it is cleaned up. A stop of the daemon ends the
// supervision alone: MistProcLivepeer runs on and the next boot takes it up.
func (w *transcodeWorker) Work(ctx context.Context, job *river.Job[jobs.TranscodeArgs]) error {
	s := &supervisor{
		host:   w.host,
		client: river.ClientFromContext[pgx.Tx](ctx),
		name:   engine.Name{Transcode: job.Args.TranscodeID, Attempt: int(job.Args.Attempt)},
		log:    w.host.Log.With("transcode", job.Args.TranscodeID, "attempt", job.Args.Attempt, "job", job.ID),
	}
	if err := s.takeUp(ctx, job.ID); err != nil {
		return err
	}
	err := s.supervise(ctx)
	switch {
	case errors.Is(err, errStopping):
		return river.JobSnooze(0) // available at once, for the next boot
	case errors.Is(err, errLost):
		return nil
	case errors.Is(err, errGone):
		return river.JobCancel(err)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely):
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		return s.clean(ctx)
	}
	return err
}

// errStopping: the daemon stops softly.
var errStopping = errors.New("the daemon stops")

// supervisor brings one attempt to its end. All it knows is in rows; what it holds
// can be found again.
type supervisor struct {
	host   *Host
	client *river.Client[pgx.Tx]
	name   engine.Name
	log    *slog.Logger

	process engine.Process
	seen    jobs.Seen
	// toldPreparing is when an encode's progress was last written down.
	toldPreparing time.Time
	troubleFrom   time.Time
	ratio         float64
	// trackless holds the ordinals of renditions without a track, tracksFrom is since
	// when the process's log has one for them.
	trackless  []int32
	tracksFrom time.Time
	// stopBy is when a soft stop waits no longer; zero: there is none, or it does not wait.
	stopBy time.Time
	// gone: what ran was stopped because the lease ended; the rows don't say so yet.
	gone bool
}

func (s *supervisor) takeUp(ctx context.Context, job int64) error {
	q := dbsqlc.New()
	taken, err := q.AttemptTakeUp(ctx, s.host.DB, dbsqlc.AttemptTakeUpParams{
		TranscodeID: s.name.Transcode, Number: s.number(), HostID: s.host.ID, BootID: &s.host.BootID, JobID: &job,
	})
	if err != nil {
		return fmt.Errorf("take up %s: %w", s.name, err)
	}
	if taken == 0 {
		return nil // cleaned up already: the plan says so too
	}
	if _, err := q.TranscodeStart(ctx, s.host.DB, dbsqlc.TranscodeStartParams{ID: s.name.Transcode, Attempt: s.number()}); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	jobs.Crash(jobs.CrashTakenUp)
	return nil
}

func (s *supervisor) number() int32 { return int32(s.name.Attempt) }

// supervise runs the loop: load, plan, do, until there is nothing to do.
func (s *supervisor) supervise(ctx context.Context) error {
	wake, deaf := s.host.Wakes.listen(s.name.Transcode)
	defer deaf()
	for {
		if s.host.lease.ending() {
			s.letGo(ctx)
		}
		stepCtx, cancel := s.host.lease.within(ctx)
		pause, done, err := s.step(stepCtx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("supervise %s: %w", s.name, ctx.Err())
		case done:
			return nil
		case errors.Is(err, errLost), errors.Is(err, errGone), errors.Is(err, errStopping):
			return err
		case err != nil && s.host.stops():
			return errStopping
		case err != nil:
			s.log.WarnContext(ctx, "supervisor waits", "error", err)
			pause = jobs.TroubleEvery
		}
		if pause > 0 {
			s.sleep(ctx, pause, wake)
		}
	}
}

// sleep waits for pause at the most: until somebody wakes it, or a track shows that
// no trigger told of.
func (s *supervisor) sleep(ctx context.Context, pause time.Duration, wake <-chan struct{}) {
	stopping := s.host.stopping
	if !s.stopBy.IsZero() {
		stopping = nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	look := time.NewTicker(trackEvery)
	defer look.Stop()
	for {
		select {
		case <-wake:
			return
		case <-timer.C:
			return
		case <-stopping:
			return
		case <-ctx.Done():
			return
		case <-look.C:
			if len(s.newTracks()) > 0 {
				return
			}
		}
	}
}

// step does one action. An error is one of Postgres or of Mist's, which the next
// step meets again or not; what fails the attempt becomes rows.
func (s *supervisor) step(ctx context.Context) (pause time.Duration, done bool, err error) {
	rows, err := s.load(ctx)
	if err != nil {
		return 0, false, err
	}
	if s.host.stops() && !s.holds(&rows, time.Now()) {
		return 0, false, errStopping
	}
	if rows.Attempt.Stage == jobs.AttemptStarted && rows.Attempt.Outcome == nil {
		err := s.observe(ctx, &rows)
		if err != nil && s.patient(time.Now()) {
			return 0, false, err
		}
		if err != nil {
			return 0, false, s.giveUp(ctx, jobs.FailureOf(err, jobs.StageTranscode))
		}
		s.troubleFrom = time.Time{}
		if err := s.tellProgress(ctx, &rows); err != nil {
			return 0, false, err
		}
	}
	if s.gone && rows.Attempt.Outcome == nil {
		if err := s.giveUp(ctx, jobs.Failed(jobs.CodeHostLost, jobs.StageTranscode, "it could not renew its lease")); err != nil {
			return 0, false, err
		}
		s.gone = false
		return 0, false, nil
	}
	action := jobs.Plan(rows, s.host.clock.now())
	if action.Do != jobs.DoWait {
		s.log.DebugContext(ctx, "next step", "do", action.Do)
	}
	switch action.Do {
	case jobs.DoFetch:
		err = s.attemptStep(ctx, jobs.StageFetch, jobs.CodeFetchSlow, jobs.StageCeiling, &rows, s.fetch)
	case jobs.DoPrepare:
		err = s.attemptStep(ctx, jobs.StagePrepare, jobs.CodePrepareSlow, jobs.StageCeiling, &rows, s.prepare)
	case jobs.DoStart:
		err = s.attemptStep(ctx, jobs.StageTranscode, jobs.CodeMistUnavailable, startLimit, &rows, s.start)
	case jobs.DoStartAgain:
		err = s.startAgain(ctx, &rows, action.Rerun)
	case jobs.DoPush:
		pause, err = s.pushAll(ctx, &rows)
	case jobs.DoPushed:
		err = s.pushed(ctx, action.Rendition)
	case jobs.DoFailRendition:
		err = s.failRendition(ctx, action.Rendition.Name, action.Failure)
	case jobs.DoFail:
		err = s.giveUp(ctx, action.Failure)
	case jobs.DoSettle:
		err = s.settle(ctx)
	case jobs.DoFinish:
		err = s.finish(ctx)
	case jobs.DoClean:
		err = s.clean(ctx)
	case jobs.DoWait:
		pause = jobs.PollEvery
	case jobs.DoNothing:
		done = true
	}
	return pause, done, err
}

// holds says whether a soft stop has to wait. Mist keeps no rendition for the next
// boot once its process has ended: pushes that have begun run on without us, others
// never begin.
func (s *supervisor) holds(rows *jobs.Rows, now time.Time) bool {
	if rows.Attempt.Stage != jobs.AttemptStarted || rows.Attempt.Outcome != nil || !slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool {
		return r.State == jobs.RenditionExpected && r.Attempt == rows.Attempt.Number
	}) {
		return false
	}
	if s.stopBy.IsZero() {
		s.stopBy = now.Add(stopHold)
	}
	return now.Before(s.stopBy)
}

// patient says whether trouble with Mist is young enough to wait for its end.
func (s *supervisor) patient(now time.Time) bool {
	if s.troubleFrom.IsZero() {
		s.troubleFrom = now
	}
	return now.Sub(s.troubleFrom) < jobs.MistPatience
}

// attemptStep runs a step whose failure fails the attempt, for limit at the most: longer
// is a failure with the code slow.
// Trouble with Postgres does not: it is no *Failure of ours and is met again.
func (s *supervisor) attemptStep(ctx context.Context, stage jobs.Stage, slow string, limit time.Duration, rows *jobs.Rows, step func(context.Context, *jobs.Rows) error) error {
	stepCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := step(stepCtx, rows)
	var ofRows *rowError
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case stepCtx.Err() != nil:
		return s.giveUp(ctx, jobs.Failed(slow, stage, fmt.Sprintf("it was given %s", limit)).Telling(fmt.Sprintf("more than %s", limit)))
	case errors.As(err, &ofRows):
		return err
	}
	return s.giveUp(ctx, jobs.FailureOf(err, stage))
}

// rowError is trouble with Postgres, told from trouble with the transcode.
type rowError struct {
	what string
	err  error
}

func (e *rowError) Error() string { return e.what + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

var (
	// errFenced: the row has moved on; the next plan sees where.
	errFenced = errors.New("the row has moved on")
	// errLost: another boot of the host has taken the attempt up.
	errLost = errors.New("another boot has taken the attempt up")
	// errGone: a job of rows that are no more; what ran for them is swept.
	errGone = errors.New("its rows are gone")
)

// fenced turns the result of a fenced write into an error.
func fenced(what string, changed int64, err error) error {
	if err == nil && changed == 0 {
		err = errFenced
	}
	if err != nil {
		return &rowError{what, err}
	}
	return nil
}

func (s *supervisor) load(ctx context.Context) (jobs.Rows, error) {
	q := dbsqlc.New()
	var rows jobs.Rows
	var err error
	rows.Transcode, err = q.TranscodeGet(ctx, s.host.DB, s.name.Transcode)
	if errors.Is(err, pgx.ErrNoRows) {
		return rows, fmt.Errorf("load %s: %w", s.name, errGone)
	}
	if err != nil {
		return rows, fmt.Errorf("load %s: %w", s.name, err)
	}
	if rows.Attempt, err = q.AttemptGet(ctx, s.host.DB, dbsqlc.AttemptGetParams{TranscodeID: s.name.Transcode, Number: s.number()}); err != nil {
		return rows, fmt.Errorf("load %s: %w", s.name, err)
	}
	if rows.Renditions, err = q.RenditionList(ctx, s.host.DB, s.name.Transcode); err != nil {
		return rows, fmt.Errorf("load %s: %w", s.name, err)
	}
	if rows.Attempt.BootID == nil || *rows.Attempt.BootID != s.host.BootID {
		return rows, fmt.Errorf("load %s: %w", s.name, errLost)
	}
	return rows, nil
}

func preparedOf(a *dbsqlc.Attempt) (media.Prepared, error) {
	var prepared media.Prepared
	if err := json.Unmarshal(a.Prepared, &prepared); err != nil {
		return prepared, fmt.Errorf("read what was prepared: %w", err)
	}
	return prepared, nil
}

func sourceOf(t *dbsqlc.Transcode) (media.Source, error) {
	var source media.Source
	if err := json.Unmarshal(t.Source, &source); err != nil {
		return source, fmt.Errorf("read what was probed: %w", err)
	}
	return source, nil
}

// fileBytes is a file's size; 0 when there is none.
func fileBytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
