package control

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/jobs"
	"weir/jobs/trace"
)

// acceptTimeout is far above what accepting takes, and above a lock's wait (15 s, db.Open).
const acceptTimeout = 30 * time.Second

// acceptWorker accepts requests by SQL.
type acceptWorker struct {
	river.WorkerDefaults[jobs.AcceptArgs]
	db    *pgxpool.Pool
	inbox Inbox
	trace *trace.Tracer
}

// Timeout implements river.Worker.
func (w *acceptWorker) Timeout(*river.Job[jobs.AcceptArgs]) time.Duration { return acceptTimeout }

// NextRetry implements river.Worker.
func (w *acceptWorker) NextRetry(*river.Job[jobs.AcceptArgs]) time.Time {
	return time.Now().Add(jobs.TroubleEvery)
}

// Work accepts one, or refuses it for good, and ends the job in the same transaction. Where
// another has done it before there is nothing left to do.
func (w *acceptWorker) Work(ctx context.Context, job *river.Job[jobs.AcceptArgs]) error {
	began := time.Now()
	err := db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		if err := w.inbox.Accept(ctx, tx, job.Args.ID); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err != nil {
		return fmt.Errorf("accept the request %s: %w", job.Args.ID, err)
	}
	w.trace.RecordAccept(ctx, job.Args.ID, began, "form", "sql")
	return nil
}
