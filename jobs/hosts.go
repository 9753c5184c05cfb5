package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
)

// ErrNoHost: no daemon has ever booted under this id.
var ErrNoHost = errors.New("no such host")

const (
	// LeaseLength is how long a host is taken for alive after its last renewal: its
	// transcodes start elsewhere within 30 s of its death, so it is less than that.
	LeaseLength = 20 * time.Second
	// RenewEvery leaves room for two renewals to fail.
	RenewEvery = 5 * time.Second
)

// Hosts are the operators' operations on hosts.
type Hosts struct {
	DB    db.Conn
	River *river.Client[pgx.Tx]
}

// Drain lets a host finish what it runs and take no more, until Resume; over
// restarts too. Draining one that drains says who and why now.
func (hs *Hosts) Drain(ctx context.Context, id, by, reason string) error {
	return hs.set(ctx, dbsqlc.HostDrainParams{ID: id, Draining: true, DrainedBy: by, DrainReason: reason})
}

// Resume lets a host take work again.
func (hs *Hosts) Resume(ctx context.Context, id string) error {
	return hs.set(ctx, dbsqlc.HostDrainParams{ID: id})
}

func (hs *Hosts) set(ctx context.Context, change dbsqlc.HostDrainParams) error {
	err := db.InTx(ctx, hs.DB, func(tx pgx.Tx) error {
		changed, err := dbsqlc.New().HostDrain(ctx, tx, change)
		if err != nil {
			return err
		}
		if changed == 0 {
			return ErrNoHost
		}
		return Decider{tx, hs.River}.WakePlacement(ctx)
	})
	if err != nil {
		return fmt.Errorf("host %s: %w", change.ID, err)
	}
	return nil
}
