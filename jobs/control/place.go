package control

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// placeEvery is the belt to the braces: a lost place job costs this long.
	placeEvery = 5 * time.Second
	// placeTimeout is far above a round's milliseconds, and short enough that a round
	// that hangs on a lock is tried again soon.
	placeTimeout = 30 * time.Second
)

type placeWorker struct {
	river.WorkerDefaults[jobs.PlaceArgs]
	db  *pgxpool.Pool
	log *slog.Logger
}

// Timeout implements river.Worker.
func (w *placeWorker) Timeout(*river.Job[jobs.PlaceArgs]) time.Duration { return placeTimeout }

// Work runs one round: which transcode goes to which host, in one transaction with
// the jobs that come of it.
func (w *placeWorker) Work(ctx context.Context, job *river.Job[jobs.PlaceArgs]) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	placed := 0
	err := db.InTx(ctx, w.db, func(tx pgx.Tx) error {
		placed = 0
		q := dbsqlc.New()
		if err := q.PlaceLock(ctx, tx); err != nil {
			return fmt.Errorf("place: %w", err)
		}
		free, err := q.HostFree(ctx, tx)
		if err != nil {
			return fmt.Errorf("place: list hosts: %w", err)
		}
		queue, err := q.TranscodeQueue(ctx, tx, slotsOf(free))
		if err != nil {
			return fmt.Errorf("place: read the queue: %w", err)
		}
		decider := jobs.Decider{Tx: tx, River: client}
		for _, p := range assign(queue, free) {
			if err := decider.Place(ctx, p.transcode.ID, p.host); err != nil {
				return err
			}
			placed++
			w.log.InfoContext(ctx, "transcode placed", "transcode", p.transcode.ID, "attempt", p.transcode.Attempt+1, "host", p.host)
		}
		if placed > 0 {
			jobs.Crash(jobs.CrashPlacing)
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if placed > 0 {
		jobs.Crash(jobs.CrashPlaced)
	}
	return err
}

func slotsOf(free []dbsqlc.HostFreeRow) int32 {
	var slots int32
	for _, host := range free {
		slots += max(host.Free, 0)
	}
	return slots
}

type placement struct {
	transcode dbsqlc.Transcode
	host      string
}

// assign gives each transcode, in order, the host with the most free slots; not the
// one that its last attempt failed on where another has room.
func assign(queue []dbsqlc.Transcode, free []dbsqlc.HostFreeRow) []placement {
	var placements []placement
	for _, t := range queue {
		best := -1
		for i, host := range free {
			if host.Free <= 0 {
				continue
			}
			if best < 0 || better(t, host, free[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		free[best].Free--
		placements = append(placements, placement{t, free[best].ID})
	}
	return placements
}

func better(t dbsqlc.Transcode, a, b dbsqlc.HostFreeRow) bool {
	aFailed, bFailed := t.HostID != nil && *t.HostID == a.ID, t.HostID != nil && *t.HostID == b.ID
	if aFailed != bFailed {
		return bFailed
	}
	return a.Free > b.Free
}
