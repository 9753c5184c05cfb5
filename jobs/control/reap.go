package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/bulk"
	"weir/jobs/trace"
)

// reapEvery, jobs.LeaseLength and placePoll make the 30 s from a host's death to the new start:
// at the worst 20 s of lease, 3 s to here, 2 s of pause before the next attempt, which end with
// a whole second, and 2 s to the round that places it.
const reapEvery = 3 * time.Second

const (
	// repairEvery, behind the lease of a daemon that died, is soon beside the minute of silence
	// that Studio takes for lost.
	repairEvery = 15 * time.Second
	// acceptsEvery: only somebody who deletes jobs in River leaves a request without one.
	acceptsEvery = time.Minute
	// bulkEvery: what many wait for by the hand of one who sleeps may wait this much longer.
	bulkEvery = time.Minute
	// resumeEvery is how long a pause in River may hold up everybody's work.
	resumeEvery = 30 * time.Second
	// takeBackEvery is little beside the minutes that a host has.
	takeBackEvery = 30 * time.Second
	// dateEvery: a host whose clock is ahead is rare, and its jobs wait for no longer.
	dateEvery = time.Minute
)

// repairMost is what one round repairs of requests by SQL: somebody may delete the jobs of
// a hundred thousand.
const repairMost = 1000

// partTimeout bounds a round of a part; what it did not reach comes with the next one.
// It is above what one lock is waited for (15 s, db.Open).
const partTimeout = 20 * time.Second

// leadKept is longer than any job is in a dead daemon's hand: River's rescuer needs minutes.
const leadKept = 24 * time.Hour

// Run takes transcodes from dead hosts, finds callbacks that no job delivers, and sends
// statuses, until ctx ends.
func (c *Control) Run(ctx context.Context, client *river.Client[pgx.Tx]) error {
	var running sync.WaitGroup
	running.Go(func() { c.tellStatuses(ctx) })
	running.Go(func() { c.tellEvents(ctx) })
	running.Go(func() {
		c.repeat(ctx, jobs.RenewEvery, func(ctx context.Context) error {
			if c.Turned != nil {
				c.Turned()
			}
			return c.renew(ctx, client)
		})
	})
	for _, part := range c.parts(client, &patience{every: reapEvery}, &patience{every: repairEvery}) {
		running.Go(func() { c.repeat(ctx, part.every, part.do) })
	}
	running.Wait()
	return nil
}

// parts are what is done again and again, each on its own: one that waits holds up no
// other, and is no outage of Postgres in the eyes of the reaper.
func (c *Control) parts(client *river.Client[pgx.Tx], hosts, leads *patience) []part {
	return []part{
		{reapEvery, func(ctx context.Context) error { return c.reapDead(ctx, client, hosts) }},
		{dateEvery, c.dateJobs},
		{repairEvery, func(ctx context.Context) error { return c.repairCallbacks(ctx, client, leads) }},
		{acceptsEvery, func(ctx context.Context) error { return c.repairAccepts(ctx, client) }},
		{placeEvery, func(ctx context.Context) error { return c.repairPlacement(ctx, client) }},
		{headsEvery, func(ctx context.Context) error { return c.repairHeads(ctx, client) }},
		{takeBackEvery, func(ctx context.Context) error { return c.takeBack(ctx, client) }},
		{bulkEvery, (&bulk.Operations{DB: c.DB, River: client}).Repair},
		{resumeEvery, func(ctx context.Context) error { return c.resumeQueues(ctx, client) }},
	}
}

type part struct {
	every time.Duration
	do    func(context.Context) error
}

func (c *Control) repeat(ctx context.Context, every time.Duration, part func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, partTimeout)
		err := part(limited)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "control round not finished", "error", err)
		}
	}
}

// each does f with all of list, whatever became of the ones before, until ctx ends:
// what can't be done now holds up nothing but itself.
func each[T any](ctx context.Context, list []T, f func(context.Context, T) error) error {
	var errs []error
	for _, one := range list {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		errs = append(errs, f(ctx, one))
	}
	return errors.Join(errs...)
}

// dateJobs lets jobs run that a host with a clock ahead of the database's has put off.
func (c *Control) dateJobs(ctx context.Context) error {
	if _, err := dbsqlc.New().RiverJobAhead(ctx, c.DB); err != nil {
		return fmt.Errorf("date jobs by the database's clock: %w", err)
	}
	return nil
}

// resumeQueues ends pauses of River's queues, which anybody may make there: nothing would
// tell that what is accepted waits for ever. Hosts are drained, not paused.
func (c *Control) resumeQueues(ctx context.Context, client *river.Client[pgx.Tx]) error {
	paused, err := dbsqlc.New().RiverQueuePaused(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list paused queues: %w", err)
	}
	return each(ctx, paused, func(ctx context.Context, queue string) error {
		c.Log.WarnContext(ctx, "queue was paused in River, and goes on", "queue", queue)
		if err := client.QueueResume(ctx, queue, nil); err != nil {
			return fmt.Errorf("resume queue %s: %w", queue, err)
		}
		return nil
	})
}

// renew tells that this daemon lives, and so does what it has in hand.
func (c *Control) renew(ctx context.Context, client *river.Client[pgx.Tx]) error {
	if err := dbsqlc.New().LeadRenew(ctx, c.DB, dbsqlc.LeadRenewParams{
		ClientID: client.ID(), LeaseSeconds: jobs.LeaseLength.Seconds(), KeptSeconds: leadKept.Seconds(), UrgentPercent: int16(c.UrgentPercent),
	}); err != nil {
		return fmt.Errorf("renew the lead of %s: %w", client.ID(), err)
	}
	return nil
}

