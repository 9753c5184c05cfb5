package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
)

// aheadMost is longer than any job of a host's waits by itself: a store for a minute.
const aheadMost = 10 * time.Minute

// A Work is what a River job has to bring to its end, on one host, and how the job is that
// the work's row names. River's rows may be gone, or be changed by anybody.
type Work struct {
	Transcode uuid.UUID
	Attempt   int32
	Rendition string // of a store; "": the attempt itself
	Package   bool   // it makes the outputs
	Named     *int64 // the job that its row names

	Job         *int64 // nil: there is no such row
	State       rivertype.JobState
	Queue       string
	Owner       string // the client that has fetched it last
	ScheduledAt *time.Time
	AttemptedAt *time.Time
}

// queue is where its job belongs.
func (w *Work) queue(host string) string {
	if w.Rendition != "" || w.Package {
		return StoreQueue(host)
	}
	return HostQueue(host)
}

// Abandoned says why nobody is going to do it, "" where somebody will. This is the one
// rule of who owns what: a job that waits in its host's queue, or that runs where works
// says that it does.
func (w *Work) Abandoned(host string, now time.Time, works func(*Work) bool) string {
	switch {
	case w.Job == nil:
		return "it has no job"
	case w.State == rivertype.JobStateRunning && !works(w):
		return "its job runs nowhere"
	case w.State == rivertype.JobStateRunning:
		return ""
	case w.ended():
		return "its job has ended"
	case w.Queue != w.queue(host):
		return "its job is in another queue"
	case w.ScheduledAt != nil && w.ScheduledAt.Sub(now) > aheadMost:
		return "its job waits for too long"
	}
	return ""
}

func (w *Work) ended() bool {
	switch w.State {
	case rivertype.JobStateCancelled, rivertype.JobStateCompleted, rivertype.JobStateDiscarded:
		return true
	default:
		return false
	}
}

// Redo gives an abandoned work a new job, unless it has moved on meanwhile; done says
// whether it did. The caller makes sure that its own boot of the host is the newest.
func (d Decider) Redo(ctx context.Context, host string, w *Work) (done bool, err error) {
	q := dbsqlc.New()
	if _, err := q.TranscodeGetForUpdate(ctx, d.Tx, w.Transcode); err != nil {
		return false, err
	}
	named, open, err := d.named(ctx, w)
	if err != nil || !open || (named == nil) != (w.Named == nil) || named != nil && *named != *w.Named {
		return false, err
	}
	if w.Job != nil && !w.ended() {
		ended, err := q.RiverJobDismiss(ctx, d.Tx, dbsqlc.RiverJobDismissParams{ID: *w.Job, State: string(w.State), Owner: w.Owner})
		if err != nil {
			return false, fmt.Errorf("end job %d: %w", *w.Job, err)
		}
		if ended == 0 {
			return false, nil
		}
	}
	if w.Rendition != "" {
		return true, d.InsertStore(ctx, StoreArgs{TranscodeID: w.Transcode, Attempt: w.Attempt, Rendition: w.Rendition}, w.queue(host))
	}
	if w.Package {
		return true, d.InsertPackage(ctx, PackageArgs{TranscodeID: w.Transcode, Attempt: w.Attempt}, w.queue(host))
	}
	return true, d.InsertTranscode(ctx, TranscodeArgs{TranscodeID: w.Transcode, Attempt: w.Attempt}, w.queue(host))
}

// named is the job that a work's row names now, and whether there is anything left to do.
func (d Decider) named(ctx context.Context, w *Work) (job *int64, open bool, err error) {
	q := dbsqlc.New()
	if w.Rendition != "" {
		r, err := q.RenditionGet(ctx, d.Tx, dbsqlc.RenditionGetParams{TranscodeID: w.Transcode, Name: w.Rendition})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, false, nil
		}
		return r.JobID, r.State == RenditionPushed && r.Attempt == w.Attempt, err
	}
	a, err := q.AttemptGet(ctx, d.Tx, dbsqlc.AttemptGetParams{TranscodeID: w.Transcode, Number: w.Attempt})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if w.Package {
		return a.PackageJobID, a.PackageFrom != nil && a.Outcome == nil, err
	}
	return a.JobID, a.CleanedAt == nil, err
}
