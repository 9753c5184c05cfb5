package thousand

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// restartFor is the stream under which Postgres is restarted, restartAfter into it, when as many
// begin as end; it is long enough that some begin behind the restart too.
const (
	restartFor   = 30 * time.Second
	restartAfter = 5 * time.Second
)

// restart is how soon all goes on behind a restart of Postgres, under a stream.
func (f *fleet) restart(ctx context.Context, alive int) error {
	group, groupCtx := errgroup.WithContext(ctx)
	rate := max(f.carried/2, 1) //nolint:mnd // what waited is to be caught up with
	group.Go(func() error { return f.stream(groupCtx, "restart/", rate, restartFor) })
	err := func() error {
		if err := pauseFor(ctx, restartAfter); err != nil {
			return err
		}
		if err := f.postgres.Close(); err != nil {
			return err
		}
		if err := f.postgres.Restart(ctx); err != nil {
			return err
		}
		back := time.Now()
		if _, err := f.until(ctx, `SELECT count(*) > 0 FROM weir.transcodes WHERE finished_at > pg_postmaster_start_time()`); err != nil {
			return err
		}
		f.Add(fmt.Sprintf("Postgres is restarted under %d a second: the first transcode ends again", rate), "s", "", 0, time.Since(back).Seconds())
		if _, err := f.until(ctx, `SELECT count(*) = $1 FROM weir.hosts WHERE seen_at > pg_postmaster_start_time()`, alive); err != nil {
			return err
		}
		f.Add("  all hosts have renewed their lease", "s", "", 0, time.Since(back).Seconds())
		return nil
	}()
	if err := errors.Join(err, group.Wait()); err != nil {
		return err
	}
	last := time.Now()
	if _, err := f.until(ctx, allTold); err != nil {
		return err
	}
	f.Add("  the last request -> all have ended and are called back", "s", "", 0, time.Since(last).Seconds())
	var again, lost float64
	if err := f.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE attempt > 1)::float8 FROM weir.transcodes WHERE source_url LIKE '%restart/'`).Scan(&again); err != nil {
		return fmt.Errorf("count attempts: %w", err)
	}
	f.Add("  transcodes that were begun again", "", "", 0, again)
	if err := f.pool.QueryRow(ctx, `SELECT $1 - count(*) FROM weir.transcodes t JOIN weir.callbacks c ON c.transcode_id = t.id
		WHERE t.state = 'succeeded' AND c.state = 'delivered'`, float64(int(f.asked.Load())-f.calledOff)).Scan(&lost); err != nil {
		return fmt.Errorf("count what has ended: %w", err)
	}
	f.Add("of all that was accepted: lost, or failed", "", "none", 0, lost).WholeOnly()
	return nil
}
