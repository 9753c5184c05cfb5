package thousand

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const goalBurst = 2 * time.Second

// burst is how soon as many are placed as there are hosts, once they may be. They stay.
func (f *fleet) burst(ctx context.Context, n int) error {
	q := dbsqlc.New()
	if err := q.PlacementPause(ctx, f.pool, dbsqlc.PlacementPauseParams{PausedBy: "bench", PauseReason: "a burst comes"}); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	began := time.Now()
	if err := f.acceptMany(ctx, heldSource, n); err != nil {
		return err
	}
	accepted := time.Since(began)
	// As autovacuum does within the first minute: until then plans are for empty tables.
	if _, err := f.pool.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	if err := f.countAnew(ctx); err != nil {
		return err
	}
	began = time.Now()
	if err := db.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		if _, err := q.PlacementResume(ctx, tx); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: f.transcodes.River}.WakePlacement(ctx)
	}); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	took, err := f.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`)
	if err != nil {
		return err
	}
	f.Add(fmt.Sprintf("a burst of %d that wait: all are placed", n), "s", "under "+goalBurst.String(), goalBurst.Seconds(), took.Seconds())
	f.Add("  they were accepted within", "s", "", 0, accepted.Seconds())
	if err := f.statements(ctx, took.Seconds()); err != nil {
		return err
	}
	if _, err = f.until(ctx, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, n); err != nil {
		return err
	}
	f.Add("  all are taken up by their hosts", "s", "", 0, time.Since(began).Seconds())
	return nil
}
