package main

import (
	"context"
	"errors"
	"time"
)

const (
	// postgresAway is how long a killed Postgres is away: a service manager's restart.
	postgresAway = 3 * time.Second
	// failover is a pause as of a failover: longer than a lease.
	failover = 30 * time.Second
	// hiccup is a pause that leases outlive.
	hiccup = 6 * time.Second
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

// storing waits until a file is being stored.
func (r *round) storing(ctx context.Context) error {
	return until(ctx, "a file to store", func(ctx context.Context) (bool, error) {
		found, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.renditions
			WHERE transcode_id = ANY(SELECT id FROM weir.transcodes WHERE external_id LIKE $1 || '-%') AND state = 'pushed'`, r.key)
		return err == nil && found[0].N > 0, err
	})
}
