package bulk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/filter"
)

const (
	// Queue is worked by daemons that lead.
	Queue = "bulk"
	// workers: operations are rare, and each holds one connection.
	workers = 2
	// poll: whoever begins an operation tells of it.
	poll = time.Minute
	// tries are for errors of Postgres; [Operations.Repair] comes behind them.
	tries = 100
	// shift is how long one job works: a daemon that stops waits for no longer, and jobs of
	// several operations take turns.
	shift = 5 * time.Second
	// timeout is far above a shift: an item may wait for a lock for 15 s.
	timeout = time.Minute
	// page is how many items are looked up at once.
	page = 100
	// silence is how long an operation may do nothing before another job is made for it: a
	// lock may be waited for as long, and the rate's pauses are a second at the most.
	silence = 30 * time.Second
)

// Args is the job that goes on with an operation for a while.
type Args struct {
	ID uuid.UUID `json:"id"`
}

// Kind implements river.JobArgs.
func (Args) Kind() string { return "bulk" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Args) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: tries}
}

// Room adds the worker to a daemon's client; leads: this daemon takes its work.
func Room(settings *river.Config, pool *pgxpool.Pool, log *slog.Logger, leads bool) {
	river.AddWorker(settings.Workers, &worker{db: pool, log: log})
	if leads {
		settings.Queues[Queue] = river.QueueConfig{MaxWorkers: workers, FetchPollInterval: poll}
	}
}

type worker struct {
	river.WorkerDefaults[Args]
	db  *pgxpool.Pool
	log *slog.Logger
}

// Timeout implements river.Worker.
func (w *worker) Timeout(*river.Job[Args]) time.Duration { return timeout }

// NextRetry implements river.Worker.
func (w *worker) NextRetry(*river.Job[Args]) time.Time { return time.Now().Add(jobs.TroubleEvery) }

// Work does items for a shift. Where some are left, another job goes on.
func (w *worker) Work(ctx context.Context, job *river.Job[Args]) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	over := time.Now().Add(shift)
	left, err := w.work(ctx, client, job.Args.ID, over)
	if err != nil {
		if ctx.Err() == nil { // it can be told why nothing goes on, where Postgres answers
			_ = dbsqlc.New().BulkSetTrouble(ctx, w.db, dbsqlc.BulkSetTroubleParams{ID: job.Args.ID, Trouble: err.Error()})
		}
		return fmt.Errorf("bulk operation %s: %w", job.Args.ID, err)
	}
	return db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		if left {
			if err := (&Operations{DB: tx, River: client}).insert(ctx, tx, job.Args.ID); err != nil {
				return err
			}
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}

// work does items until a time; left: there may be more.
func (w *worker) work(ctx context.Context, client *river.Client[pgx.Tx], id uuid.UUID, over time.Time) (left bool, err error) {
	op, err := dbsqlc.New().BulkGet(ctx, w.db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := filter.Parse(op.Filter)
	if err != nil {
		return false, err
	}
	all, err := lists(Kind(op.Kind), &f, op.FrozenAt)
	if err != nil {
		return false, err
	}
	for op.State == StateRunning && time.Now().Before(over) {
		for i := range all {
			all[i].BeforeAt, all[i].BeforeID, all[i].Limit = op.BeforeAt, op.BeforeID, page
		}
		items, err := jobs.PickAny(ctx, w.db, all)
		if err != nil {
			return true, err
		}
		if len(items) == 0 {
			return false, w.finish(ctx, &op)
		}
		for i := 0; i < len(items) && op.State == StateRunning && time.Now().Before(over); i++ {
			var moved bool
			if op, moved, err = w.item(ctx, client, &op, &items[i]); err != nil {
				return true, err
			}
			if moved {
				break
			}
			if err := w.pause(ctx, &op, over); err != nil {
				return true, err
			}
		}
	}
	return op.State == StateRunning, nil
}

// item deals with one, and moves the row's place behind it, together or not at all. moved:
// another job has done so, or a person has changed the row.
func (w *worker) item(ctx context.Context, client *river.Client[pgx.Tx], was *dbsqlc.BulkOperation, at *dbsqlc.Transcode) (op dbsqlc.BulkOperation, moved bool, err error) {
	var wrong error
	err = db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		op, err = dbsqlc.New().BulkGetForUpdate(ctx, tx, was.ID)
		if err != nil {
			return err
		}
		moved = op.State != StateRunning || !same(op.BeforeID, was.BeforeID)
		if moved {
			return nil
		}
		if wrong, err = do(ctx, tx, client, &op, at.ID); err != nil {
			return fmt.Errorf("%s %s: %w", op.Kind, at.ID, err)
		}
		op, err = advance(ctx, tx, &op, at, wrong)
		return err
	})
	if err == nil && !moved && wrong != nil {
		w.log.InfoContext(ctx, "bulk item not done", "operation", op.ID, "transcode", at.ID, "why", wrong)
	}
	return op, moved, err
}

func same(a, b *uuid.UUID) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// pause waits for the operation's rate, which is the row's: two jobs keep it together.
func (w *worker) pause(ctx context.Context, op *dbsqlc.BulkOperation, over time.Time) error {
	seconds, err := dbsqlc.New().BulkWait(ctx, w.db, op.ID)
	if err != nil {
		return err
	}
	wait := min(time.Duration(seconds*float64(time.Second)), time.Until(over))
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *worker) finish(ctx context.Context, op *dbsqlc.BulkOperation) error {
	return db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		now, err := q.BulkGetForUpdate(ctx, tx, op.ID)
		if err != nil || now.State != StateRunning {
			return err
		}
		if _, err = q.BulkSetState(ctx, tx, dbsqlc.BulkSetStateParams{ID: op.ID, State: StateDone}); err != nil {
			return err
		}
		w.log.InfoContext(ctx, "bulk operation done", "operation", op.ID, "kind", op.Kind, "done", now.Done, "skipped", now.Skipped, "failed", now.Failed)
		return nil
	})
}

// Repair makes jobs for operations that no job goes on with: its daemon died, or somebody
// deleted it in River.
func (o *Operations) Repair(ctx context.Context) error {
	lost, err := dbsqlc.New().BulkLost(ctx, o.DB, silence.Seconds())
	if err != nil {
		return fmt.Errorf("list bulk operations without a job: %w", err)
	}
	for _, id := range lost {
		if err := db.InTx(ctx, o.DB, func(tx pgx.Tx) error { return o.insert(ctx, tx, id) }); err != nil {
			return fmt.Errorf("repair bulk operation %s: %w", id, err)
		}
	}
	return nil
}
