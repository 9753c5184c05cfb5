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

// headsEvery: rows that somebody wrote past the triggers, as a restore of some of them does,
// are noticed so soon. It looks at the first of each queue, 20 ms for a thousand tenants.
const headsEvery = 5 * time.Minute

// repairHeads lists tenants that wait and that no round knows of, and takes those from the
// list of whom nothing waits.
func (c *Control) repairHeads(ctx context.Context, client *river.Client[pgx.Tx]) error {
	q, found := dbsqlc.New(), int64(0)
	err := db.InTx(ctx, c.DB, func(tx pgx.Tx) (err error) {
		if found, err = q.HeadFind(ctx, tx); err != nil || found == 0 {
			return err
		}
		return jobs.Decider{Tx: tx, River: client}.WakePlacement(ctx)
	})
	if err != nil {
		return fmt.Errorf("look for tenants that are not listed: %w", err)
	}
	if found > 0 {
		c.Log.WarnContext(ctx, "tenants waited that no placement round knew of, and are listed", "found", found)
	}
	err = db.InTx(ctx, c.DB, func(tx pgx.Tx) error {
		if err := q.PlaceLock(ctx, tx); err != nil {
			return err
		}
		return q.HeadDrop(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("look for tenants that are listed and have nothing: %w", err)
	}
	return nil
}
