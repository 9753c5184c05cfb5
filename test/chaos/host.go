package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack"
	"weir/jobs"
	"weir/mist"
)

const (
	// deathToStart is the promise: a dead host's transcodes start elsewhere within it.
	deathToStart = 30 * time.Second
	// silenceLimit is when Studio takes a transcode for lost of which it hears nothing.
	silenceLimit = time.Minute
	// zombie is how long a host stands still that comes back: longer than its lease and
	// the reaper's next look.
	zombie = 35 * time.Second
	// takeOver is how long a daemon may go on whose host id another has taken: until
	// its next renewal, and its drain.
	takeOver = 5*time.Second + drainLimit
)

// hostFaults are about whole hosts.
func hostFaults() []*fault {
	return []*fault{
		{
			name: "host dead", short: true, slow: true, within: elsewhere, repeats: hostMore.free(),
			strike: func(ctx context.Context, r *round) error { return r.die(ctx) },
			after:  func(ctx context.Context, r *round) error { return r.rise(ctx) },
		},
		{
			name: "host dead with a callback in hand", within: silenceLimit, repeats: hostMore.free(),
			before: func(_ context.Context, r *round) error { return r.arm(jobs.CrashDelivered, syscall.SIGKILL) },
			strike: func(ctx context.Context, r *round) error {
				_, err := r.ended(ctx, jobs.CrashDelivered)
				return err
			},
			after: func(ctx context.Context, r *round) error { return r.rise(ctx) },
		},
		{
			name: "daemon stands still for " + zombie.String(), slow: true, within: elsewhere, repeats: hostMore.free(),
			strike: func(ctx context.Context, r *round) error {
				host, _, err := r.running(ctx)
				if err != nil {
					return err
				}
				return errors.Join(r.Daemons[host].Pause(), pause(ctx, zombie), r.Daemons[host].Resume())
			},
		},
		{
			// It holds the lock of all placements, and rows, until Postgres ends its session.
			name: "daemon vanishes in the middle of a placement", slow: true, within: elsewhere, repeats: hostMore.free(),
			before: func(_ context.Context, r *round) error { return r.arm(jobs.CrashPlacing, syscall.SIGSTOP) },
			strike: func(ctx context.Context, r *round) error { return r.vanish(ctx, jobs.CrashPlacing) },
		},
		{
			name: "two daemons with one host id", slow: true, within: anew, repeats: handful,
			strike: func(ctx context.Context, r *round) error { return r.twins(ctx) },
			after:  func(ctx context.Context, r *round) error { return r.rise(ctx) },
		},
		{
			name: "another machine with a host's id", slow: true, within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.stranger(ctx) },
		},
		{
			name: "upgrade of all hosts, one after the other", slow: true, within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.upgrade(ctx) },
		},
	}
}

// vanish waits until a daemon stands still at the point, and lets it stand for longer than
// its lease.
func (r *round) vanish(ctx context.Context, point jobs.CrashPoint) error {
	host := -1
	err := until(ctx, "a daemon to stand still at "+string(point), func(context.Context) (bool, error) {
		for i, daemon := range r.Daemons {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", daemon.PID()))
			if err != nil {
				return false, fmt.Errorf("look at daemon %d: %w", i, err)
			}
			if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
				host = i
			}
		}
		return host >= 0, nil
	})
	if err != nil {
		return err
	}
	return errors.Join(pause(ctx, zombie), r.Daemons[host].Resume())
}

// die ends all that a host runs, at once and for good, and waits until another host
// has begun what it had in hand.
func (r *round) die(ctx context.Context) error {
	host, _, err := r.running(ctx)
	if err != nil {
		return err
	}
	died := time.Now()
	if err := errors.Join(r.Daemons[host].Kill(), r.Hosts[host].Kill(), r.killProcesses(host)); err != nil {
		return err
	}
	held, err := rows[struct{ ID string }](ctx, r.suite, `SELECT id::text FROM weir.transcodes WHERE host_id = $1
		AND state IN ('placed', 'running', 'storing')`, hostID(host))
	if err != nil {
		return err
	}
	ids := make([]string, len(held))
	for i, h := range held {
		ids[i] = h.ID
	}
	ctx, cancel := context.WithDeadlineCause(ctx, died.Add(deathToStart), fmt.Errorf("%s from the host's death are over", deathToStart))
	defer cancel()
	return until(ctx, "the start elsewhere of what the dead host had", func(ctx context.Context) (bool, error) {
		begun, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.transcodes t JOIN weir.attempts a
			ON a.transcode_id = t.id AND a.number = t.attempt WHERE t.id = ANY($1::uuid[]) AND a.host_id <> $2 AND a.started_at IS NOT NULL`, ids, hostID(host))
		return err == nil && begun[0].N == len(ids), err
	})
}

func (r *round) killProcesses(host int) error {
	found, err := mist.FindProcesses(r.Hosts[host].BinDir)
	if err != nil {
		return err
	}
	for _, process := range found {
		// It may have seen its controller go, and ended.
		if err := kill(process.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// rise starts again what has ended.
func (r *round) rise(ctx context.Context) error {
	if r.twin != nil {
		if err := errors.Join(r.twin.Terminate(), r.twin.Wait(ctx)); err != nil {
			return err
		}
	}
	for i := range r.Daemons {
		if !r.Hosts[i].Alive() {
			if err := r.Hosts[i].Restart(ctx); err != nil {
				return err
			}
		}
		if r.Daemons[i].Alive() != nil {
			if err := r.Daemons[i].Restart(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// twins starts a second daemon with a host's id, on its spool: the older one has to
// stop by itself, and the newer goes on with what the older had.
func (r *round) twins(ctx context.Context) (err error) {
	host, _, err := r.running(ctx)
	if err != nil {
		return err
	}
	newer, err := devstack.StartDaemon(ctx, &devstack.DaemonConfig{
		Dir: filepath.Dir(r.Daemons[host].Spool), BinDir: r.binDir, Program: daemonProgram, Settings: r.settings[host],
	})
	if err != nil {
		return err
	}
	r.twin = newer
	stopping, cancel := context.WithTimeoutCause(ctx, takeOver, fmt.Errorf("the older daemon did not stop within %s", takeOver))
	defer cancel()
	if err := r.Daemons[host].Wait(stopping); err != nil {
		return err
	}
	return nil
}

// stranger starts a daemon with a host's id and a spool of its own: it must not start.
func (r *round) stranger(ctx context.Context) error {
	host, _, err := r.running(ctx)
	if err != nil {
		return err
	}
	dir, err := r.Folder.Make("stranger")
	if err != nil {
		return err
	}
	daemon, err := devstack.StartDaemon(ctx, &devstack.DaemonConfig{
		Dir: dir, BinDir: r.binDir, Program: daemonProgram, Settings: r.settings[host],
	})
	if err == nil {
		return errors.Join(errors.New("another machine took the host"), daemon.Close())
	}
	return nil
}

// upgrade restarts each daemon softly, and goes on when it is ready again.
func (r *round) upgrade(ctx context.Context) error {
	if _, _, err := r.running(ctx); err != nil {
		return err
	}
	for host := range r.Daemons {
		if err := r.relaunch(ctx, host); err != nil {
			return err
		}
	}
	return nil
}

// relaunch ends a daemon softly and starts it again.
func (r *round) relaunch(ctx context.Context, host int) error {
	if err := errors.Join(r.Daemons[host].Terminate(), r.Daemons[host].Wait(ctx)); err != nil {
		return err
	}
	return r.Daemons[host].Restart(ctx)
}
