package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/devstack"
)

const (
	naiveClip = 20 * time.Second
	// naiveWait is how long recovery is waited for: asynq needs up to 170 s where its worker died
	// (a lease of 30 s and as much for clocks that differ, looked at once a minute; a pause of up
	// to 45 s before it is tried again; a look each 5 s; the work). River's default for such a
	// job is an hour, and nobody waits that long here.
	naiveWait = 3 * time.Minute
	// naiveDown is how long the receiver refuses callbacks.
	naiveDown = 5 * time.Second
	// naiveHeld is how long a callback's answer is held back: the kill comes within.
	naiveHeld = 30 * time.Second
	// naiveLimit bounds all of it, a quarter of an hour where nothing else runs.
	naiveLimit = 40 * time.Minute
)

// naiveProfile is the one rendition that both make.
func naiveProfile() devstack.Profile { return ladder()[0] }

// A contender takes transcodes and may be killed.
type contender interface {
	name() string
	// accept takes one, and gives the name that its callbacks have.
	accept(ctx context.Context) (id string, err error)
	// working returns when it is at work on one.
	working(ctx context.Context, id string) error
	// kill is kill -9 of the worker, restart starts it again.
	kill() error
	restart(ctx context.Context) error
	// runs is how often the work was begun.
	runs(ctx context.Context, id string) (times int, err error)
	// server is what its queue stands on, by name.
	server() (name string, it server)
}

// A server keeps what was accepted.
type server interface {
	// Kill is kill -9, Restart starts it again on the same data.
	Kill() error
	Restart(ctx context.Context) error
}

// naive has the same faults strike at Weir and at workers of River and asynq with their defaults.
func (b *bench) naive(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, naiveLimit, fmt.Errorf("faults and recoveries took longer than %s", naiveLimit))
	defer cancel()
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	clip := filepath.Join(dir, "clip.mp4")
	if err := devstack.MakeClip(ctx, clip, devstack.Clip{Duration: naiveClip}); err != nil {
		return err
	}
	source, err := b.stack.Upload(ctx, clip, "bench/clip.mp4")
	if err != nil {
		return err
	}
	onRiver, err := b.newRiver(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, onRiver.close()) }()
	onAsynq, err := b.newAsynq(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, onAsynq.close()) }()
	db, err := pgxpool.New(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("open the stack's database: %w", err)
	}
	defer db.Close()
	for _, c := range []contender{&daemonContender{b, db, string(source)}, onRiver, onAsynq} {
		if err := b.faults(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
	}
	return nil
}

