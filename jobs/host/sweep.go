package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
)

// sweep compares this host's processes, Mist and spool with the rows, removes what
// belongs to no open attempt, and gives a job to what has none. It looks first and
// asks the rows then: an attempt is in the rows before anything of it is elsewhere.
func (h *Host) sweep(ctx context.Context, client *river.Client[pgx.Tx]) error {
	for _, part := range []func(context.Context) error{h.sweepProcesses, h.sweepEngine, h.sweepSpool, h.sweepShm} {
		if err := part(ctx); err != nil {
			return fmt.Errorf("sweep host %s: %w", h.ID, err)
		}
	}
	if err := h.sweepJobs(ctx, client); err != nil {
		return fmt.Errorf("sweep host %s: %w", h.ID, err)
	}
	return nil
}

// attemptIs is what the rows say of a name that was found on this host.
type attemptIs int

const (
	attemptUnknown attemptIs = iota
	attemptOpen
	attemptCleaned
)

func (h *Host) look(ctx context.Context, name engine.Name) (attemptIs, error) {
	is, _, err := h.lookWhen(ctx, name)
	return is, err
}

// lookWhen says since when a cleaned attempt is one, too.
func (h *Host) lookWhen(ctx context.Context, name engine.Name) (is attemptIs, since time.Time, err error) {
	a, err := dbsqlc.New().AttemptGet(ctx, h.DB, dbsqlc.AttemptGetParams{
		TranscodeID: name.Transcode, Number: int32(name.Attempt),
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return attemptUnknown, since, nil
	case err != nil:
		return attemptUnknown, since, fmt.Errorf("look for attempt %s: %w", name, err)
	case a.CleanedAt == nil:
		return attemptOpen, since, nil
	default:
		return attemptCleaned, *a.CleanedAt, nil
	}
}

// orphanGrace leaves the rest of a sweep (renewEvery) to kill what does not go.
const orphanGrace = 3 * time.Second

// sweepProcesses ends every MistProcLivepeer in our spool without an open attempt.
func (h *Host) sweepProcesses(ctx context.Context) error {
	running, err := h.Engine.Find()
	if err != nil {
		return fmt.Errorf("find processes: %w", err)
	}
	for _, process := range running {
		name, err := engine.ParseName(filepath.Base(process.Folder))
		if err != nil || filepath.Dir(process.Folder) != filepath.Clean(h.Spool) {
			continue
		}
		is, err := h.look(ctx, name)
		if err != nil {
			return err
		}
		if is == attemptOpen {
			continue
		}
		h.Log.WarnContext(ctx, "orphan process ended", "pid", process.ID(), "attempt", name)
		if err := process.Stop(ctx, orphanGrace); err != nil {
			return fmt.Errorf("end orphan %d: %w", process.ID(), err)
		}
	}
	return nil
}

// sweepEngine removes what the Engine has of attempts that were cleaned up. What it has
// of those that the rows don't know is left alone: it may serve another Weir.
func (h *Host) sweepEngine(ctx context.Context) error {
	look, err := h.Engine.Look(ctx)
	if err != nil {
		return fmt.Errorf("list what runs: %w", err)
	}
	found, err := h.Engine.Added(ctx)
	if err != nil {
		return fmt.Errorf("list what was added: %w", err)
	}
	found = slices.AppendSeq(found, maps.Keys(look.Running))
	cleaned := map[engine.Name]bool{}
	for _, name := range found {
		is, err := h.look(ctx, name)
		if err != nil {
			return err
		}
		cleaned[name] = is == attemptCleaned
	}
	for _, push := range look.Pushes {
		if cleaned[push.Name] {
			if err := h.Engine.StopPush(ctx, push.ID); err != nil {
				return fmt.Errorf("stop orphan push %d: %w", push.ID, err)
			}
		}
	}
	for name, is := range cleaned {
		if !is {
			continue
		}
		h.Log.WarnContext(ctx, "orphan streams removed", "attempt", name)
		if err := h.Engine.Remove(ctx, name); err != nil {
			return fmt.Errorf("remove orphan streams: %w", err)
		}
	}
	return nil
}

// sweepSpool removes folders that no attempt needs.
func (h *Host) sweepSpool(ctx context.Context) error {
	entries, err := os.ReadDir(h.Spool)
	if err != nil {
		return fmt.Errorf("list the spool: %w", err)
	}
	for _, entry := range entries {
		name, err := engine.ParseName(entry.Name())
		if err != nil {
			continue // not ours
		}
		if err := h.removeFolder(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// sweepJobs gives a new job to attempts and files of this host that have none: a
// job that River gave up or that somebody deleted.
func (h *Host) sweepJobs(ctx context.Context, client *river.Client[pgx.Tx]) error {
	q := dbsqlc.New()
	// An older boot may have fetched jobs until it found that it is one.
	err := db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		if _, err := q.HostOwn(ctx, tx, dbsqlc.HostOwnParams{ID: h.ID, BootID: h.BootID}); errors.Is(err, pgx.ErrNoRows) {
			return nil // this is the older one
		} else if err != nil {
			return err
		}
		return h.takeOver(ctx, tx, client)
	})
	if err != nil {
		return fmt.Errorf("take over from older boots: %w", err)
	}
	if err := h.sweepTaken(ctx, client); err != nil {
		return err
	}
	attempts, err := q.RiverJobLostTranscodes(ctx, h.DB, h.ID)
	if err != nil {
		return fmt.Errorf("list attempts without a job: %w", err)
	}
	stores, err := q.RiverJobLostStores(ctx, h.DB, h.ID)
	if err != nil {
		return fmt.Errorf("list files without a job: %w", err)
	}
	for _, a := range attempts {
		if err := db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
			// Under the transcode's lock it is looked at again: its supervisor may have
			// ended a moment ago.
			if _, err := q.TranscodeGetForUpdate(ctx, tx, a.TranscodeID); err != nil {
				return err
			}
			lost, err := q.RiverJobLostTranscodes(ctx, tx, h.ID)
			if err != nil || !slices.Contains(lost, a) {
				return err
			}
			h.Log.WarnContext(ctx, "attempt had no job", "transcode", a.TranscodeID, "attempt", a.Number)
			return jobs.Decider{Tx: tx, River: client}.InsertTranscode(ctx, jobs.TranscodeArgs{TranscodeID: a.TranscodeID, Attempt: a.Number}, jobs.HostQueue(h.ID))
		}); err != nil {
			return fmt.Errorf("give %s a job: %w", a.TranscodeID, err)
		}
	}
	for _, r := range stores {
		if err := db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
			if _, err := q.TranscodeGetForUpdate(ctx, tx, r.TranscodeID); err != nil {
				return err
			}
			lost, err := q.RiverJobLostStores(ctx, tx, h.ID)
			if err != nil || !slices.Contains(lost, r) {
				return err
			}
			h.Log.WarnContext(ctx, "file had no store job", "transcode", r.TranscodeID, "rendition", r.Name)
			return jobs.Decider{Tx: tx, River: client}.InsertStore(ctx, jobs.StoreArgs{TranscodeID: r.TranscodeID, Attempt: r.Attempt, Rendition: r.Name}, jobs.StoreQueue(h.ID))
		}); err != nil {
			return fmt.Errorf("give %s of %s a job: %w", r.Name, r.TranscodeID, err)
		}
	}
	return nil
}

// sweepTaken gives a new job in place of each that this boot fetched and nobody works.
func (h *Host) sweepTaken(ctx context.Context, client *river.Client[pgx.Tx]) error {
	taken, err := dbsqlc.New().RiverJobTaken(ctx, h.DB, dbsqlc.RiverJobTakenParams{
		ClientID: jobs.ClientID(h.ID, h.BootID), Queues: []string{jobs.HostQueue(h.ID), jobs.StoreQueue(h.ID)}, OlderSeconds: lostAfter.Seconds(),
	})
	if err != nil {
		return fmt.Errorf("list jobs in hand: %w", err)
	}
	ids := make([]int64, len(taken))
	for i, job := range taken {
		ids[i] = job.ID
	}
	lost := h.hand.lost(ids)
	for _, job := range taken {
		if !slices.Contains(lost, job.ID) {
			continue
		}
		h.Log.WarnContext(ctx, "job was in nobody's hand", "job", job.ID, "kind", job.Kind)
		if err := db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
			return h.redo(ctx, tx, client, dbsqlc.RiverJobOrphansRow(job))
		}); err != nil {
			return err
		}
	}
	return nil
}
