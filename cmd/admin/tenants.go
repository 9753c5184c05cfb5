package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/tenants"
)

// tenantList is the JSON of tenants list.
type tenantList struct {
	Tenants []tenantShown `json:"tenants"`
}

// tenantShown is a tenant: what it may have, and what it has.
type tenantShown struct {
	Name         string   `json:"name"`
	Weight       int32    `json:"weight"`
	RunningMost  *int32   `json:"running_most"`
	QueuedMost   int32    `json:"queued_most"`
	SpoolPercent int32    `json:"spool_percent"`
	Hosts        []string `json:"hosts"`
	Paused       *pause   `json:"paused"`
	Running      int64    `json:"running"`
	Storing      int64    `json:"storing"`
	Queued       int64    `json:"queued"`
	WaitsSeconds float64  `json:"waits_seconds"`
}

// pause is who paused something, when and why.
type pause struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

func pauseOf(at *time.Time, by, reason *string) *pause {
	if at == nil || by == nil || reason == nil {
		return nil
	}
	return &pause{*at, *by, *reason}
}

func (p *pause) String() string {
	if p == nil {
		return ""
	}
	return p.By + ": " + p.Reason
}

func (a *admin) tenants() *cobra.Command {
	return group("tenants", "What each tenant may have of the fleet",
		a.tenantsList(), a.tenantsShow(), a.tenantsSet(), a.tenantsPause(), a.tenantsResume(), a.stores(), a.tenantSecrets())
}

func (a *admin) openTenants(ctx context.Context) (*tenants.Tenants, error) {
	transcodes, _, err := a.openJobs(ctx)
	if err != nil {
		return nil, err
	}
	return tenantsOf(transcodes), nil
}

// tenantsOf are the operations on tenants where those on transcodes are done.
func tenantsOf(transcodes *jobs.Transcodes) *tenants.Tenants {
	return &tenants.Tenants{DB: transcodes.DB, Wake: func(ctx context.Context, tx pgx.Tx) error {
		return jobs.Decider{Tx: tx, River: transcodes.River}.WakePlacement(ctx)
	}}
}

func showTenant(row *dbsqlc.TenantListRow) tenantShown {
	shown := tenantShown{
		Name: row.Name, Weight: row.Weight, RunningMost: row.RunningMost, QueuedMost: tenants.DefaultQueuedMost, SpoolPercent: tenants.DefaultSpoolPercent,
		Hosts: row.Hosts, Paused: pauseOf(row.PausedAt, row.PausedBy, row.PauseReason),
		Running: row.Running, Storing: row.Storing, Queued: row.Queued, WaitsSeconds: row.WaitsSeconds,
	}
	if row.QueuedMost != nil {
		shown.QueuedMost = *row.QueuedMost
	}
	if row.SpoolPercent != nil {
		shown.SpoolPercent = *row.SpoolPercent
	}
	return shown
}

func (a *admin) printTenants(v any, shown ...tenantShown) error {
	return a.print(v, func() error {
		var lines [][]any
		for i := range shown {
			t := &shown[i]
			lines = append(lines, []any{
				t.Name, t.Weight, t.Running, t.RunningMost, t.Queued, t.QueuedMost, time.Duration(t.WaitsSeconds) * time.Second, t.Storing,
				fmt.Sprintf("%d%%", t.SpoolPercent), strings.Join(t.Hosts, ","), t.Paused.String(),
			})
		}
		return a.table("TENANT WEIGHT RUNNING MOST QUEUED MOST WAITS STORING SPOOL HOSTS PAUSED", lines)
	})
}

func (a *admin) tenantsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tenants that have settings, a slot, or something that waits", Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error {
			ts, err := a.openTenants(ctx)
			if err != nil {
				return err
			}
			rows, err := ts.List(ctx)
			if err != nil {
				return err
			}
			list := tenantList{Tenants: []tenantShown{}}
			for i := range rows {
				list.Tenants = append(list.Tenants, showTenant(&rows[i]))
			}
			return a.printTenants(list, list.Tenants...)
		}),
	}
}

func (a *admin) tenantsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show TENANT", Short: "Show what a tenant may have, and what it has", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			ts, err := a.openTenants(ctx)
			if err != nil {
				return err
			}
			row, err := ts.Get(ctx, args[0])
			if err != nil {
				return err
			}
			shown := showTenant(&row)
			return a.printTenants(shown, shown)
		}),
	}
}

