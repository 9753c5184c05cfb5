package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/trace"
)

const (
	// giveBackEvery: an older boot is dead when this one begins, or finds within a renewal
	// of its lease that it is the older one.
	giveBackEvery = 30 * time.Second
	// orphanGrace is what an orphan gets to go before it is killed.
	orphanGrace = 3 * time.Second
	// fetchedFor is how long a job may be fetched before it is in hand: River starts within
	// milliseconds what it has fetched.
	fetchedFor = 30 * time.Second
)

// reconcile compares what is here with the rows: it removes what belongs to no open
// attempt, and gives a job to the work that has none. It goes on after an error.
func (h *Host) reconcile(ctx context.Context, client *river.Client[pgx.Tx]) error {
	l, err := h.looks.wholeAfter(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("reconcile host %s: %w", h.ID, err)
	}
	errs := []error{l.machine}
	for _, part := range []func(context.Context, *look) error{
		h.endOrphans, h.removeStreams, h.removeFolders, h.sweepShm,
		func(ctx context.Context, l *look) error {
			if l.idle {
				return nil
			}
			return h.reconcileJobs(ctx, client)
		},
	} {
		if err := part(ctx, l); err != nil {
			errs = append(errs, fmt.Errorf("reconcile host %s: %w", h.ID, err))
		}
	}
	return errors.Join(errs...)
}

// about is ctx of an attempt, as lines of the log name it.
func (h *Host) about(ctx context.Context, name engine.Name) context.Context {
	return trace.With(ctx, trace.Subject{Transcode: name.Transcode, Attempt: name.Attempt, Host: h.ID})
}

// known is what rows say of attempts that this host has not open; those that they don't
// know are not in it.
func (h *Host) known(ctx context.Context, names map[engine.Name]bool) (map[engine.Name]dbsqlc.AttemptsKnownRow, error) {
	var asked dbsqlc.AttemptsKnownParams
	for name := range names {
		asked.Transcodes, asked.Numbers = append(asked.Transcodes, name.Transcode), append(asked.Numbers, int32(name.Attempt))
	}
	known := map[engine.Name]dbsqlc.AttemptsKnownRow{}
	if len(asked.Transcodes) == 0 {
		return known, nil
	}
	rows, err := dbsqlc.New().AttemptsKnown(ctx, h.DB, asked)
	if err != nil {
		return nil, fmt.Errorf("look for attempts: %w", err)
	}
	for _, row := range rows {
		known[engine.Name{Transcode: row.TranscodeID, Attempt: int(row.Number)}] = row
	}
	return known, nil
}

// endOrphans ends every MistProcLivepeer in our spool without an open attempt.
func (h *Host) endOrphans(ctx context.Context, l *look) error {
	var errs []error
	for _, process := range l.processes {
		name, err := engine.ParseName(filepath.Base(process.Folder))
		if err != nil || filepath.Dir(process.Folder) != h.Spool || l.attempts[name] != nil {
			continue
		}
		h.Log.WarnContext(h.about(ctx, name), "orphan process ended", "pid", process.ID())
		if err := process.Stop(ctx, orphanGrace); err != nil {
			errs = append(errs, fmt.Errorf("end orphan %d: %w", process.ID(), err))
		}
	}
	return errors.Join(errs...)
}

// removeStreams removes pushes and streams of attempts that were cleaned up. Those of
// attempts that the rows don't know are left alone: Mist may serve another Weir.
func (h *Host) removeStreams(ctx context.Context, l *look) error {
	if l.blind() {
		return nil // there is nothing to see
	}
	found, err := h.Engine.Added(ctx)
	if err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	strange := map[engine.Name]bool{}
	for _, name := range slices.AppendSeq(found, maps.Keys(l.runs.Running)) {
		if l.attempts[name] == nil {
			strange[name] = true
		}
	}
	known, err := h.known(ctx, strange)
	if err != nil {
		return err
	}
	var errs []error
	for _, push := range l.runs.Pushes {
		if known[push.Name].CleanedAt == nil {
			continue
		}
		if err := h.Engine.StopPush(ctx, push.ID); err != nil {
			errs = append(errs, fmt.Errorf("stop orphan push %d: %w", push.ID, err))
		}
	}
	for name, is := range known {
		if is.CleanedAt == nil {
			continue
		}
		h.Log.WarnContext(h.about(ctx, name), "orphan streams removed")
		if err := h.Engine.Remove(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("remove orphan streams: %w", err))
		}
	}
	return errors.Join(errs...)
}

