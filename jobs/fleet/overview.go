package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// countMost ends every count: beyond it a number says no more.
const countMost = 10_001

// Overview is what goes on at one moment.
type Overview struct {
	At time.Time `json:"at"`
	// Leads are the daemons that lead and live.
	Leads int64 `json:"leads"`
	// Paused says why nothing at all is placed.
	Paused    *Paused    `json:"paused"`
	Hosts     []Host     `json:"hosts"`
	Tenants   []Tenant   `json:"tenants"`
	Running   []Held     `json:"running"`
	Failures  []Failures `json:"failures"`
	Callbacks Callbacks  `json:"callbacks"`
}

// Paused is who paused the queue of all, when and why.
type Paused struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

// Host is a host's slots.
type Host struct {
	ID             string `json:"id"`
	State          string `json:"state"`
	Slots          int32  `json:"slots"`
	Used           int64  `json:"used"`
	Storing        int64  `json:"storing"`
	SpoolRoomBytes int64  `json:"spool_room_bytes"`
}

// Tenant is what of a tenant waits and runs.
type Tenant struct {
	Name string `json:"name"`
	// Queued is counted to 10,001; WaitsSeconds is how long that waits which is next.
	Queued       int64   `json:"queued"`
	WaitsSeconds float64 `json:"waits_seconds"`
	Running      int64   `json:"running"`
	Storing      int64   `json:"storing"`
	Paused       bool    `json:"paused"`
}

// Failures are those of the last hour with one code.
type Failures struct {
	Code   string    `json:"code"`
	Failed int64     `json:"failed"`
	Newest time.Time `json:"newest"`
}

// Callbacks are the terminal callbacks that are still to be told.
type Callbacks struct {
	// Pending is counted to 10,001; Tried of them did not get through the first time.
	Pending       int64   `json:"pending"`
	Tried         int64   `json:"tried"`
	OldestSeconds float64 `json:"oldest_seconds"`
}

// Look reads what goes on, all of it as it was at one moment. Of what runs the next to end
// comes first.
func Look(ctx context.Context, on db.Beginner) (*Overview, error) {
	o := &Overview{Hosts: []Host{}, Tenants: []Tenant{}, Running: []Held{}, Failures: []Failures{}}
	err := db.Snapshot(ctx, on, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx) error{o.leads, o.hosts, o.tenants, o.running, o.failures} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the fleet: %w", err)
	}
	return o, nil
}

func (o *Overview) leads(ctx context.Context, tx pgx.Tx) error {
	leads, err := dbsqlc.New().LeadLook(ctx, tx)
	if err != nil {
		return fmt.Errorf("read who leads: %w", err)
	}
	o.At, o.Leads = leads.Now, leads.Alive
	all, err := dbsqlc.New().PlacementGet(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the queue's pause: %w", err)
	}
	if all.PausedAt != nil && all.PausedBy != nil && all.PauseReason != nil {
		o.Paused = &Paused{*all.PausedAt, *all.PausedBy, *all.PauseReason}
	}
	return nil
}

func (o *Overview) hosts(ctx context.Context, tx pgx.Tx) error {
	rows, err := dbsqlc.New().HostList(ctx, tx)
	if err != nil {
		return fmt.Errorf("list hosts: %w", err)
	}
	for i := range rows {
		h := &rows[i]
		o.Hosts = append(o.Hosts, Host{
			ID: h.Host.ID, State: HostState(h), Slots: h.Host.Slots, Used: h.Used, Storing: h.Storing, SpoolRoomBytes: h.Host.SpoolRoomBytes,
		})
	}
	return nil
}

func (o *Overview) tenants(ctx context.Context, tx pgx.Tx) error {
	rows, err := dbsqlc.New().TenantList(ctx, tx, dbsqlc.TenantListParams{PageSize: countMost})
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	for i := range rows {
		t := &rows[i]
		o.Tenants = append(o.Tenants, Tenant{
			Name: t.Name, Queued: t.Queued, WaitsSeconds: t.WaitsSeconds, Running: t.Running, Storing: t.Storing, Paused: t.PausedAt != nil,
		})
	}
	slices.SortStableFunc(o.Tenants, func(a, b Tenant) int { return cmp.Compare(b.WaitsSeconds, a.WaitsSeconds) })
	return nil
}

func (o *Overview) running(ctx context.Context, tx pgx.Tx) error {
	rows, err := dbsqlc.New().TranscodeListOnHosts(ctx, tx)
	if err != nil {
		return fmt.Errorf("list what runs: %w", err)
	}
	for i := range rows {
		r := &rows[i]
		o.Running = append(o.Running, held(&dbsqlc.Transcode{
			ID: r.ID, Tenant: r.Tenant, ExternalID: r.ExternalID, HostID: r.HostID, State: r.State, Attempt: r.Attempt, Ratio: r.Ratio,
			Progress: r.Progress, SourceDurationMs: r.SourceDurationMs,
		}, r.Stage, false, o.At))
	}
	slices.SortFunc(o.Running, func(a, b Held) int {
		return cmp.Or(cmp.Compare(eta(&a), eta(&b)), cmp.Compare(b.Ratio, a.Ratio), slices.Compare(a.ID[:], b.ID[:]))
	})
	return nil
}

// eta orders those of which nobody can say last.
func eta(h *Held) float64 {
	if h.ETASeconds == nil {
		return time.Duration(1 << 62).Seconds()
	}
	return *h.ETASeconds
}

func (o *Overview) failures(ctx context.Context, tx pgx.Tx) error {
	q := dbsqlc.New()
	failed, err := q.TranscodeFailedLately(ctx, tx)
	if err != nil {
		return fmt.Errorf("count failures: %w", err)
	}
	for _, f := range failed {
		o.Failures = append(o.Failures, Failures(f))
	}
	backlog, err := q.CallbackBacklog(ctx, tx, countMost)
	if err != nil {
		return fmt.Errorf("count callbacks: %w", err)
	}
	o.Callbacks = Callbacks{Pending: backlog.Pending, Tried: backlog.Tried, OldestSeconds: backlog.OldestSeconds}
	return nil
}
