package main

import (
	"context"

	"github.com/spf13/cobra"

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

// queueAct does something to the queue, and shows what became of it.
func (a *admin) queueAct(do func(context.Context, *tenants.Tenants) error) func(*cobra.Command, []string) error {
	return act(func(ctx context.Context, _ []string) error {
		ts, err := a.openTenants(ctx)
		if err != nil {
			return err
		}
		if err := do(ctx, ts); err != nil {
			return err
		}
		p, err := ts.Queue(ctx)
		if err != nil {
			return err
		}
		list, err := ts.List(ctx)
		if err != nil {
			return err
		}
		status := queueStatus{Paused: pauseOf(p.PausedAt, p.PausedBy, p.PauseReason)}
		for i := range list {
			status.Queued += list[i].Queued
			status.Running += list[i].Running
			if list[i].Queued > 0 {
				status.Tenants++
			}
		}
		return a.print(status, func() error {
			if status.Paused != nil {
				if err := say(a.out, "paused since %s by %s", cell(status.Paused.At), printable(status.Paused.String())); err != nil {
					return err
				}
			}
			return say(a.out, "%d wait, of %d tenants; %d hold a slot", status.Queued, status.Tenants, status.Running)
		})
	})
}

func (a *admin) queueStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say what waits, and whether it is paused", Args: cobra.NoArgs,
		RunE: a.queueAct(func(context.Context, *tenants.Tenants) error { return nil }),
	}
}

func (a *admin) queuePause() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "pause", Short: "Place nothing at all; what runs goes on", Args: cobra.NoArgs,
		RunE: a.queueAct(func(ctx context.Context, ts *tenants.Tenants) error { return ts.PauseQueue(ctx, a.who(), reason) }),
	}
	return reasoned(c, &reason)
}

func (a *admin) queueResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "Place again", Args: cobra.NoArgs,
		RunE: a.queueAct(func(ctx context.Context, ts *tenants.Tenants) error { return ts.ResumeQueue(ctx) }),
	}
}
