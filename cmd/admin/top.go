package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/jobs/fleet"
)

// topMost of what runs fit a screen.
const topMost = 20

func (a *admin) top() *cobra.Command {
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use: "top", Short: "Watch the fleet: slots, queues, what runs, failures, callbacks", Args: asUsed,
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			if once {
				o, err := fleet.Look(ctx, a.pool)
				if err != nil {
					return err
				}
				return a.print(o, func() error { return a.topForPeople(o, 0) })
			}
			return a.topLive(ctx, every)
		}),
	}
	c.Flags().BoolVar(&once, "once", false, "look once, and show all that runs")
	return lookingEvery(c, &every)
}

func (a *admin) topLive(ctx context.Context, every time.Duration) error {
	drawn := terminal(a.out)
	err := repeat(ctx, every, func(ctx context.Context) (bool, error) {
		o, err := fleet.Look(ctx, a.pool)
		if err != nil {
			return false, err
		}
		if a.json {
			return false, a.printLine(o)
		}
		if drawn {
			if _, err := fmt.Fprint(a.out, clearScreen); err != nil {
				return false, err
			}
		}
		return false, a.topForPeople(o, topMost)
	})
	return unlessStopped(ctx, err)
}

// topForPeople shows most of what runs; 0: all.
func (a *admin) topForPeople(o *fleet.Overview, most int) error {
	var slots, used, queued int64
	for i := range o.Hosts {
		slots += int64(o.Hosts[i].Slots)
		used += o.Hosts[i].Used
	}
	for i := range o.Tenants {
		queued += o.Tenants[i].Queued
	}
	callbacks := "none pending"
	if o.Callbacks.Pending > 0 {
		callbacks = fmt.Sprintf("%d pending, %d of them tried before, the oldest for %s", o.Callbacks.Pending, o.Callbacks.Tried, whole(o.Callbacks.OldestSeconds))
	}
	if err := say(a.out, "%s  %d of %d slots used, %d wait, %s; callbacks: %s", cell(o.At), used, slots, queued, leading(o.Leads), callbacks); err != nil {
		return err
	}
	if o.Paused != nil {
		if err := say(a.out, "the queue is paused since %s by %s: %s", cell(o.Paused.At), printable(o.Paused.By), printable(o.Paused.Reason)); err != nil {
			return err
		}
	}
	running := o.Running
	if most > 0 && len(running) > most {
		running = running[:most]
	}
	for _, part := range []struct {
		heading string
		lines   [][]any
	}{
		{"HOST STATE USED STORING SPOOL-ROOM", hostTopLines(o.Hosts)},
		{"TENANT QUEUED WAITS RUNNING STORING PAUSED", tenantTopLines(o.Tenants)},
		{"RUNNING TENANT HOST STATE STAGE DONE SPEED LEFT", heldLines(running)},
		{"FAILED-IN-AN-HOUR COUNT NEWEST", failureTopLines(o.Failures)},
	} {
		if len(part.lines) == 0 {
			continue
		}
		if err := say(a.out, ""); err != nil {
			return err
		}
		if err := a.table(part.heading, part.lines); err != nil {
			return err
		}
	}
	if more := len(o.Running) - len(running); more > 0 {
		return say(a.out, "and %d more run: --once shows all", more)
	}
	return nil
}

func whole(seconds float64) string {
	return (time.Duration(seconds) * time.Second).String()
}

func hostTopLines(hosts []fleet.Host) (lines [][]any) {
	for i := range hosts {
		h := &hosts[i]
		lines = append(lines, []any{h.ID, h.State, fmt.Sprintf("%d/%d", h.Used, h.Slots), h.Storing, bytesOf(h.SpoolRoomBytes)})
	}
	return lines
}

func tenantTopLines(tenants []fleet.Tenant) (lines [][]any) {
	for i := range tenants {
		t := &tenants[i]
		lines = append(lines, []any{t.Name, t.Queued, whole(t.WaitsSeconds), t.Running, t.Storing, t.Paused})
	}
	return lines
}

func heldLines(held []fleet.Held) (lines [][]any) {
	for i := range held {
		h := &held[i]
		speed, left := "", ""
		if h.Speed != nil {
			speed = fmt.Sprintf("%.1fx", *h.Speed)
		}
		if h.ETASeconds != nil {
			left = whole(*h.ETASeconds)
		}
		lines = append(lines, []any{h.ID, h.Tenant, h.Host, h.State, h.Stage, percent(h.Ratio), speed, left})
	}
	return lines
}

func failureTopLines(failures []fleet.Failures) (lines [][]any) {
	for i := range failures {
		f := &failures[i]
		lines = append(lines, []any{f.Code, f.Failed, f.Newest})
	}
	return lines
}

// leading is how many daemons lead, in words.
func leading(n int64) string {
	if n == 1 {
		return "1 daemon leads"
	}
	return fmt.Sprintf("%d daemons lead", n)
}
