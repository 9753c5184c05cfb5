package main

import (
	"context"
	"fmt"
	"time"

	"weir/internal/devstack"
)

// progress shows a running transcode.
type progress interface {
	show(t *devstack.Transcode)
	done()
}

// follow shows progress until the transcode has ended, and fails when it has
// not succeeded.
func (d *demo) follow(ctx context.Context) error {
	ctx, cancel := context.WithDeadlineCause(ctx, d.deadline, fmt.Errorf("the demo's own limit of %s is over", time.Until(d.deadline).Round(time.Second)))
	defer cancel()
	shown := newProgress(ctx, d.out, d.transcode)
	d.okAt = map[string]time.Time{}
	t, err := d.stack.API.Await(ctx, d.transcode.ID, func(t *devstack.Transcode) bool {
		for _, r := range t.Renditions {
			if _, seen := d.okAt[r.Name]; r.State == "ok" && !seen {
				d.okAt[r.Name] = time.Now()
			}
		}
		shown.show(t)
		return t.Terminal()
	})
	shown.done()
	if err != nil {
		return err
	}
	d.transcode = t
	if t.State == "succeeded" {
		return nil
	}
	if t.Error == nil {
		return fmt.Errorf("transcode %s %s without an error", t.ID, t.State)
	}
	return fmt.Errorf("transcode %s %s at stage %s: %s (code %s, blame %s, retriable %t)",
		t.ID, t.State, t.Error.Stage, t.Error.Message, t.Error.Code, t.Error.Blame, t.Error.Retriable)
}
