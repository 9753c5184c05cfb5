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
	"weir/jobs/trace"
)

const (
	// placeEvery is the belt to the braces: what changes who may be placed wakes a round in its
	// own transaction, and somebody who deletes that job in River delays it by this long. Where
	// nobody waits it is two short questions.
	placeEvery = time.Minute
	// placeTimeout is far above a round's milliseconds, and short enough that a round
	// that hangs on a lock is tried again soon.
	placeTimeout = 30 * time.Second
	// roundMost bounds a round's transaction, for which all others wait, to some 20 ms however
	// many slots are free: the next round follows at once. A transcode costs a tenth of a
	// millisecond: its row is in ten indexes, and an event, an attempt and a job come with it.
	roundMost = 64
	// pageLeast: a round for the one slot that came free reads some more tenants, for those whose
	// queue was cancelled since they were listed.
	pageLeast = 8
	// hostsPerPlace and roundLarge are for large fleets, of which each round reads all hosts: of
	// a thousand, sixteen rounds for a burst of as many would read sixteen thousand. It places
	// one for each so many hosts that may take work, where that is more than roundMost.
	hostsPerPlace = 4
	// fullPause is between rounds while no slot is free: requests that come then by the hundred
	// a second would have a round each 10 ms, at the cost of a third of a core, to find the same.
	// A slot that comes free meanwhile waits for the next one, which is nothing to a transcode.
	fullPause  = 50 * time.Millisecond
	roundLarge = 256
	percent    = 100
)

type placeWorker struct {
	river.WorkerDefaults[jobs.PlaceArgs]
	db  *pgxpool.Pool
	log *slog.Logger
	// urgentPercent of all slots stay for the urgent.
	urgentPercent int
	trace         *trace.Tracer
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
	var r round
	err = db.InTx(ctx, w.db, func(tx pgx.Tx) (err error) {
		decider := jobs.Decider{Tx: tx, River: river.ClientFromContext[pgx.Tx](ctx)}
		if r, err = w.round(ctx, decider); err != nil {
			return err
		}
		if len(r.placed) > 0 {
			jobs.Crash(jobs.CrashPlacing)
		}
		if raced || r.more {
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
	for _, t := range r.placed {
		ctx := trace.With(ctx, trace.Subject{Transcode: t.ID, Attempt: int(t.Attempt), Host: t.HostID})
		w.trace.Record(ctx, trace.Place, t.WaitsFrom, *t.PlacedAt)
		w.log.InfoContext(ctx, "transcode placed")
	}
	if len(r.placed) > 0 {
		jobs.Crash(jobs.CrashPlaced)
	}
	if r.full {
		select {
		case <-time.After(fullPause):
		case <-ctx.Done(): // the round stands
		}
	}
	return nil
}

// round is what one round did.
type round struct {
	placed []dbsqlc.TranscodePlaceRow
	// more: there may be more to be placed now; full: no slot is free, or those alone that stay
	// for the urgent, of whom none waits.
	more, full bool
}

// roundOf is how many a round places at the most in a fleet of so many hosts.
func roundOf(hosts int) int { return min(max(roundMost, hosts/hostsPerPlace), roundLarge) }

// round places what fits, roundOf its hosts at the most.
func (w *placeWorker) round(ctx context.Context, decider jobs.Decider) (r round, err error) {
	q, together := dbsqlc.New(), &db.Pipeline{On: decider.Tx}
	if err := q.PlaceLock(ctx, together); err != nil {
		return r, fmt.Errorf("place: %w", err)
	}
	if err := q.HeadHear(ctx, together); err != nil { // also where no slot is free: news are not to pile up
		return r, fmt.Errorf("place: list who waits: %w", err)
	}
	hosts, err := q.HostFree(ctx, together)
	if err != nil {
		return r, fmt.Errorf("place: list hosts: %w", err)
	}
	all, free := slotsOf(hosts)
	if free == 0 {
		return round{full: true}, nil
	}
	most := roundOf(len(hosts))
	reserve := max(all*int64(w.urgentPercent)/percent-hosts[0].UrgentHeld, 0)
	page := dbsqlc.TranscodeQueueParams{
		PageSize: int32(min(max(free, pageLeast), int64(most))), Slots: float64(all), Urgent: reserve > 0 && free <= reserve,
	}
	for i := range hosts {
		if hosts[i].Free > 0 {
			page.Hosts = append(page.Hosts, hosts[i].ID)
		}
	}
	queue, err := q.TranscodeQueue(ctx, decider.Tx, page)
	if err != nil {
		return r, fmt.Errorf("place: read the queue: %w", err)
	}
	turns := newTurns(queue, hosts, int(page.PageSize), reserve, page.Urgent)
	turns.take(most)
	if len(turns.seen) == 0 {
		return round{full: page.Urgent}, nil
	}
	if len(turns.placements) > 0 {
		if r.placed, err = decider.Place(ctx, turns.placements...); err != nil {
			return r, err
		}
	}
	// Behind the placements: it looks at what they leave.
	left := dbsqlc.HeadSettleParams{Clock: turns.clock, Moved: turns.moved}
	for _, l := range turns.seen {
		left.Tenants, left.Turns, left.Served = append(left.Tenants, l.tenant), append(left.Turns, l.turn), append(left.Served, l.served)
	}
	if err := q.HeadSettle(ctx, decider.Tx, left); err != nil {
		return r, fmt.Errorf("place: record whose turn it was: %w", err)
	}
	r.more = turns.more
	return r, nil
}
