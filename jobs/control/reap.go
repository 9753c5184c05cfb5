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
)

// reapEvery and leaseLength make the 30 s from a host's death to the new start:
// at the worst 20 s of lease, 2 s to here, 2 s of pause before the next attempt.
const reapEvery = 2 * time.Second

// partTimeout bounds a round of a part; what it did not reach comes with the next one.
// It is above what one lock is waited for (15 s, db.Open).
const partTimeout = 20 * time.Second

// Run takes transcodes from dead hosts and finds callbacks that no job delivers, until
// ctx ends.
func (c *Control) Run(ctx context.Context, client *river.Client[pgx.Tx]) error {
	var running sync.WaitGroup
	for _, part := range c.parts(client, newPatience(time.Now())) {
		running.Go(func() { c.repeat(ctx, part) })
	}
	running.Wait()
	return nil
}

// parts are what is done again and again, each on its own: one that waits holds up no
// other, and is no outage of Postgres in the eyes of the reaper.
func (c *Control) parts(client *river.Client[pgx.Tx], patience *patience) []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error { return c.reapDead(ctx, client, patience) },
		func(ctx context.Context) error { return c.takeBack(ctx, client) },
		c.dateJobs,
		func(ctx context.Context) error { return c.repairCallbacks(ctx, client) },
	}
}

func (c *Control) repeat(ctx context.Context, part func(context.Context) error) {
	tick := time.NewTicker(reapEvery)
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

func (c *Control) reapDead(ctx context.Context, client *river.Client[pgx.Tx], patience *patience) error {
	dead, err := dbsqlc.New().HostListDead(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list dead hosts: %w", err)
	}
	if !patience.hosts(time.Now()) {
		return nil
	}
	return each(ctx, dead, func(ctx context.Context, host string) error { return c.reap(ctx, client, host) })
}

// patience holds the reaper back after an outage of Postgres: then every lease has
// ended, and hosts that are well need a moment to renew theirs.
type patience struct{ last, since time.Time }

func newPatience(now time.Time) *patience {
	return &patience{last: now, since: now.Add(-jobs.RenewEvery)}
}

// hosts says whether Postgres has answered for long enough that a lease that has
// ended means a dead host. It is called once in a round that got an answer.
func (p *patience) hosts(now time.Time) bool {
	if now.Sub(p.last) > jobs.RenewEvery {
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
		taken := false
		err := db.InTx(ctx, c.DB, func(tx pgx.Tx) (err error) {
			taken, err = jobs.Decider{Tx: tx, River: client}.Lose(ctx, id, host)
			return err
		})
		if err != nil {
			return fmt.Errorf("take %s from host %s: %w", id, host, err)
		}
		if taken {
			c.Log.WarnContext(ctx, "transcode taken from a dead host", "transcode", id, "host", host)
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
func (c *Control) repairCallbacks(ctx context.Context, client *river.Client[pgx.Tx]) error {
	lost, err := dbsqlc.New().RiverJobLostCallbacks(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list callbacks without a job: %w", err)
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