// faults are those of one contender.
func (b *bench) faults(ctx context.Context, c contender) error {
	// Killed at work.
	id, err := c.accept(ctx)
	if err != nil {
		return err
	}
	if err := c.working(ctx, id); err != nil {
		return err
	}
	began := time.Now()
	if err := errors.Join(c.kill(), c.restart(ctx)); err != nil {
		return err
	}
	told, err := b.toldWithin(ctx, id, began, 1)
	if err != nil {
		return err
	}
	b.tellRecovery(c.name(), "kill -9 at work, restarted at once", began, told)
	// The receiver refuses for a moment.
	b.stack.Studio.SetMode(devstack.Mode{Status: http.StatusServiceUnavailable})
	if id, err = c.accept(ctx); err != nil {
		return err
	}
	if _, err := b.stack.Studio.WaitTerminal(ctx, id); err != nil {
		return err
	}
	select {
	case <-time.After(naiveDown):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	b.stack.Studio.SetMode(devstack.Mode{})
	back := time.Now()
	if told, err = b.toldWithin(ctx, id, back, 1); err != nil {
		return err
	}
	runs, err := c.runs(ctx, id)
	if err != nil {
		return err
	}
	b.tellRecovery(c.name(), fmt.Sprintf("the receiver refuses for %s: it is back", naiveDown), back, told)
	b.Add("  so often was the transcode made", "", "", 0, float64(runs))
	if err := b.killTold(ctx, c); err != nil {
		return err
	}
	return b.killServer(ctx, c)
}

// killTold kills a worker between a callback and its answer.
func (b *bench) killTold(ctx context.Context, c contender) error {
	id, err := c.accept(ctx)
	if err != nil {
		return err
	}
	b.stack.Studio.SetMode(devstack.Mode{Delay: naiveHeld})
	defer b.stack.Studio.SetMode(devstack.Mode{})
	if _, err := b.stack.Studio.WaitTerminal(ctx, id); err != nil {
		return err
	}
	began := time.Now()
	err = c.kill()
	b.stack.Studio.SetMode(devstack.Mode{})
	if err := errors.Join(err, c.restart(ctx)); err != nil {
		return err
	}
	told, err := b.toldWithin(ctx, id, began, 2) //nolint:mnd // the one before the kill, and its repetition
	if err != nil {
		return err
	}
	b.tellRecovery(c.name(), "kill -9 between a callback and its answer: told again", began, told)
	events := map[string]int{}
	for _, callback := range b.stack.Studio.Callbacks(id) {
		if callback.Terminal() {
			events[callback.EventID]++
		}
	}
	b.Add("  as so many events", "", "", 0, float64(len(events)))
	runs, err := c.runs(ctx, id)
	if err != nil {
		return err
	}
	b.Add("  so often was the transcode made", "", "", 0, float64(runs))
	return nil
}

// killServer kills the queue's own server right behind an acceptance, with all slots taken: what
// was accepted last is nowhere but there.
func (b *bench) killServer(ctx context.Context, c contender) error {
	accepted, err := take(ctx, c, naiveSlots)
	if err != nil {
		return err
	}
	for _, id := range accepted {
		if err := c.working(ctx, id); err != nil {
			return err
		}
	}
	waiting, err := take(ctx, c, naiveSlots)
	if err != nil {
		return err
	}
	accepted = append(accepted, waiting...)
	name, server := c.server()
	began := time.Now()
	if err := errors.Join(server.Kill(), server.Restart(ctx)); err != nil {
		return err
	}
	var last time.Time
	lost := 0
	for _, id := range accepted {
		told, err := b.toldWithin(ctx, id, began, 1)
		if err != nil {
			return err
		}
		if told.IsZero() {
			lost++
		}
		if told.After(last) {
			last = told
		}
	}
	if lost > 0 {
		last = time.Time{}
	}
	b.tellRecovery(c.name(), fmt.Sprintf("kill -9 of %s behind the last of %d acceptances, restarted at once: all told", name, len(accepted)), began, last)
	b.Add("  accepted, and not told", "", "", 0, float64(lost))
	return nil
}

// take has a contender accept so many.
func take(ctx context.Context, c contender, many int) (accepted []string, err error) {
	for range many {
		id, err := c.accept(ctx)
		if err != nil {
			return nil, err
		}
		accepted = append(accepted, id)
	}
	return accepted, nil
}

// tellRecovery tells how long it took, or that it was not waited for longer.
func (b *bench) tellRecovery(who, what string, began, told time.Time) {
	if told.IsZero() {
		b.Add(who+", "+what+": NOT within", "s", "", 0, naiveWait.Seconds())
		return
	}
	b.Add(who+", "+what, "s", "", 0, told.Sub(began).Seconds())
}

// toldWithin is when so many terminal callbacks of one transcode had come, the last of them
// with success, and accepted; zero: not within naiveWait.
func (b *bench) toldWithin(ctx context.Context, id string, began time.Time, times int) (at time.Time, err error) {
	ctx, cancel := context.WithDeadline(ctx, began.Add(naiveWait))
	defer cancel()
	err = await(ctx, func() (bool, error) {
		terminal := 0
		for _, c := range b.stack.Studio.Callbacks(id) {
			if !c.Terminal() {
				continue
			}
			if c.Status != "success" {
				return false, fmt.Errorf("%s ended with %s: %s", id, c.Status, c.Error)
			}
			if terminal++; terminal >= times && c.Accepted() {
				at = c.At
				return true, nil
			}
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && time.Since(began) >= naiveWait {
		return time.Time{}, nil
	}
	return at, err
}

// daemonContender is the stack's daemon.
type daemonContender struct {
	b      *bench
	db     *pgxpool.Pool
	source string
}

func (*daemonContender) name() string { return "Weir" }

func (d *daemonContender) accept(ctx context.Context) (string, error) {
	t, err := d.b.small(ctx, d.source, naiveProfile())
	if err != nil {
		return "", err
	}
	return t.ID, nil
}

func (d *daemonContender) working(ctx context.Context, id string) error {
	_, err := d.b.stack.API.Await(ctx, id, func(t *devstack.Transcode) bool { return t.Ratio > 0 })
	return err
}

func (d *daemonContender) server() (string, server) { return "Postgres", d.b.stack.Postgres }

func (d *daemonContender) kill() error { return d.b.stack.Daemons[0].Kill() }

func (d *daemonContender) restart(ctx context.Context) error {
	return d.b.stack.Daemons[0].Restart(ctx)
}

func (d *daemonContender) runs(ctx context.Context, id string) (n int, err error) {
	err = d.db.QueryRow(ctx, "SELECT count(*) FROM weir.attempts WHERE transcode_id = $1", id).Scan(&n)
	return n, err
}
