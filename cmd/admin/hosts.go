package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// hostList is the JSON of hosts list.
type hostList struct {
	Hosts []hostShown `json:"hosts"`
}

// hostShown is a machine and what it does.
type hostShown struct {
	ID             string    `json:"id"`
	State          string    `json:"state"`
	Alive          bool      `json:"alive"`
	Draining       bool      `json:"draining"`
	Drained        *pause    `json:"drained"`
	Slots          int32     `json:"slots"`
	Used           int64     `json:"used"`
	Storing        int64     `json:"storing"`
	LeaseUntil     time.Time `json:"lease_until"`
	BootID         uuid.UUID `json:"boot_id"`
	BootedAt       time.Time `json:"booted_at"`
	SeenAt         time.Time `json:"seen_at"`
	WeirVersion    string    `json:"weir_version"`
	MistVersion    string    `json:"mist_version"`
	SpoolRoomBytes int64     `json:"spool_room_bytes"`
}

func (a *admin) hosts() *cobra.Command {
	return group("hosts", "Machines and their slots", a.hostsList(), a.hostsDrain(), a.hostsResume())
}

// hostChange is the JSON of hosts drain and hosts resume.
type hostChange struct {
	HostID   string `json:"host_id"`
	Draining bool   `json:"draining"`
}

func (a *admin) hostsDrain() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "drain HOST", Short: "Let a host finish what it runs and take no more", Args: cobra.ExactArgs(1),
		RunE: act(func(ctx context.Context, args []string) error {
			err := a.do(ctx, ch, "hosts drain", args[0], nil, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
				return (&jobs.Hosts{DB: on.DB, River: on.River}).Drain(ctx, args[0], ch.name(a), ch.reason)
			})
			if err != nil {
				return err
			}
			return a.print(hostChange{args[0], true}, func() error {
				return a.saying(ch.dry, "host %s takes no more; `hosts list` shows when it is empty", args[0])
			})
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) hostsResume() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "resume HOST", Short: "Let a drained host take work again", Args: cobra.ExactArgs(1),
		RunE: act(func(ctx context.Context, args []string) error {
			err := a.do(ctx, ch, "hosts resume", args[0], nil, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
				return (&jobs.Hosts{DB: on.DB, River: on.River}).Resume(ctx, args[0])
			})
			if err != nil {
				return err
			}
			return a.print(hostChange{args[0], false}, func() error {
				return a.saying(ch.dry, "host %s takes work again", args[0])
			})
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) hostsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List hosts, their slots and leases", Args: cobra.NoArgs,
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			rows, err := dbsqlc.New().HostList(ctx, a.pool)
			if err != nil {
				return fmt.Errorf("list hosts: %w", err)
			}
			list := hostList{Hosts: []hostShown{}}
			var lines [][]any
			for i := range rows {
				h := &rows[i].Host
				list.Hosts = append(list.Hosts, hostShown{
					ID: h.ID, State: hostState(&rows[i]), Alive: rows[i].Alive, Draining: h.Draining, Drained: pauseOf(h.DrainedAt, h.DrainedBy, h.DrainReason), Slots: h.Slots, Used: rows[i].Used, Storing: rows[i].Storing,
					LeaseUntil: h.LeaseUntil, BootID: h.BootID, BootedAt: h.BootedAt, SeenAt: h.SeenAt,
					WeirVersion: h.WeirVersion, MistVersion: h.MistVersion, SpoolRoomBytes: h.SpoolRoomBytes,
				})
				lines = append(lines, []any{
					h.ID, hostState(&rows[i]), fmt.Sprintf("%d/%d", rows[i].Used, h.Slots), rows[i].Storing, h.SeenAt, h.BootedAt,
					h.WeirVersion, h.MistVersion, h.SpoolRoomBytes, pauseOf(h.DrainedAt, h.DrainedBy, h.DrainReason).String(),
				})
			}
			return a.print(list, func() error {
				return a.table("HOST STATE USED STORING SEEN BOOTED WEIR MIST SPOOL-ROOM DRAINED", lines)
			})
		}),
	}
}

// hostState is one word for a host. One that was stopped is no lost one, however long
// ago: it gave its work time to be taken up again.
func hostState(h *dbsqlc.HostListRow) string {
	switch {
	case !h.Host.Up:
		return "stopped"
	case !h.Alive:
		return "lost"
	case h.Host.Draining:
		return "draining"
	case h.Host.MistSilentFrom != nil:
		return "mist silent"
	}
	return "alive"
}
