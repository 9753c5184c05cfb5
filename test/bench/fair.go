package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/internal/devstack"
	"weir/jobs"
)

const (
	// fairBacklog is what one tenant has waiting before another's requests come, one by one.
	fairBacklog = 10_000
	fairTrials  = 20
	// fairSlots are all of the fleet's.
	fairSlots = 4
	// wideTenants have wideEach waiting; wideSlots take a few rounds.
	wideTenants, wideEach, wideSlots = 1000, 100, 1000
	// fairLook is how often the rows are looked at, wideLook where a look counts a thousand and
	// the rounds' own rows tell how long they took; fairWait bounds the wait for a round.
	fairLook = time.Millisecond
	wideLook = 50 * time.Millisecond
	fairWait = 2 * time.Minute
	// fairLimit bounds all of it, half a minute where nothing else runs.
	fairLimit = 5 * time.Minute
)

// fair measures how placement goes on among tenants, by the daemon's own rounds. A host
// that nobody runs has all slots: what is placed there ends when it is told to.
func (b *bench) fair(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fairLimit, fmt.Errorf("tenants' turns were not measured within %s: the machine is too busy", fairLimit))
	defer cancel()
	pool, err := db.Open(ctx, string(b.stack.Database), 2) //nolint:mnd // one looks, one tells
	if err != nil {
		return err
	}
	defer pool.Close()
	inserter, err := jobs.NewInserter(pool)
	if err != nil {
		return err
	}
	f := &fairness{pool: pool, river: inserter}
	if _, err := b.stack.Admin(ctx, "hosts", "drain", "host-1", "--reason", "the bench has a host of its own"); err != nil {
		return err
	}
	url, err := b.stack.S3.URL(b.stack.Bucket, "bench/none.mp4")
	if err != nil {
		return err
	}
	like, err := b.stack.API.Submit(ctx, &devstack.Request{
		Source: devstack.Location{URL: string(url)}, Output: devstack.Location{URL: string(url)},
		CallbackURL: b.stack.Studio.URL + "bench", Profiles: ladder(),
	})
	if err != nil {
		return err
	}
	if f.like = like.ID; f.like == "" {
		return errors.New("no transcode to make others of")
	}
	if err := f.quietly(ctx, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes)
		VALUES ('bench', gen_random_uuid(), $1, now() + interval '1 hour', 1)`, fairSlots); err != nil {
		return err
	}
	before, took, err := f.behindBacklog(ctx)
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("slots that a tenant with %d waiting got before another's single request", fairBacklog), "", "at most 1", 1, before...)
	b.Add("a slot is free -> that request is placed", "s", "", 0, took...)
	rounds, err := f.wideRounds(ctx)
	if err != nil {
		return err
	}
	b.Add(fmt.Sprintf("a placement round, %d queued over %d tenants", wideTenants*wideEach, wideTenants), "s", "under "+goalRound.String(), goalRound.Seconds(), rounds...)
	return nil
}

type fairness struct {
	pool  *pgxpool.Pool
	river *river.Client[pgx.Tx]
	like  string
}

// quietly executes a statement without a look at invariants: what is here has neither a
// source nor a callback.
func (f *fairness) quietly(ctx context.Context, query string, args ...any) error {
	return db.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return fmt.Errorf("turn the triggers off: %w", err)
		}
		if _, err := tx.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		return nil
	})
}

// queue has each of so many tenants wait with so many transcodes, of which nobody is told.
func (f *fairness) queue(ctx context.Context, name string, tenants, each int) error {
	return f.quietly(ctx, `WITH made AS (
		INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed,
			output_url, output_sealed, callback_url, callback_sealed, attempts_left, statuses_refused_run)
		SELECT gen_random_uuid(), $2 || n % $3::int, form, request, request_digest, source_url, source_sealed,
			output_url, output_sealed, callback_url, callback_sealed, 3, 1
		  FROM weir.transcodes t, generate_series(1, $3::int * $4::int) n WHERE t.id = $1
		RETURNING tenant, weir.turn_of(created_at, priority) AS place, not_before)
		INSERT INTO weir.head_news (tenant, place, urgent, ready_at) -- as the triggers do
		SELECT tenant, min(place), false, min(not_before) FROM made GROUP BY tenant`, f.like, name, tenants, each)
}

// tell has a round come, as the end of a transcode does.
func (f *fairness) tell(ctx context.Context) error {
	return db.InTx(ctx, f.pool, func(tx pgx.Tx) error { return jobs.Decider{Tx: tx, River: f.river}.TellOfRoom(ctx) })
}

// until looks until a query is true.
func (f *fairness) until(ctx context.Context, every time.Duration, query string, args ...any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, fairWait, fmt.Errorf("no round came within %s", fairWait))
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var is bool
		if err := f.pool.QueryRow(ctx, query, args...).Scan(&is); err != nil {
			return fmt.Errorf("look at the rows: %w", errors.Join(err, context.Cause(ctx)))
		}
		if is {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

const (
	slotsFull = `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'placed'`
	endOne    = `UPDATE weir.transcodes SET state = 'cancelled', finished_at = now()
		WHERE id = (SELECT id FROM weir.transcodes WHERE state = 'placed' ORDER BY placed_at, id LIMIT 1)`
)

// behindBacklog is how many slots the tenant with the backlog got before each single request
// of another, and how long the request waited once a slot was free.
func (f *fairness) behindBacklog(ctx context.Context) (before, took []float64, err error) {
	if err := f.queue(ctx, "big-", 1, fairBacklog); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(f.tell(ctx), f.until(ctx, fairLook, slotsFull, fairSlots)); err != nil {
		return nil, nil, err
	}
	for range fairTrials {
		if err := f.queue(ctx, "small-", 1, 1); err != nil {
			return nil, nil, err
		}
		var others float64
		for began := time.Now(); ; others++ {
			if err := errors.Join(f.quietly(ctx, endOne), f.tell(ctx), f.until(ctx, fairLook, slotsFull, fairSlots)); err != nil {
				return nil, nil, err
			}
			var waits bool
			if err := f.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM weir.transcodes WHERE tenant = 'small-0' AND state = 'queued')`).Scan(&waits); err != nil {
				return nil, nil, fmt.Errorf("look at the rows: %w", err)
			}
			if !waits {
				took = append(took, time.Since(began).Seconds())
				break
			}
		}
		before = append(before, others)
	}
	return before, took, nil
}

// wideRounds is how long rounds take over a long queue of many tenants, as River has it.
func (f *fairness) wideRounds(ctx context.Context) ([]float64, error) {
	if err := errors.Join(
		f.queue(ctx, "tenant-", wideTenants, wideEach),
		f.quietly(ctx, "ANALYZE weir.transcodes"),
		f.quietly(ctx, "DELETE FROM weir.river_job WHERE kind = 'place' AND state = 'completed'"),
		f.quietly(ctx, "UPDATE weir.hosts SET slots = $1 WHERE id = 'bench'", wideSlots),
		f.tell(ctx), f.until(ctx, wideLook, slotsFull, wideSlots),
	); err != nil {
		return nil, err
	}
	rows, err := f.pool.Query(ctx, `SELECT EXTRACT(epoch FROM finalized_at - attempted_at)::float8 FROM weir.river_job
		WHERE kind = 'place' AND state = 'completed' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read the rounds: %w", err)
	}
	rounds, err := pgx.CollectRows(rows, pgx.RowTo[float64])
	if err != nil {
		return nil, fmt.Errorf("read the rounds: %w", err)
	}
	if len(rounds) == 0 {
		return nil, errors.New("no round was seen")
	}
	return rounds, nil
}
