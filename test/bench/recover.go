package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"weir/internal/devstack"
)

const (
	naiveClip = 20 * time.Second
	// naiveWait is how long recovery is waited for. River's default for a job whose worker
	// died is an hour, and nobody waits that long here.
	naiveWait = 60 * time.Second
	// naiveDown is how long the receiver refuses callbacks.
	naiveDown = 5 * time.Second
	// naiveHeld is how long a callback's answer is held back: the kill comes within.
	naiveHeld = 30 * time.Second
	// naiveMiddle is how far a transcode has come when its worker is killed.
	naiveMiddle = time.Second
	// naiveLimit bounds all of it, six minutes where nothing else runs.
	naiveLimit = 12 * time.Minute
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
}

// naive has the same faults strike at Weir and at a worker of River with its defaults.
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
	other, err := b.newNaive(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.close()) }()
	db, err := pgxpool.New(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("open the stack's database: %w", err)
	}
	defer db.Close()
	for _, c := range []contender{&daemonContender{b, db, string(source)}, other} {
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
	return b.killTold(ctx, c)
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

func (d *daemonContender) kill() error { return d.b.stack.Daemons[0].Kill() }

func (d *daemonContender) restart(ctx context.Context) error {
	return d.b.stack.Daemons[0].Restart(ctx)
}

func (d *daemonContender) runs(ctx context.Context, id string) (n int, err error) {
	err = d.db.QueryRow(ctx, "SELECT count(*) FROM weir.attempts WHERE transcode_id = $1", id).Scan(&n)
	return n, err
}

// naiveContender is a worker of River in a process of its own, on a database of its own.
type naiveContender struct {
	b      *bench
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	mover  *mover
	url    string
	worker *exec.Cmd
	taken  int
}

func (b *bench) newNaive(ctx context.Context) (_ *naiveContender, err error) {
	u, err := url.Parse(string(b.stack.Database))
	if err != nil {
		return nil, errors.New("the stack's database has no URL")
	}
	db, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("connect to the stack's database: %w", err)
	}
	_, err = db.Exec(ctx, "CREATE DATABASE naive")
	if err := errors.Join(err, db.Close(ctx)); err != nil {
		return nil, fmt.Errorf("make a database: %w", err)
	}
	u.Path = "naive"
	n := &naiveContender{b: b, url: u.String(), mover: b.mover()}
	if n.pool, err = pgxpool.New(ctx, n.url); err != nil {
		return nil, fmt.Errorf("open its database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	migrator, err := rivermigrate.New(riverpgxv5.New(n.pool), nil)
	if err != nil {
		return nil, fmt.Errorf("make River's tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("make River's tables: %w", err)
	}
	if n.client, err = river.NewClient(riverpgxv5.New(n.pool), &river.Config{}); err != nil {
		return nil, fmt.Errorf("make a River client: %w", err)
	}
	return n, n.restart(ctx)
}

func (n *naiveContender) close() error {
	err := n.kill()
	n.pool.Close()
	return err
}

func (*naiveContender) name() string { return "a worker of River with its defaults" }

func (n *naiveContender) accept(ctx context.Context) (string, error) {
	n.taken++
	id := fmt.Sprintf("naive-%d", n.taken)
	_, err := n.client.Insert(ctx, naiveArgs{ID: id, Bucket: n.b.stack.Bucket, Source: "bench/clip.mp4", Callback: n.b.stack.Studio.URL + "naive"}, nil)
	if err != nil {
		return "", fmt.Errorf("insert a job: %w", err)
	}
	return id, nil
}

func (n *naiveContender) working(ctx context.Context, id string) error {
	return await(ctx, func() (bool, error) {
		var at *time.Time
		err := n.pool.QueryRow(ctx, "SELECT attempted_at FROM river_job WHERE args->>'id' = $1", id).Scan(&at)
		return at != nil && time.Since(*at) > naiveMiddle, err
	})
}

func (n *naiveContender) kill() error {
	if n.worker == nil {
		return nil
	}
	err := n.worker.Process.Kill()
	_ = n.worker.Wait() // it was killed
	n.worker = nil
	return err
}

func (n *naiveContender) restart(context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	cmd := exec.Command(self, "-as", asNaive) //nolint:noctx // lives until it is killed
	cmd.Env = append(append(os.Environ(), n.mover.env()...), naiveDatabase+"="+n.url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	n.worker = cmd
	return nil
}

func (n *naiveContender) runs(ctx context.Context, id string) (times int, err error) {
	err = n.pool.QueryRow(ctx, "SELECT attempt FROM river_job WHERE args->>'id' = $1", id).Scan(&times)
	return times, err
}
