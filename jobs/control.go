package jobs

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
	"github.com/riverqueue/river/rivertype"

	"weir/db"
	"weir/db/dbsqlc"
)

// reapEvery and leaseLength make the 30 s from a host's death to the new start:
// at the worst 20 s of lease, 2 s to here, 2 s of pause before the next attempt.
const reapEvery = 2 * time.Second

// Control is what a leading daemon does beside its jobs: it takes transcodes from
// dead hosts and finds callbacks that no job delivers. Any number of daemons may do
// it at once; rows decide who gets which.
type Control struct {
	DB    *pgxpool.Pool
	River *river.Client[pgx.Tx]
	Log   *slog.Logger
}

// Run works until ctx ends.
func (c *Control) Run(ctx context.Context) error {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	patience := newPatience(time.Now())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.round(ctx, patience)
		if err != nil && ctx.Err() == nil {
			c.Log.WarnContext(ctx, "control round not finished", "error", err)
		}
	}
}

func (c *Control) round(ctx context.Context, patience *patience) error {
	ctx, cancel := context.WithTimeout(ctx, placeTimeout)
	defer cancel()
	dead, err := dbsqlc.New().HostListDead(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list dead hosts: %w", err)
	}
	if patience.hosts(time.Now()) {
		for _, host := range dead {
			if err := c.reap(ctx, host); err != nil {
				return err
			}
		}
	}
	if _, err := dbsqlc.New().RiverJobAhead(ctx, c.DB); err != nil {
		return fmt.Errorf("date jobs by the database's clock: %w", err)
	}
	return c.repairCallbacks(ctx)
}

// patience holds the reaper back after an outage of Postgres: then every lease has
// ended, and hosts that are well need a moment to renew theirs.
type patience struct{ last, since time.Time }

func newPatience(now time.Time) *patience { return &patience{last: now, since: now.Add(-renewEvery)} }

// hosts says whether Postgres has answered for long enough that a lease that has
// ended means a dead host. It is called once in a round that got an answer.
func (p *patience) hosts(now time.Time) bool {
	if now.Sub(p.last) > renewEvery {
		p.since = now
	}
	p.last = now
	return now.Sub(p.since) >= renewEvery
}

// reap takes all transcodes from a dead host, each in a transaction of its own.
func (c *Control) reap(ctx context.Context, host string) error {
	held, err := dbsqlc.New().TranscodeHeldBy(ctx, c.DB, &host)
	if err != nil {
		return fmt.Errorf("list what %s holds: %w", host, err)
	}
	for _, id := range held {
		if err := c.reapTranscode(ctx, host, id); err != nil {
			return err
		}
	}
	return nil
}

// reapTranscode ends the attempt as lost and its jobs with it, and queues the next
// one. What is ok stays; what lies on the dead host's spool is done again.
func (c *Control) reapTranscode(ctx context.Context, host string, id uuid.UUID) error {
	reaped := false
	err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
		reaped = false
		q := dbsqlc.New()
		t, err := q.TranscodeGetForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.HostID == nil || *t.HostID != host || terminal(t.State) || t.State == StateQueued {
			return nil
		}
		if _, err := q.HostGetDead(ctx, tx, host); errors.Is(err, pgx.ErrNoRows) {
			return nil // it has come back
		} else if err != nil {
			return err
		}
		reaped = true
		if err := endJobs(ctx, tx, c.River, &t, host); err != nil {
			return err
		}
		renditions, err := q.RenditionList(ctx, tx, id)
		if err != nil {
			return err
		}
		if allOK(renditions) {
			// Stores of an attempt before this one came through; its host did not come to say so.
			if _, err := q.TranscodeStart(ctx, tx, dbsqlc.TranscodeStartParams{ID: id, Attempt: t.Attempt}); err != nil {
				return err
			}
			return settle(ctx, tx, c.River, id, t.Attempt)
		}
		stage, err := stageOf(ctx, tx, &t)
		if err != nil {
			return err
		}
		age, err := runAge(ctx, tx, id)
		if err != nil {
			return err
		}
		f := failed(CodeHostLost, stage, "the lease of host "+host+" has ended")
		v := outcome(&t, f, age)
		if v.state == StateFailed {
			if err := q.RenditionFailOpen(ctx, tx, dbsqlc.RenditionFailOpenParams{
				TranscodeID: id, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
			}); err != nil {
				return err
			}
			return fail(ctx, tx, c.River, &t, f)
		}
		if err := endAttempt(ctx, tx, &t, OutcomeLost, f); err != nil {
			return err
		}
		return requeue(ctx, tx, c.River, &t, v)
	})
	if err != nil {
		return fmt.Errorf("take %s from host %s: %w", id, host, err)
	}
	if reaped {
		c.Log.WarnContext(ctx, "transcode taken from a dead host", "transcode", id, "host", host)
	}
	return nil
}

// endJobs ends the jobs of a lost attempt. Those that the dead host was running are
// ended by hand: River would wait for its answer.
func endJobs(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, host string) error {
	renditions, err := dbsqlc.New().RenditionList(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	ids, err := openJobs(ctx, tx, t, renditions)
	if err != nil {
		return err
	}
	for _, id := range ids {
		ended, err := dbsqlc.New().RiverJobFinalize(ctx, tx, dbsqlc.RiverJobFinalizeParams{ID: id, HostID: host})
		if err != nil {
			return fmt.Errorf("end job %d: %w", id, err)
		}
		if ended == 1 {
			continue
		}
		if _, err := client.JobCancelTx(ctx, tx, id); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
			return fmt.Errorf("cancel job %d: %w", id, err)
		}
	}
	return nil
}

// repairCallbacks inserts the job of a pending callback that has none: River
// discards a job that met too many errors, and keeps none for ever.
func (c *Control) repairCallbacks(ctx context.Context) error {
	lost, err := dbsqlc.New().RiverJobLostCallbacks(ctx, c.DB)
	if err != nil {
		return fmt.Errorf("list callbacks without a job: %w", err)
	}
	for _, id := range lost {
		c.Log.WarnContext(ctx, "callback had no job", "callback", id)
		if err := db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
			return insertCallback(ctx, tx, c.River, CallbackArgs{CallbackID: id})
		}); err != nil {
			return fmt.Errorf("repair callback %s: %w", id, err)
		}
	}
	return nil
}
