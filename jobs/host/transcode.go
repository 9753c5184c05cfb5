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

	"weir/db"
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
	// tracksFor is how long after its start that is done: Mist tells of all tracks within a
	// second, and a rendition that never comes is not looked for ten times a second.
	tracksFor = 15 * time.Second
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
// supervision alone: MistProcLivepeer runs on and the next boot takes it up. So does a
// cancel of the job that is not the transcode's: anybody may do that in River.
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
		return s.cancelled(context.WithoutCancel(ctx))
	}
	return err
}

// cancelled looks whether the transcode was cancelled, or its job alone. Another job comes
// in place of that, and finds all as it was.
func (s *supervisor) cancelled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	rows, err := s.load(ctx)
	if err != nil {
		return err
	}
	if !jobs.Terminal(rows.Transcode.State) {
		s.log.WarnContext(ctx, "the job was cancelled, and the transcode was not")
		s.host.reconcileSoon()
		return nil
	}
	return s.clean(ctx)
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
	// saw is the number of the reading that was last planned from, startSeen when the process was first seen.
	saw       int64
	startSeen time.Time
	// acted is when the rows were last changed here, or may have been: no look from before
	// it counts.
	acted time.Time
	// trackless holds the ordinals of renditions without a track, tracksFrom is since
	// when the process's log has one for them.
	trackless  []int32
	tracksFrom time.Time
	// refused holds the renditions whose push Mist did not take.
	refused map[string]bool
	// gone: what ran was stopped because the lease ended; the rows don't say so yet.
	gone bool
}

func (s *supervisor) takeUp(ctx context.Context, job int64) error {
	err := s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := dbsqlc.New()
		// The transcode's lock comes first.
		if _, err := q.TranscodeStart(ctx, tx, dbsqlc.TranscodeStartParams{ID: s.name.Transcode, Attempt: s.number()}); err != nil {
			return err
		}
		taken, err := q.AttemptTakeUp(ctx, tx, dbsqlc.AttemptTakeUpParams{
			TranscodeID: s.name.Transcode, Number: s.number(), HostID: s.host.ID, BootID: &s.host.BootID, JobID: &job,
		})
		if err == nil && taken == 0 {
			err = errFenced // it is cleaned up already, or a newer boot's: the plan says so too
		}
		return err
	})
	if errors.Is(err, errFenced) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take up %s: %w", s.name, err)
	}
	s.acted = time.Now()
	jobs.Crash(jobs.CrashTakenUp)
	return nil
}

// inTx changes rows of the attempt, together with whatever else is written on this host.
func (s *supervisor) inTx(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	return s.host.shared.InTx(ctx, s.host.DB, s.name.Transcode, f)
}

// exec is inTx of one statement.
func (s *supervisor) exec(ctx context.Context, f func(ctx context.Context, on db.Queryer) error) error {
	return s.host.shared.Exec(ctx, s.host.DB, s.name.Transcode, f)
}

func (s *supervisor) number() int32 { return int32(s.name.Attempt) }

// supervise runs the loop: look, plan, do, until there is nothing to do.
func (s *supervisor) supervise(ctx context.Context) error {
	wake, deaf := s.host.Wakes.listen(s.name.Transcode)
	defer deaf()
	defer s.host.looks.watch()()
	for {
		if s.host.lease.ending() {
			s.letGo(ctx)
		}
		stepCtx, cancel := s.host.lease.within(ctx)
		did, err := s.step(stepCtx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("supervise %s: %w", s.name, ctx.Err())
		case errors.Is(err, errLost), errors.Is(err, errGone), errors.Is(err, errStopping):
			return err
		case err != nil && s.host.stops():
			return errStopping
		case err != nil:
			s.log.WarnContext(ctx, "supervisor waits", "error", err)
			s.acted = time.Now() // it may have been committed
			s.sleep(ctx, jobs.TroubleEvery)
		case did == jobs.DoNothing, did == jobs.DoClean:
			return nil
		case did == jobs.DoLeave:
			return errStopping
		case did == jobs.DoWait:
			if s.await(ctx, wake) && len(s.trackless) > 0 {
				s.hurry(ctx)
			}
		default:
			s.acted = time.Now()
		}
	}
}

