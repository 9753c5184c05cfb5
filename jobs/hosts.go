package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
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

// HostInUse is an ErrHostInUse: why a host can't be forgotten.
type HostInUse struct {
	Alive bool
	// Holds are transcodes that it has in hand.
	Holds []uuid.UUID
}

// ErrHostInUse: it is not lost, or holds something. The error is a [HostInUse].
var ErrHostInUse = errors.New("the host can't be forgotten")

func (u *HostInUse) Error() string {
	if u.Alive {
		return ErrHostInUse.Error() + ": its lease runs; drain it, and stop its daemon"
	}
	ids := make([]string, len(u.Holds))
	for i, id := range u.Holds {
		ids[i] = id.String()
	}
	return fmt.Sprintf("%s: it holds %s, which a daemon that leads takes from it within seconds", ErrHostInUse, strings.Join(ids, ", "))
}

// Is makes it an ErrHostInUse.
func (u *HostInUse) Is(target error) bool { return target == ErrHostInUse }

// holdsShown are named of what keeps a host from being forgotten.
const holdsShown = 10

// Forget leaves a host out of all lists and counts that is lost for good and holds nothing,
// and ends the jobs of its queues. uncleaned
// are attempts that it had still to clean up behind, counted to a thousand: they are taken
// for gone with it, so that history can be pruned. A daemon that boots under its id brings
// it back.
func (hs *Hosts) Forget(ctx context.Context, id string) (uncleaned int64, err error) {
	err = db.InTx(ctx, hs.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		host, err := q.HostGetForUpdate(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoHost
		}
		if err != nil {
			return err
		}
		if host.Alive {
			return &HostInUse{Alive: true}
		}
		held, err := q.HostHolds(ctx, tx, dbsqlc.HostHoldsParams{HostID: id, PageSize: holdsShown})
		if err != nil {
			return err
		}
		if len(held) > 0 {
			use := &HostInUse{}
			for i := range held {
				use.Holds = append(use.Holds, held[i].ID)
			}
			return use
		}
		if uncleaned, err = q.HostUncleaned(ctx, tx, dbsqlc.HostUncleanedParams{HostID: id, PageSize: uncleanedMost}); err != nil {
			return err
		}
		if _, err = q.HostForget(ctx, tx, id); err != nil {
			return err
		}
		// Else they would be missed for ever: jobs that nobody fetches, and the last word of who
		// is asked no more.
		if err = q.RiverJobForget(ctx, tx, []string{HostQueue(id), StoreQueue(id)}); err != nil {
			return err
		}
		return q.FindingDropOf(ctx, tx, id)
	})
	if err != nil {
		return 0, fmt.Errorf("forget host %s: %w", id, err)
	}
	return uncleaned, nil
}

// uncleanedMost ends their counting.
const uncleanedMost = 1000