// removeFolders removes folders that no attempt needs.
func (h *Host) removeFolders(ctx context.Context, l *look) error {
	strange := map[engine.Name]bool{}
	for _, name := range l.folders {
		if l.attempts[name] == nil {
			strange[name] = true
		}
	}
	known, err := h.known(ctx, strange)
	if err != nil {
		return err
	}
	var errs []error
	for name := range strange {
		if is, row := known[name]; row && (is.Storing || is.CleanedAt == nil) {
			continue
		}
		if err := h.dropFolder(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// dropFolder removes an attempt's folder.
func (h *Host) dropFolder(name engine.Name) error {
	h.follows.drop(func(path string) bool {
		return filepath.Dir(path) == h.folder(name) || filepath.Dir(path) == h.inFolder(name)
	})
	if err := os.RemoveAll(h.folder(name)); err != nil {
		return fmt.Errorf("remove spool folder: %w", err)
	}
	return nil
}

// reconcileJobs gives a new job to attempts and files of this host that nobody works on:
// an older boot died with it, River gave it up, a fetch's answer was lost, or somebody
// cancelled, deleted or changed it.
func (h *Host) reconcileJobs(ctx context.Context, client *river.Client[pgx.Tx]) error {
	rows, err := dbsqlc.New().HostWork(ctx, h.DB, h.ID)
	if err != nil {
		return fmt.Errorf("list this host's work: %w", err)
	}
	var errs []error
	for _, row := range rows {
		work := &jobs.Work{
			Transcode: row.TranscodeID, Attempt: row.Attempt, Rendition: row.Rendition, Package: row.Package, Named: row.Named,
			Job: row.JobID, State: rivertype.JobState(row.JobState), Queue: row.JobQueue, Owner: row.Owner,
			ScheduledAt: row.ScheduledAt, AttemptedAt: row.AttemptedAt,
		}
		why := work.Abandoned(h.ID, h.clock.now(), h.works)
		if why == "" || h.hand.holds(handOf(work)) {
			continue
		}
		if err := h.redo(ctx, client, work, why); err != nil {
			errs = append(errs, err)
		}
	}
	if time.Since(h.gaveBack) < giveBackEvery {
		return errors.Join(errs...)
	}
	back, err := dbsqlc.New().RiverJobGiveBack(ctx, h.DB, dbsqlc.RiverJobGiveBackParams{
		HostID: h.ID, ClientID: jobs.ClientID(h.ID, h.BootID), BootID: h.BootID,
	})
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("give back what an older boot had: %w", err))...)
	}
	h.gaveBack = time.Now()
	if back > 0 {
		h.Log.WarnContext(ctx, "jobs of an older boot given back", "host", h.ID, "jobs", back)
	}
	return errors.Join(errs...)
}

// works says whether this process works a job that runs by its row, or may be about to.
func (h *Host) works(w *jobs.Work) bool {
	return w.Owner == jobs.ClientID(h.ID, h.BootID) &&
		(h.hand.holds(handOf(w)) || w.AttemptedAt != nil && h.clock.now().Sub(*w.AttemptedAt) < fetchedFor)
}

// redo gives a work another job.
func (h *Host) redo(ctx context.Context, client *river.Client[pgx.Tx], work *jobs.Work, why string) error {
	done := false
	err := db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		done = false
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, work.Transcode); err != nil {
			return err
		}
		// An older boot does so too until it finds that it is one.
		if _, err := dbsqlc.New().HostOwn(ctx, tx, dbsqlc.HostOwnParams{ID: h.ID, BootID: h.BootID}); errors.Is(err, pgx.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		var err error
		done, err = jobs.Decider{Tx: tx, River: client}.Redo(ctx, h.ID, work)
		return err
	})
	if err != nil {
		return fmt.Errorf("give %s another job: %w", work.Transcode, err)
	}
	if done {
		about := trace.Subject{Transcode: work.Transcode, Attempt: int(work.Attempt), Host: h.ID}
		if work.Named != nil {
			about.Job = *work.Named
		}
		h.Log.WarnContext(trace.With(ctx, about), "work gets another job", "rendition", work.Rendition, "why", why)
	}
	return nil
}

// handKey is a work: an attempt, (with a rendition) a store of it, or its package.
type handKey struct {
	transcode uuid.UUID
	attempt   int32
	rendition string
	packages  bool
}

func handOf(w *jobs.Work) handKey { return handKey{w.Transcode, w.Attempt, w.Rendition, w.Package} }

// hand is what this process works on at the moment, each of it once: anybody may insert or
// retry a second job in River for the same work, which then has nothing to do.
type hand struct {
	river.MiddlewareDefaults

	mu   sync.Mutex
	held map[handKey]bool
}

var _ rivertype.WorkerMiddleware = (*hand)(nil)

// Work implements rivertype.WorkerMiddleware.
func (h *hand) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	key, ok := keyOf(job)
	if !ok {
		return work(ctx)
	}
	if !h.take(key) {
		return nil
	}
	defer h.leave(key)
	return work(ctx)
}

// keyOf is the work of a job that belongs to a host.
func keyOf(job *rivertype.JobRow) (handKey, bool) {
	switch job.Kind {
	case jobs.TranscodeArgs{}.Kind():
		var args jobs.TranscodeArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return handKey{}, false // River tells
		}
		return handKey{args.TranscodeID, args.Attempt, "", false}, true
	case jobs.StoreArgs{}.Kind():
		var args jobs.StoreArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return handKey{}, false
		}
		return handKey{args.TranscodeID, args.Attempt, args.Rendition, false}, true
	case jobs.PackageArgs{}.Kind():
		var args jobs.PackageArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return handKey{}, false
		}
		return handKey{args.TranscodeID, args.Attempt, "", true}, true
	default:
		return handKey{}, false
	}
}

func (h *hand) take(key handKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[key] {
		return false
	}
	if h.held == nil {
		h.held = map[handKey]bool{}
	}
	h.held[key] = true
	return true
}

func (h *hand) leave(key handKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, key)
}

func (h *hand) holds(key handKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[key]
}