// tenantAct does something to a tenant, and shows what became of it.
func (a *admin) tenantAct(ch *change, what string, detail func() any, do func(ctx context.Context, ts *tenants.Tenants, name string) error) func(*cobra.Command, []string) error {
	return act(func(ctx context.Context, args []string) error {
		var shown tenantShown
		err := a.do(ctx, ch, what, args[0], detail(), func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
			ts := tenantsOf(on)
			if err := do(ctx, ts, args[0]); err != nil {
				return err
			}
			row, err := ts.Get(ctx, args[0])
			shown = showTenant(&row)
			return err
		})
		if err != nil {
			return err
		}
		if ch.dry && !a.json {
			if err := a.saying(true, "so it would be"); err != nil {
				return err
			}
		}
		return a.printTenants(shown, shown)
	})
}

// percentMost is all of a spool.
const percentMost = 100

// nothing more is to be written down of a change.
func nothing() any { return nil }

func (a *admin) tenantsSet() *cobra.Command {
	var weight, running, queued, spool int32
	var hosts []string
	ch, change := &change{}, &tenants.Change{}
	c := &cobra.Command{Use: "set TENANT", Short: "Set what a tenant may have", Args: asUsed}
	flags := c.Flags()
	flags.Int32Var(&weight, "weight", 1, fmt.Sprintf("turns for each one of a tenant of weight 1, up to %d", tenants.MaxWeight))
	flags.Int32Var(&running, "running-most", 0, "slots at once; 0: as many as its turns bring")
	flags.Int32Var(&queued, "queued-most", 0, fmt.Sprintf("transcodes that may wait; 0: %d", tenants.DefaultQueuedMost))
	flags.Int32Var(&spool, "spool-percent", 0, fmt.Sprintf("of a host's spool, for files that wait for their storage; 0: %d", tenants.DefaultSpoolPercent))
	flags.StringSliceVar(&hosts, "hosts", nil, "the only hosts that its transcodes may run on, by commas; '': all")
	c.PreRunE = func(*cobra.Command, []string) error {
		if flags.NFlag() == 0 || !anyChanged(c, "weight", "running-most", "queued-most", "spool-percent", "hosts") {
			return errors.New("nothing to set: give --weight, --running-most, --queued-most, --spool-percent or --hosts")
		}
		for _, number := range []struct {
			flag           string
			n, least, most int32
		}{
			{"weight", weight, 1, tenants.MaxWeight}, {"running-most", running, 0, math.MaxInt32}, {"queued-most", queued, 0, math.MaxInt32},
			{"spool-percent", spool, 0, percentMost},
		} {
			if err := within(number.flag, number.n, number.least, number.most); err != nil {
				return err
			}
		}
		return nil
	}
	set := func() any {
		for flag, number := range map[string]struct {
			to   **int32
			from *int32
		}{
			"weight": {&change.Weight, &weight}, "running-most": {&change.RunningMost, &running},
			"queued-most": {&change.QueuedMost, &queued}, "spool-percent": {&change.SpoolPercent, &spool},
		} {
			if flags.Changed(flag) {
				*number.to = number.from
			}
		}
		if flags.Changed("hosts") {
			change.Hosts = &hosts
		}
		return change
	}
	c.RunE = a.tenantAct(ch, "tenants set", set, func(ctx context.Context, ts *tenants.Tenants, name string) error {
		return ts.Set(ctx, name, change)
	})
	return a.changing(c, ch)
}

func anyChanged(c *cobra.Command, names ...string) bool {
	for _, name := range names {
		if c.Flags().Changed(name) {
			return true
		}
	}
	return false
}

func (a *admin) tenantsPause() *cobra.Command {
	ch := &change{needs: true}
	c := &cobra.Command{
		Use: "pause TENANT", Short: "Place nothing of a tenant; what runs goes on", Args: asUsed,
		RunE: a.tenantAct(ch, "tenants pause", nothing, func(ctx context.Context, ts *tenants.Tenants, name string) error {
			return ts.Pause(ctx, name, ch.name(a), ch.reason)
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) tenantsResume() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "resume TENANT", Short: "Let a paused tenant take turns again", Args: asUsed,
		RunE: a.tenantAct(ch, "tenants resume", nothing, func(ctx context.Context, ts *tenants.Tenants, name string) error { return ts.Resume(ctx, name) }),
	}
	return a.changing(c, ch)
}

// who gives the order: the person behind sudo, where there is one.
func (a *admin) who() string {
	return cmp.Or(a.variable("SUDO_USER"), a.variable("USER"), a.variable("LOGNAME"), "somebody")
}
