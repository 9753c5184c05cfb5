package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/fleet"
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
	return group("hosts", "Machines and their slots", a.hostsList(), a.hostsShow(), a.hostsDrain(), a.hostsResume(), a.hostsForget())
}

// hostChange is the JSON of hosts drain and hosts resume.
type hostChange struct {
	HostID   string `json:"host_id"`
	Draining bool   `json:"draining"`
}

func (a *admin) hostsDrain() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "drain HOST", Short: "Let a host finish what it runs and take no more", Args: asUsed,
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
		Use: "resume HOST", Short: "Let a drained host take work again", Args: asUsed,
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
		Use: "list", Short: "List hosts, their slots and leases", Args: asUsed,
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
				list.Hosts = append(list.Hosts, showHost(&rows[i]))
				lines = append(lines, []any{
					h.ID, fleet.HostState(&rows[i]), fmt.Sprintf("%d/%d", rows[i].Used, h.Slots), rows[i].Storing, h.SeenAt, h.BootedAt,
					h.WeirVersion, h.MistVersion, bytesOf(h.SpoolRoomBytes), pauseOf(h.DrainedAt, h.DrainedBy, h.DrainReason).String(),
				})
			}
			return a.print(list, func() error {
				return a.table("HOST STATE USED STORING SEEN BOOTED WEIR MIST SPOOL-ROOM DRAINED", lines)
			})
		}),
	}
}

func showHost(row *dbsqlc.HostListRow) hostShown {
	h := &row.Host
	return hostShown{
		ID: h.ID, State: fleet.HostState(row), Alive: row.Alive, Draining: h.Draining, Drained: pauseOf(h.DrainedAt, h.DrainedBy, h.DrainReason),
		Slots: h.Slots, Used: row.Used, Storing: row.Storing, LeaseUntil: h.LeaseUntil, BootID: h.BootID, BootedAt: h.BootedAt, SeenAt: h.SeenAt,
		WeirVersion: h.WeirVersion, MistVersion: h.MistVersion, SpoolRoomBytes: h.SpoolRoomBytes,
	}
}

// hostDetail is the JSON of hosts show.
type hostDetail struct {
	hostShown

	MistSilentFrom *time.Time   `json:"mist_silent_from"`
	Uncleaned      int64        `json:"uncleaned"`
	Held           []fleet.Held `json:"held"`
}

func (a *admin) hostsShow() *cobra.Command {
	return &cobra.Command{
		Use: "show HOST", Short: "Show a host and what it has in hand", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			holding, err := fleet.Holds(ctx, a.pool, args[0])
			if err != nil {
				return err
			}
			shown := hostDetail{hostShown: showHost(&holding.Row), MistSilentFrom: holding.Row.Host.MistSilentFrom, Uncleaned: holding.Uncleaned, Held: holding.Held}
			return a.print(shown, func() error {
				if err := a.table("HOST", [][]any{
					{"id", shown.ID}, {"state", shown.State}, {"slots", fmt.Sprintf("%d of %d used", shown.Used, shown.Slots)}, {"storing", shown.Storing},
					{"lease until", shown.LeaseUntil}, {"seen", shown.SeenAt}, {"booted", shown.BootedAt}, {"drained", shown.Drained.String()},
					{"Mist silent from", shown.MistSilentFrom}, {"weir", shown.WeirVersion}, {"mist", shown.MistVersion},
					{"spool room", bytesOf(shown.SpoolRoomBytes)}, {"to clean up behind", shown.Uncleaned},
				}); err != nil || len(shown.Held) == 0 {
					return err
				}
				if err := say(a.out, ""); err != nil {
					return err
				}
				return a.table("HAS TENANT HOST STATE STAGE DONE SPEED LEFT", heldLines(shown.Held))
			})
		}),
	}
}

// hostForgotten is the JSON of hosts forget.
type hostForgotten struct {
	HostID    string `json:"host_id"`
	Uncleaned int64  `json:"uncleaned"`
	DryRun    bool   `json:"dry_run"`
}

func (a *admin) hostsForget() *cobra.Command {
	ch := &change{needs: true}
	return a.changing(&cobra.Command{
		Use: "forget HOST", Short: "Leave a host out that is lost for good and holds nothing", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			done := hostForgotten{HostID: args[0], DryRun: ch.dry}
			if err := a.do(ctx, ch, "hosts forget", args[0], nil, func(on *jobs.Transcodes, _ *jobs.Callbacks) (err error) {
				done.Uncleaned, err = (&jobs.Hosts{DB: on.DB, River: on.River}).Forget(ctx, args[0])
				return err
			}); err != nil {
				return err
			}
			return a.print(done, func() error {
				return a.saying(ch.dry, "host %s is forgotten, with %d attempts that it had not cleaned up behind; a daemon that boots under its id brings it back",
					done.HostID, done.Uncleaned)
			})
		}),
	}, ch)
}
