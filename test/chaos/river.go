package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/jobs"
)

// riverFaults are what anybody may do to the rows of River, by its UI or by hand, while
// transcodes run. None of it costs them anything.
func riverFaults() []*fault {
	to := func(name string, short bool, does func(context.Context, *river.Client[pgx.Tx], int64) error) *fault {
		return &fault{
			name: name, short: short, slow: true, within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				return r.toJobs(ctx, does)
			},
		}
	}
	return []*fault{
		to("jobs of running transcodes cancelled in River", true, func(ctx context.Context, client *river.Client[pgx.Tx], id int64) error {
			_, err := client.JobCancel(ctx, id)
			return err
		}),
		to("jobs of running transcodes cancelled in River, and retried there", false, func(ctx context.Context, client *river.Client[pgx.Tx], id int64) error {
			if _, err := client.JobCancel(ctx, id); err != nil {
				return err
			}
			_, err := client.JobRetry(ctx, id)
			return err
		}),
		{
			name: "jobs of running transcodes deleted", slow: true, within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.running(ctx); err != nil {
					return err
				}
				if _, err := r.db.Exec(ctx, "DELETE FROM weir.river_job WHERE kind = 'transcode'"); err != nil {
					return fmt.Errorf("delete jobs: %w", err)
				}
				return nil
			},
		},
	}
}

// toJobs does something to the job of each running transcode.
func (r *round) toJobs(ctx context.Context, does func(context.Context, *river.Client[pgx.Tx], int64) error) error {
	client, err := jobs.NewInserter(r.db)
	if err != nil {
		return err
	}
	found, err := rows[struct{ ID int64 }](ctx, r.suite, "SELECT id FROM weir.river_job WHERE kind = 'transcode' AND state = 'running'")
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("no job runs")
	}
	for _, job := range found {
		if err := does(ctx, client, job.ID); err != nil {
			return fmt.Errorf("job %d: %w", job.ID, err)
		}
	}
	return nil
}
