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
	placeEvery = 30 * time.Second
	// placeTimeout is far above a round's milliseconds, and short enough that a round
	// that hangs on a lock is tried again soon.
	placeTimeout = 30 * time.Second
	// roundMost bounds a round's transaction to a fraction of a second, however many
	// slots are free: the next round follows at once.
	roundMost = 256
	// tenantShare: while others wait, a tenant gets no slot beyond one of so many, so that
	// one with sources that trickle is not in everybody's way.
	tenantShare = 2
)

type placeWorker struct {
	river.WorkerDefaults[jobs.PlaceArgs]
	db  *pgxpool.Pool
	log *slog.Logger
}

// Timeout implements river.Worker.
func (w *placeWorker) Timeout(*river.Job[jobs.PlaceArgs]) time.Duration { return placeTimeout }

// Work runs one round: which transcode goes to which host, in one transaction with
// the jobs that come of it. Where it leaves something, another one follows.
func (w *placeWorker) Work(ctx context.Context, job *river.Job[jobs.PlaceArgs]) error {
	// Before the queue is read: who commits behind this look finds that no round waits.
	raced, err := dbsqlc.New().PlaceWakesHeld(ctx, w.db)
	if err != nil {
		return fmt.Errorf("place: %w", err)
	}
	var placed []dbsqlc.TranscodePlaceRow
	var full bool
	err = db.InTx(ctx, w.db, func(tx pgx.Tx) (err error) {
		decider := jobs.Decider{Tx: tx, River: river.ClientFromContext[pgx.Tx](ctx)}
		if placed, full, err = round(ctx, decider); err != nil {
			return err
		}
		if len(placed) > 0 {
			jobs.Crash(jobs.CrashPlacing)
		}
		if raced || full {
			if err := decider.WakePlacement(ctx); err != nil {
				return err
			}
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range placed {
		w.log.InfoContext(ctx, "transcode placed", "transcode", t.ID, "attempt", t.Attempt, "host", t.HostID)
	}
	if len(placed) > 0 {
		jobs.Crash(jobs.CrashPlaced)
	}
	return nil
}

// round places what fits, roundMost at the most; full: there may be more.
func round(ctx context.Context, decider jobs.Decider) (placed []dbsqlc.TranscodePlaceRow, full bool, err error) {
	q := dbsqlc.New()
	if err := q.PlaceLock(ctx, decider.Tx); err != nil {
		return nil, false, fmt.Errorf("place: %w", err)
	}
	hosts, err := q.HostFree(ctx, decider.Tx)
	if err != nil {
		return nil, false, fmt.Errorf("place: list hosts: %w", err)
	}
	all, free := slotsOf(hosts)
	if free == 0 {
		return nil, false, nil
	}
	queue, err := q.TranscodeQueue(ctx, decider.Tx, dbsqlc.TranscodeQueueParams{Share: shareOf(all), PageSize: min(free, roundMost)})
	if err != nil {
		return nil, false, fmt.Errorf("place: read the queue: %w", err)
	}
	if len(queue) == 0 {
		return nil, false, nil
	}
	placed, err = decider.Place(ctx, assign(queue, hosts)...)
	return placed, len(queue) == roundMost, err
}

// slotsOf counts the hosts' slots, and those of them that are free.
func slotsOf(hosts []dbsqlc.HostFreeRow) (all, free int32) {
	for _, host := range hosts {
		all += host.Slots
		free += max(host.Free, 0)
	}
	return all, free
}

// shareOf is how many of so many slots a tenant may hold while others wait.
func shareOf(slots int32) int64 { return int64(slots+tenantShare-1) / tenantShare }

// assign gives each transcode, in order, the host with the most free slots; not the
// one that its last attempt failed on where another has room.
func assign(queue []dbsqlc.TranscodeQueueRow, free []dbsqlc.HostFreeRow) []jobs.Placement {
	var placements []jobs.Placement
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
		placements = append(placements, jobs.Placement{Transcode: t.ID, Host: free[best].ID})
	}
	return placements
}

func better(t dbsqlc.TranscodeQueueRow, a, b dbsqlc.HostFreeRow) bool {
	aFailed, bFailed := t.HostID != nil && *t.HostID == a.ID, t.HostID != nil && *t.HostID == b.ID
	if aFailed != bFailed {
		return bFailed
	}
	return a.Free > b.Free
}
