package main

import (
	"context"

	"github.com/spf13/cobra"

	"weir/jobs"
	"weir/jobs/tenants"
)

// queueStatus is the JSON of the commands of queue.
type queueStatus struct {
	Paused  *pause `json:"paused"`
	Queued  int64  `json:"queued"`
	Running int64  `json:"running"`
	Tenants int    `json:"tenants"`
}

func (a *admin) queue() *cobra.Command {
	return group("queue", "What waits for a slot, of all tenants", a.queueStatus(), a.queuePause(), a.queueResume())
}

// showQueue says what waits.
func (a *admin) showQueue(ctx context.Context, ts *tenants.Tenants) (status queueStatus, err error) {
	p, err := ts.Queue(ctx)
	if err != nil {
		return status, err
	}
	list, err := ts.List(ctx)
	if err != nil {
		return status, err
	}
	status.Paused = pauseOf(p.PausedAt, p.PausedBy, p.PauseReason)
	for i := range list {
		status.Queued += list[i].Queued
		status.Running += list[i].Running
		if list[i].Queued > 0 {
			status.Tenants++
		}
	}
	return status, nil
}

func (a *admin) printQueue(status *queueStatus, dry bool) error {
	return a.print(status, func() error {
		if status.Paused != nil {
			if err := a.saying(dry, "paused since %s by %s", cell(status.Paused.At), printable(status.Paused.String())); err != nil {
				return err
			}
		}
		return a.saying(dry, "%d wait, of %d tenants; %d hold a slot", status.Queued, status.Tenants, status.Running)
	})
}

func (a *admin) queueStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say what waits, and whether it is paused", Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error {
			ts, err := a.openTenants(ctx)
			if err != nil {
				return err
			}
			status, err := a.showQueue(ctx, ts)
			if err != nil {
				return err
			}
			return a.printQueue(&status, false)
		}),
	}
}

// queueAct does something to the queue, and shows what became of it.
func (a *admin) queueAct(ch *change, what string, do func(context.Context, *tenants.Tenants) error) func(*cobra.Command, []string) error {
	return act(func(ctx context.Context, _ []string) error {
		var status queueStatus
		err := a.do(ctx, ch, what, "queue", nil, func(on *jobs.Transcodes, _ *jobs.Callbacks) (err error) {
			ts := tenantsOf(on)
			if err := do(ctx, ts); err != nil {
				return err
			}
			status, err = a.showQueue(ctx, ts)
			return err
		})
		if err != nil {
			return err
		}
		return a.printQueue(&status, ch.dry)
	})
}

func (a *admin) queuePause() *cobra.Command {
	ch := &change{needs: true}
	c := &cobra.Command{
		Use: "pause", Short: "Place nothing at all; what runs goes on", Args: asUsed,
		RunE: a.queueAct(ch, "queue pause", func(ctx context.Context, ts *tenants.Tenants) error {
			return ts.PauseQueue(ctx, ch.name(a), ch.reason)
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) queueResume() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "resume", Short: "Place again", Args: asUsed,
		RunE: a.queueAct(ch, "queue resume", func(ctx context.Context, ts *tenants.Tenants) error { return ts.ResumeQueue(ctx) }),
	}
	return a.changing(c, ch)
}