func (c *Control) reapDead(ctx context.Context, client *river.Client[pgx.Tx], patience *patience) error {
	dead, err := dbsqlc.New().HostListDead(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list dead hosts: %w", err)
	}
	if !patience.over(time.Now()) {
		return nil
	}
	err = each(ctx, dead, func(ctx context.Context, host string) error { return c.reap(ctx, client, host) })
	if err == nil {
		patience.last = time.Now() // a long round is no outage
	}
	return err
}

// patience holds the reaper back until Postgres has been seen well for a while: behind
// an outage every lease has ended, and daemons that are well need a moment to renew
// theirs. A daemon that has just started can't tell whether it starts into one.
type patience struct {
	every       time.Duration // between two rounds
	last, since time.Time
}

// over says whether Postgres has answered for long enough that a lease that has
// ended means a dead daemon. It is called once in a round that got an answer.
func (p *patience) over(now time.Time) bool {
	if now.Sub(p.last) > p.every+jobs.RenewEvery {
		p.since = now
	}
	p.last = now
	return now.Sub(p.since) >= jobs.RenewEvery
}

// reap takes all transcodes from a dead host, each in a transaction of its own.
func (c *Control) reap(ctx context.Context, client *river.Client[pgx.Tx], host string) error {
	held, err := dbsqlc.New().TranscodeHeldBy(ctx, c.DB, &host)
	if err != nil {
		return fmt.Errorf("list what %s holds: %w", host, err)
	}
	return each(ctx, held, func(ctx context.Context, id uuid.UUID) error {
		ctx = trace.With(ctx, trace.Subject{Transcode: id, Host: host})
		taken := false
		err := db.InTx(ctx, c.DB, func(tx pgx.Tx) (err error) {
			taken, err = jobs.Decider{Tx: tx, River: client}.Lose(ctx, id, host)
			return err
		})
		if err != nil {
			return fmt.Errorf("take %s from host %s: %w", id, host, err)
		}
		if taken {
			c.Log.WarnContext(ctx, "transcode taken from a dead host")
		}
		return nil
	})
}

// takeBack takes transcodes from hosts that are alive and do not begin them.
func (c *Control) takeBack(ctx context.Context, client *river.Client[pgx.Tx]) error {
	late, err := dbsqlc.New().TranscodeListNotTakenUp(ctx, c.DB, jobs.TakeUpPatience.Seconds())
	if err != nil {
		return fmt.Errorf("list what no host began: %w", err)
	}
	return each(ctx, late, func(ctx context.Context, id uuid.UUID) error {
		taken := false
		err := db.InTx(ctx, c.DB, func(tx pgx.Tx) (err error) {
			taken, err = jobs.Decider{Tx: tx, River: client}.TakeBack(ctx, id)
			return err
		})
		if err != nil {
			return fmt.Errorf("take %s back: %w", id, err)
		}
		if taken {
			c.Log.WarnContext(ctx, "transcode taken from a host that did not begin it", "transcode", id)
		}
		return nil
	})
}

// repairCallbacks inserts the job of a pending callback that has none: River
// discards a job that met too many errors, and keeps none for ever.
func (c *Control) repairCallbacks(ctx context.Context, client *river.Client[pgx.Tx], patience *patience) error {
	lost, err := dbsqlc.New().RiverJobLostCallbacks(ctx, c.DB, callbackTimeout.Seconds())
	if err != nil {
		return fmt.Errorf("list callbacks without a job: %w", err)
	}
	if !patience.over(time.Now()) {
		return nil
	}
	return each(ctx, lost, func(ctx context.Context, id uuid.UUID) error {
		c.Log.WarnContext(ctx, "callback had no job", "callback", id)
		if err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
			return jobs.Decider{Tx: tx, River: client}.InsertCallback(ctx, jobs.CallbackArgs{CallbackID: id})
		}); err != nil {
			return fmt.Errorf("repair callback %s: %w", id, err)
		}
		return nil
	})
}

// repairPlacement has a round come where somebody waits for one, and none is to come.
func (c *Control) repairPlacement(ctx context.Context, client *river.Client[pgx.Tx]) error {
	err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error { return jobs.Decider{Tx: tx, River: client}.TellOfRoom(ctx) })
	if err != nil {
		return fmt.Errorf("repair the placement: %w", err)
	}
	return nil
}

// repairAccepts inserts the job of a request that waits in the inbox and has none.
func (c *Control) repairAccepts(ctx context.Context, client *river.Client[pgx.Tx]) error {
	lost, err := dbsqlc.New().RiverJobLostAccepts(ctx, c.DB, dbsqlc.RiverJobLostAcceptsParams{
		AcceptSeconds: acceptTimeout.Seconds(), PageSize: repairMost,
	})
	if err != nil {
		return fmt.Errorf("list requests without a job: %w", err)
	}
	return each(ctx, lost, func(ctx context.Context, id uuid.UUID) error {
		c.Log.WarnContext(ctx, "request had no job", "transcode", id)
		if err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
			return jobs.Decider{Tx: tx, River: client}.InsertAccept(ctx, jobs.AcceptArgs{ID: id})
		}); err != nil {
			return fmt.Errorf("repair request %s: %w", id, err)
		}
		return nil
	})
}
