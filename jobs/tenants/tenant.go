package tenants

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// The limits of a tenant's row, and what one without a row has.
const (
	MaxWeight = 1000
	// DefaultQueuedMost ends what runs away, and nothing else: a day's work of a large fleet.
	DefaultQueuedMost = 100_000
	// DefaultSpoolPercent of a host's spool may be held by files that wait for their storage.
	DefaultSpoolPercent = 50
	maxPercent          = 100
	// countMost bounds what a list counts of one queue.
	countMost = 100_001
)

// What the operations answer with; test by errors.Is.
var (
	ErrName      = errors.New("a tenant's name has 1 to 64 letters, digits, '.', '-', '_'")
	ErrNotPaused = errors.New("it is not paused")
)

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// Tenants are the operators' operations on tenants, and on the queue of all.
type Tenants struct {
	DB db.Conn
	// Wake has a placement round come that sees what the transaction commits.
	Wake func(context.Context, pgx.Tx) error
}

// Change is what Set is to change; nil fields stay as they are. Of the pointers to numbers
// but Weight, and of Hosts, what is empty goes back to the default.
type Change struct {
	Weight       *int32    `json:"weight,omitempty"`
	RunningMost  *int32    `json:"running_most,omitempty"`
	QueuedMost   *int32    `json:"queued_most,omitempty"`
	SpoolPercent *int32    `json:"spool_percent,omitempty"`
	Hosts        *[]string `json:"hosts,omitempty"`
}

// List are the tenants that have a row, or hold a slot, or wait for one.
func (ts *Tenants) List(ctx context.Context) ([]dbsqlc.TenantListRow, error) {
	list, err := dbsqlc.New().TenantList(ctx, ts.DB, dbsqlc.TenantListParams{PageSize: countMost})
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	return list, nil
}

// Get is one of List; one that nobody knows has the defaults.
func (ts *Tenants) Get(ctx context.Context, name string) (dbsqlc.TenantListRow, error) {
	if !namePattern.MatchString(name) {
		return dbsqlc.TenantListRow{}, fmt.Errorf("tenant %q: %w", name, ErrName)
	}
	list, err := dbsqlc.New().TenantList(ctx, ts.DB, dbsqlc.TenantListParams{PageSize: countMost, Tenant: &name})
	if err != nil {
		return dbsqlc.TenantListRow{}, fmt.Errorf("read tenant %s: %w", name, err)
	}
	if len(list) == 0 {
		return dbsqlc.TenantListRow{Name: name, Weight: 1}, nil
	}
	return list[0], nil
}

// Set changes a tenant's row, and makes it where there is none.
func (ts *Tenants) Set(ctx context.Context, name string, c *Change) error {
	return ts.change(ctx, name, func(tx pgx.Tx, row *dbsqlc.Tenant) error {
		set := dbsqlc.TenantSetParams{
			Name: name, Weight: row.Weight, RunningMost: row.RunningMost, QueuedMost: row.QueuedMost,
			SpoolPercent: row.SpoolPercent, Hosts: row.Hosts,
		}
		if c.Weight != nil {
			set.Weight = *c.Weight
		}
		for _, number := range []struct{ to, from **int32 }{
			{&set.RunningMost, &c.RunningMost}, {&set.QueuedMost, &c.QueuedMost}, {&set.SpoolPercent, &c.SpoolPercent},
		} {
			if *number.from != nil {
				*number.to = *number.from
				if **number.from == 0 {
					*number.to = nil
				}
			}
		}
		if c.Hosts != nil {
			set.Hosts = nil
			if len(*c.Hosts) > 0 {
				set.Hosts = *c.Hosts
			}
		}
		if err := check(&set); err != nil {
			return err
		}
		return dbsqlc.New().TenantSet(ctx, tx, set)
	})
}

func check(set *dbsqlc.TenantSetParams) error {
	switch {
	case set.Weight < 1 || set.Weight > MaxWeight:
		return fmt.Errorf("the weight is %d: give 1 to %d", set.Weight, MaxWeight)
	case set.RunningMost != nil && *set.RunningMost < 0, set.QueuedMost != nil && *set.QueuedMost < 0:
		return errors.New("how many may run, or wait, is no number below 0; 0 is the default")
	case set.SpoolPercent != nil && (*set.SpoolPercent < 0 || *set.SpoolPercent > maxPercent):
		return fmt.Errorf("the share of the spool is %d percent: give 1 to %d, or 0 for the default", *set.SpoolPercent, maxPercent)
	}
	return nil
}

// Pause has nothing of a tenant placed until Resume; what runs goes on, and what comes is
// accepted. Pausing one that is paused says who and why now.
func (ts *Tenants) Pause(ctx context.Context, name, by, reason string) error {
	return ts.change(ctx, name, func(tx pgx.Tx, _ *dbsqlc.Tenant) error {
		return dbsqlc.New().TenantPause(ctx, tx, dbsqlc.TenantPauseParams{Name: name, PausedBy: by, PauseReason: reason})
	})
}

// Resume has a tenant take turns again; ErrNotPaused where it does.
func (ts *Tenants) Resume(ctx context.Context, name string) error {
	return ts.change(ctx, name, func(tx pgx.Tx, _ *dbsqlc.Tenant) error {
		return paused(dbsqlc.New().TenantResume(ctx, tx, name))
	})
}

func paused(changed int64, err error) error {
	if err == nil && changed == 0 {
		return ErrNotPaused
	}
	return err
}

// change calls f with a tenant's row, locked, and has it seen by the next round.
func (ts *Tenants) change(ctx context.Context, name string, f func(pgx.Tx, *dbsqlc.Tenant) error) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("tenant %q: %w", name, ErrName)
	}
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if err := q.TenantMake(ctx, tx, name); err != nil {
			return err
		}
		row, err := q.TenantGetForUpdate(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := f(tx, &row); err != nil {
			return err
		}
		return ts.Wake(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant %s: %w", name, err)
	}
	return nil
}

// Queue says whether placement is paused, by whom and why.
func (ts *Tenants) Queue(ctx context.Context) (dbsqlc.Placement, error) {
	p, err := dbsqlc.New().PlacementGet(ctx, ts.DB)
	if err != nil {
		return p, fmt.Errorf("read the placement: %w", err)
	}
	return p, nil
}

// PauseQueue has nothing placed at all until ResumeQueue; what runs goes on.
func (ts *Tenants) PauseQueue(ctx context.Context, by, reason string) error {
	if err := dbsqlc.New().PlacementPause(ctx, ts.DB, dbsqlc.PlacementPauseParams{PausedBy: by, PauseReason: reason}); err != nil {
		return fmt.Errorf("pause the queue: %w", err)
	}
	return nil
}

// ResumeQueue ends PauseQueue; ErrNotPaused where it is not paused.
func (ts *Tenants) ResumeQueue(ctx context.Context) error {
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		if err := paused(dbsqlc.New().PlacementResume(ctx, tx)); err != nil {
			return err
		}
		return ts.Wake(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("resume the queue: %w", err)
	}
	return nil
}

// SpoolPercent is how much of a host's spool a tenant's files may hold that wait for their
// storage.
func SpoolPercent(ctx context.Context, on dbsqlc.DBTX, name string) (int64, error) {
	row, err := dbsqlc.New().TenantGet(ctx, on, name)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("read tenant %s: %w", name, err)
	}
	if row.SpoolPercent != nil {
		return int64(*row.SpoolPercent), nil
	}
	return DefaultSpoolPercent, nil
}
