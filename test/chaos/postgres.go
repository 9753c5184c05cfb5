package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// postgresAway is how long a killed Postgres is away: a service manager's restart.
	postgresAway = 3 * time.Second
	// failover is a pause as of a failover: longer than a lease.
	failover = 30 * time.Second
	// hiccup is a pause that leases outlive.
	hiccup = 6 * time.Second
	// tooManyConnections is Postgres' code for a refusal for want of a free one.
	tooManyConnections = "53300"
)

// postgresFaults take Postgres away from the whole fleet.
func postgresFaults() []*fault {
	paused := func(d time.Duration, within time.Duration, allowed repeats) *fault {
		return &fault{
			name: "Postgres paused for " + d.String(), slow: true, within: within, repeats: allowed,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				if err := r.postgres.Pause(); err != nil {
					return err
				}
				return errors.Join(pause(ctx, d), r.postgres.Resume())
			},
		}
	}
	return []*fault{
		{
			name: "kill -9 Postgres", short: true, slow: true, within: anew, repeats: untold,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				return r.bouncePostgres(ctx, postgresAway)
			},
		},
		{
			name: "kill -9 Postgres while files are stored", within: anew, repeats: untold,
			strike: func(ctx context.Context, r *round) error {
				if err := r.storing(ctx); err != nil {
					return err
				}
				return r.bouncePostgres(ctx, postgresAway)
			},
		},
		{
			name: "Postgres down for " + failover.String() + " while files are stored", within: elsewhere, repeats: allMore,
			strike: func(ctx context.Context, r *round) error {
				if err := r.storing(ctx); err != nil {
					return err
				}
				return r.bouncePostgres(ctx, failover)
			},
		},
		{
			name: "Postgres down for " + failover.String(), slow: true, within: elsewhere, repeats: allMore,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				return r.bouncePostgres(ctx, failover)
			},
		},
		{
			name: "Postgres out of connections for " + hiccup.String(), slow: true, within: anew, repeats: untold,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				return r.takeConnections(ctx, hiccup)
			},
		},
		paused(hiccup, anew, untold),
		paused(failover, elsewhere, allMore),
	}
}

func (r *round) bouncePostgres(ctx context.Context, away time.Duration) error {
	if err := r.postgres.Kill(); err != nil {
		return err
	}
	return errors.Join(pause(ctx, away), r.postgres.Restart(ctx))
}

// cutOrdinary ends the sessions of ordinary users, but those of the given processes.
const cutOrdinary = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1 AND pid <> ALL($2::int[])`

// takeConnections takes all connections that Postgres has for ordinary users, those of
// the daemons too, for a while: again and again they are cut off and refused.
func (r *round) takeConnections(ctx context.Context, d time.Duration) (err error) {
	looks, err := r.db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take all connections: %w", err)
	}
	defer looks.Release()
	var taken []*pgx.Conn
	var pids []uint32
	defer func() {
		for _, conn := range taken {
			err = errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
		}
	}()
	takeRest := func() error {
		for {
			conn, err := pgx.Connect(ctx, string(r.Database))
			if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == tooManyConnections {
				return nil
			}
			if err != nil {
				return fmt.Errorf("take all connections: %w", err)
			}
			taken, pids = append(taken, conn), append(pids, conn.PgConn().PID())
		}
	}
	// Those that nobody has first: daemons are to be without for as long as is said.
	if err := takeRest(); err != nil {
		return err
	}
	cut := 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := looks.QueryRow(ctx, cutOrdinary, daemonUser, pids).Scan(&cut); err != nil {
			return fmt.Errorf("cut the daemons' connections: %w", err)
		}
		if err := errors.Join(takeRest(), pause(ctx, lookEvery)); err != nil {
			return err
		}
	}
	if cut > 0 {
		return fmt.Errorf("the daemons still had %d connections when all were to be taken for %s", cut, d)
	}
	return nil
}

// storing waits until a file is being stored.
func (r *round) storing(ctx context.Context) error {
	return until(ctx, "a file to store", func(ctx context.Context) (bool, error) {
		found, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.renditions
			WHERE transcode_id = ANY(SELECT id FROM weir.transcodes WHERE external_id LIKE $1 || '-%') AND state = 'pushed'`, r.key)
		return err == nil && found[0].N > 0, err
	})
}
