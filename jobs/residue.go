package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/storage"
)

const (
	// residueQueue is worked by every host: that of the stores may be dead.
	residueQueue = "residue"
	// residueWorkers: nobody waits for it.
	residueWorkers = 1
	// residuePoll: all hosts ask, and a retry may be late.
	residuePoll = 5 * time.Second
)

// ResidueArgs is the job that removes what the stores of an ended transcode left in
// S3 and no row relies on: half uploads of killed daemons, and objects whose
// rendition was stored by a later attempt or not at all.
type ResidueArgs struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
}

// Kind implements river.JobArgs.
func (ResidueArgs) Kind() string { return "residue" }

// InsertOpts implements river.JobArgsWithInsertOpts. It waits for S3 as long as a store does.
func (ResidueArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: residueQueue, MaxAttempts: storeTries}
}

type residueWorker struct {
	river.WorkerDefaults[ResidueArgs]
	host *Host
}

// NextRetry implements river.Worker.
func (w *residueWorker) NextRetry(job *river.Job[ResidueArgs]) time.Time {
	return w.host.storeRetryAt(job.Attempt)
}

// Work looks at every attempt that came as far as a store. It may run again.
func (w *residueWorker) Work(ctx context.Context, job *river.Job[ResidueArgs]) error {
	h := w.host
	q := dbsqlc.New()
	id := job.Args.TranscodeID
	t, err := q.TranscodeGet(ctx, h.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("transcode %s is gone", id))
	}
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	attempts, err := q.AttemptList(ctx, h.DB, id)
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	renditions, err := q.RenditionList(ctx, h.DB, id)
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	for _, a := range attempts {
		if a.ProcessStartedAt == nil || a.Outcome == nil {
			continue // it has stored nothing, or is a later run's
		}
		for _, r := range renditions {
			err := h.removeResidue(ctx, &t, &r, a.Number)
			switch {
			case err == nil:
			case ctx.Err() != nil, patientWith(err):
				return fmt.Errorf("remove the residue of %s: %w", id, err)
			default:
				// The key that Studio gave may store, and no more than that.
				h.Log.InfoContext(ctx, "residue stays", "transcode", id, "attempt", a.Number, "rendition", r.Name, "why", err)
				return river.JobCancel(fmt.Errorf("remove the residue of %s: %w", id, err))
			}
		}
	}
	return nil
}

// removeResidue removes what stores of a rendition in an attempt left behind, unless
// it is what the rendition relies on. The attempt's stores must be over: nobody else
// writes to its keys then.
func (h *Host) removeResidue(ctx context.Context, t *dbsqlc.Transcode, r *dbsqlc.Rendition, attempt int32) error {
	if r.State == RenditionOK && r.Attempt == attempt {
		return nil
	}
	location, err := h.objectLocation(t, r.Name, attempt)
	if err != nil {
		return err
	}
	// A key that may do one of the two does that one.
	return errors.Join(h.abortUploads(ctx, location), h.Storage.Delete(ctx, location))
}

// abortUploads ends the half uploads of an object, to which nobody else writes.
func (h *Host) abortUploads(ctx context.Context, location storage.Location) error {
	aborted, err := h.Storage.AbortUploads(ctx, location)
	if aborted > 0 {
		h.Log.InfoContext(ctx, "half uploads aborted", "object", location, "number", aborted)
	}
	return err
}

// insertResidue comes with the end of a transcode that may have left something.
func insertResidue(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode) error {
	if t.Attempt == 0 || t.Attempt == 1 && t.State == StateSucceeded {
		return nil
	}
	_, err := client.InsertTx(ctx, tx, ResidueArgs{TranscodeID: t.ID}, nil)
	return err
}
