package control

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// reapEvery and leaseLength make the 30 s from a host's death to the new start:
// at the worst 20 s of lease, 2 s to here, 2 s of pause before the next attempt.
const reapEvery = 2 * time.Second

// Run takes transcodes from dead hosts and finds callbacks that no job delivers, until
// ctx ends.
func (c *Control) Run(ctx context.Context, client *river.Client[pgx.Tx]) error {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	patience := newPatience(time.Now())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.round(ctx, client, patience)
		if err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "control round not finished", "error", err)
		}
	}
}

func (c *Control) round(ctx context.Context, client *river.Client[pgx.Tx], patience *patience) error {
	ctx, cancel := context.WithTimeout(ctx, placeTimeout)
	defer cancel()
	dead, err := dbsqlc.New().HostListDead(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list dead hosts: %w", err)
	}
	if patience.hosts(time.Now()) {
		for _, host := range dead {
			if err := c.reap(ctx, client, host); err != nil {
				return err
			}
		}
	}
	if _, err := dbsqlc.New().RiverJobAhead(ctx, c.DB); err != nil {
		return fmt.Errorf("date jobs by the database's clock: %w", err)
	}
	return c.repairCallbacks(ctx, client)
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
	for _, id := range held {
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
	}
	return nil
}

// repairCallbacks inserts the job of a pending callback that has none: River
// discards a job that met too many errors, and keeps none for ever.
func (c *Control) repairCallbacks(ctx context.Context, client *river.Client[pgx.Tx]) error {
	lost, err := dbsqlc.New().RiverJobLostCallbacks(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list callbacks without a job: %w", err)
	}
	for _, id := range lost {
		c.Log.WarnContext(ctx, "callback had no job", "callback", id)
		if err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
			return jobs.Decider{Tx: tx, River: client}.InsertCallback(ctx, jobs.CallbackArgs{CallbackID: id})
		}); err != nil {
			return fmt.Errorf("repair callback %s: %w", id, err)
		}
	}
	return nil
}
