package thousand

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const goalBurst = 2 * time.Second

// bursts are how soon as many are placed as there are hosts, once they may be. The last ones
// stay; those before are called off.
func (f *fleet) bursts(ctx context.Context, n int) error {
	var placed, accepted, taken []float64
	for round := range rounds {
		if round > 0 {
			if err := f.callOff(ctx, n); err != nil {
				return err
			}
		}
		b, err := f.burst(ctx, n)
		if err != nil {
			return err
		}
		placed, accepted, taken = append(placed, b.placed.Seconds()), append(accepted, b.accepted.Seconds()), append(taken, b.taken.Seconds())
	}
	f.Add(fmt.Sprintf("a burst of %d that wait: all are placed", n), "s", "under "+goalBurst.String(), goalBurst.Seconds(), placed...)
	f.Add("  they were accepted within", "s", "", 0, accepted...)
	f.Add("  all are taken up by their hosts", "s", "", 0, taken...)
	return f.statements(ctx, placed[rounds-1])
}

// burst is how long one took to be accepted, to be placed, and to be taken up.
type burst struct{ accepted, placed, taken time.Duration }

func (f *fleet) burst(ctx context.Context, n int) (b burst, err error) {
	q := dbsqlc.New()
	if err := q.PlacementPause(ctx, f.pool, dbsqlc.PlacementPauseParams{PausedBy: "bench", PauseReason: "a burst comes"}); err != nil {
		return b, fmt.Errorf("pause: %w", err)
	}
	began := time.Now()
	if err := f.acceptMany(ctx, heldSource, n); err != nil {
		return b, err
	}
	b.accepted = time.Since(began)
	// As autovacuum does within the first minute: until then plans are for empty tables.
	if _, err := f.pool.Exec(ctx, "ANALYZE"); err != nil {
		return b, fmt.Errorf("analyze: %w", err)
	}
	if err := f.countAnew(ctx); err != nil {
		return b, err
	}
	began = time.Now()
	if err := db.InTx(ctx, f.pool, func(tx pgx.Tx) error {
		if _, err := q.PlacementResume(ctx, tx); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: f.transcodes.River}.WakePlacement(ctx)
	}); err != nil {
		return b, fmt.Errorf("resume: %w", err)
	}
	if b.placed, err = f.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`); err != nil {
		return b, err
	}
	_, err = f.until(ctx, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, n)
	b.taken = time.Since(began)
	return b, err
}

// callOff cancels all that run, and returns when nothing of them is left.
func (f *fleet) callOff(ctx context.Context, n int) error {
	rows, err := f.pool.Query(ctx, `SELECT id FROM weir.transcodes WHERE state = 'running'`)
	if err != nil {
		return fmt.Errorf("list what runs: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("list what runs: %w", err)
	}
	group, cancelling := errgroup.WithContext(ctx)
	group.SetLimit(askers)
	for _, id := range ids {
		group.Go(func() error {
			_, err := f.transcodes.Cancel(cancelling, "", id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	f.calledOff += n
	_, err = f.until(ctx, allEnded)
	return err
}
