package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/storage"
)

// residueAgain is when nothing of a store can land any more that ran when its transcode
// ended: the host may have been out of reach for as long as a lease (a minute, behind an
// upgrade), aborts take 15 s, and servers complete large uploads for minutes.
const residueAgain = 15 * time.Minute

type residueWorker struct {
	river.WorkerDefaults[jobs.ResidueArgs]
	host *Host
}

// NextRetry implements river.Worker.
func (w *residueWorker) NextRetry(job *river.Job[jobs.ResidueArgs]) time.Time {
	return w.host.storeRetryAt(job.Attempt)
}

// Work looks at every attempt that came as far as a store, when the transcode has ended
// and once more: a store's last bytes may be on their way at the first. It may run again.
func (w *residueWorker) Work(ctx context.Context, job *river.Job[jobs.ResidueArgs]) error {
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
	if wait := job.CreatedAt.Add(residueAgain).Sub(h.clock.now()); wait > 0 {
		return river.JobSnooze(wait)
	}
	return nil
}

// removeResidue removes what stores of a rendition in an attempt left behind, unless
// it is what the rendition relies on. The attempt's stores must be over: nobody else
// writes to its keys then.
func (h *Host) removeResidue(ctx context.Context, t *dbsqlc.Transcode, r *dbsqlc.Rendition, attempt int32) error {
	if r.Attempt == attempt && (r.State == jobs.RenditionOK || r.State == jobs.RenditionPushed) {
		return nil // a lost attempt's host may have come back, and store it
	}
	location, err := h.objectLocation(ctx, t, r.Name, attempt)
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