func (s *supervisor) sleep(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// await waits until there is something to see: a look, a trigger's wake, or a track that no
// trigger told of.
// It says whether it was a trigger's.
func (s *supervisor) await(ctx context.Context, wake <-chan struct{}) (woken bool) {
	// Without Postgres no look comes any more, and the lease ends all the same.
	ctx, cancel := s.host.lease.within(ctx)
	defer cancel()
	read, news := s.host.looks.next(s.name.Transcode)
	if read.began.After(s.acted) && read.number != s.saw {
		return false
	}
	stopping := s.host.stopping
	if !s.seen.StopFrom.IsZero() {
		stopping = nil // it knows
	}
	var track <-chan time.Time
	if len(s.trackless) > 0 && time.Since(s.startSeen) < tracksFor {
		look := time.NewTicker(trackEvery)
		defer look.Stop()
		track = look.C
	}
	for {
		select {
		case <-news:
			if read, news = s.host.looks.next(s.name.Transcode); read.number != s.saw {
				return false
			}
		case <-wake:
			s.acted = time.Now()
			return true
		case <-stopping:
			return false
		case <-ctx.Done():
			return false
		case <-track:
			if len(s.newTracks()) > 0 {
				return false
			}
		}
	}
}

// hurry starts the pushes of tracks that a trigger has just told of, by the rows alone: a
// short source is through in a second, and a look takes long on a busy Mist. What it can't
// do the next step does.
func (s *supervisor) hurry(ctx context.Context) {
	ctx, cancel := s.host.lease.within(ctx)
	defer cancel()
	rows, err := s.load(ctx)
	if err != nil || s.process == nil {
		return
	}
	rows.Seen = s.seen
	rows.Seen.ProcessAlive = s.process.Alive()
	if jobs.Plan(rows, s.host.clock.now()).Do != jobs.DoPush {
		return
	}
	if _, err := s.pushAll(ctx, &rows); err != nil {
		s.log.InfoContext(ctx, "pushes not begun at once", "error", err)
	}
	s.acted = time.Now()
}

// step does one action, and says which. An error is one of Postgres or of Mist's, which the
// next step meets again or not; what fails the attempt becomes rows.
func (s *supervisor) step(ctx context.Context) (did jobs.Do, err error) {
	rows, seen, err := s.see(ctx)
	if err != nil {
		return "", err
	}
	if seen != nil {
		s.saw = seen.reading(s.name.Transcode).number
	}
	if rows.Attempt.Stage == jobs.AttemptStarted && rows.Attempt.Outcome == nil && seen != nil {
		if err := s.observe(ctx, &rows, seen); err != nil {
			return "", err
		}
	}
	s.seen.LetGo = s.gone
	s.seen.Refused = s.refused
	if s.host.stops() && s.seen.StopFrom.IsZero() {
		s.seen.StopFrom = s.host.clock.now()
	}
	rows.Seen = s.seen
	action := jobs.Plan(rows, s.host.clock.now())
	if action.Do != jobs.DoWait {
		s.log.DebugContext(ctx, "next step", "do", action.Do)
	}
	switch action.Do {
	case jobs.DoFetch:
		err = s.attemptStep(ctx, &action, &rows, s.tracedFetch)
	case jobs.DoPrepare:
		err = s.attemptStep(ctx, &action, &rows, s.prepare)
	case jobs.DoStart:
		err = s.attemptStep(ctx, &action, &rows, s.start)
	case jobs.DoStartAgain:
		err = s.startAgain(ctx, &rows, action.Rerun)
	case jobs.DoPush:
		return s.pushAll(ctx, &rows)
	case jobs.DoPushed:
		err = s.pushed(ctx, over(rows, action.Rendition, s.host.clock.now()))
	case jobs.DoFailRendition:
		err = s.failRendition(ctx, action.Rendition.Name, action.Failure)
	case jobs.DoFail:
		if err = s.giveUp(ctx, action.Failure); err == nil {
			s.gone = false
		}
	case jobs.DoSettle:
		err = s.settle(ctx)
	case jobs.DoFinish:
		err = s.finish(ctx, &rows)
	case jobs.DoClean:
		err = s.clean(ctx)
	case jobs.DoWait, jobs.DoLeave, jobs.DoNothing: // the loop's
	}
	return action.Do, err
}

// see is the attempt's rows as they are now, and the look that they are from; nil: the
// attempt is cleaned up, so that no look holds it.
func (s *supervisor) see(ctx context.Context) (jobs.Rows, *look, error) {
	seen, err := s.host.looks.after(ctx, s.acted, s.name.Transcode)
	if err != nil {
		return jobs.Rows{}, nil, fmt.Errorf("look at %s: %w", s.name, err)
	}
	rows := seen.attempts[s.name]
	if rows == nil {
		rows, err := s.load(ctx)
		return rows, nil, err
	}
	if rows.Attempt.BootID == nil || *rows.Attempt.BootID != s.host.BootID {
		return *rows, nil, fmt.Errorf("look at %s: %w", s.name, errLost)
	}
	own := *rows // a look's are everybody's, and the next one's where nothing has changed
	own.Renditions = slices.Clone(rows.Renditions)
	return own, seen, nil
}

// attemptStep runs a step whose failure fails the attempt, for as long as the plan gives
// it: longer is the plan's failure.
// Trouble with Postgres does not: it is no *Failure of ours and is met again.
func (s *supervisor) attemptStep(ctx context.Context, action *jobs.Action, rows *jobs.Rows, step func(context.Context, *jobs.Rows) error) error {
	stepCtx, cancel := context.WithTimeout(ctx, action.Within)
	defer cancel()
	err := step(stepCtx, rows)
	var ofRows *rowError
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case stepCtx.Err() != nil:
		return s.giveUp(ctx, action.Failure)
	case errors.As(err, &ofRows):
		return err
	}
	return s.giveUp(ctx, jobs.FailureOf(err, action.Failure.Stage))
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

// asked are the outputs that are asked for: they are no part of a look, as few steps need
// them.
func (s *supervisor) asked(ctx context.Context) ([]dbsqlc.Output, error) {
	asked, err := dbsqlc.New().OutputList(ctx, s.host.DB, s.name.Transcode)
	if err != nil {
		return nil, &rowError{"list the outputs", err}
	}
	return asked, nil
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
