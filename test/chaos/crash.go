package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"weir/internal/devstack"
	"weir/internal/mistsim"
	"weir/jobs"
	"weir/mist"
)

const (
	// restartAfter is what a service manager waits before it starts a daemon again.
	restartAfter = time.Second
	// drainLimit is what a daemon's soft stop may take: River gives its jobs 10 s, and
	// another 15 are for what does not end.
	drainLimit = 30 * time.Second
)

// crashFaults end a daemon at each step boundary of the crash table, hard and softly.
func crashFaults() []*fault {
	short := []jobs.CrashPoint{jobs.CrashPlaced, jobs.CrashStarted, jobs.CrashUploaded}
	var all []*fault
	for _, point := range crashPoints() {
		for _, end := range []struct {
			name    string
			signal  syscall.Signal
			repeats repeats
		}{
			{"kill -9", syscall.SIGKILL, handful},
			{"SIGTERM", syscall.SIGTERM, nothing},
		} {
			all = append(all, &fault{
				name: "daemon " + end.name + " at " + string(point), within: soon, repeats: end.repeats,
				// While no daemon listens, Mist tells of its tracks in vain: what ends before the
				// next boot has begun its pushes is lost. Here it lasts longer than that.
				slow:    true,
				short:   slices.Contains(short, point) && end.signal == syscall.SIGKILL,
				outputs: slices.Contains(jobs.PackagePoints(), point),
				before: func(ctx context.Context, r *round) error {
					return errors.Join(r.hangFor(ctx, point), r.arm(point, end.signal))
				},
				strike: func(ctx context.Context, r *round) error { return r.crashed(ctx, point) },
			})
		}
	}
	return append(all, &fault{
		name: "daemon dead until Mist is done", within: anew, repeats: hostMore,
		before: func(_ context.Context, r *round) error { return r.arm(jobs.CrashStartRecorded, syscall.SIGKILL) },
		strike: func(ctx context.Context, r *round) error { return r.missed(ctx) },
	})
}

// betweenStarts are the points that only a transcode meets whose process starts again.
func betweenStarts() []jobs.CrashPoint {
	return []jobs.CrashPoint{jobs.CrashStoppedAgain, jobs.CrashAgainRecorded}
}

func crashPoints() []jobs.CrashPoint {
	return slices.Concat(jobs.CrashPoints(), betweenStarts(), jobs.PackagePoints())
}

// hangFor has starts hang where the point is met by that alone.
func (r *round) hangFor(ctx context.Context, point jobs.CrashPoint) error {
	if !slices.Contains(betweenStarts(), point) {
		return nil
	}
	return r.mistMisbehaves(ctx, mistsim.Faults{HangStarts: 1})
}

// missed waits until a daemon has ended and all that it had started has too.
func (r *round) missed(ctx context.Context) error {
	host, err := r.ended(ctx, jobs.CrashStartRecorded)
	if err != nil {
		return err
	}
	err = until(ctx, "the end of the host's processes", func(context.Context) (bool, error) {
		found, err := mist.FindProcesses(r.Hosts[host].BinDir)
		return err == nil && len(found) == 0, err
	})
	if err != nil {
		return err
	}
	return r.restart(ctx, host)
}

// arm has the first daemon that comes to the point send itself the signal.
func (r *round) arm(point jobs.CrashPoint, signal syscall.Signal) error {
	made := filepath.Join(r.crashes, "making")
	if err := os.WriteFile(made, []byte(strconv.Itoa(int(signal))), 0o600); err != nil {
		return fmt.Errorf("arm %s: %w", point, err)
	}
	if err := os.Rename(made, filepath.Join(r.crashes, string(point))); err != nil {
		return fmt.Errorf("arm %s: %w", point, err)
	}
	return nil
}

// disarm takes away what no daemon came to.
func (r *round) disarm() error {
	for _, point := range crashPoints() {
		if err := os.Remove(filepath.Join(r.crashes, string(point))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("disarm %s: %w", point, err)
		}
	}
	return nil
}

// crashed waits until a daemon has ended at the point, and starts it again.
func (r *round) crashed(ctx context.Context, point jobs.CrashPoint) error {
	host, err := r.ended(ctx, point)
	if err != nil {
		return err
	}
	return r.restart(ctx, host)
}

// ended waits until a daemon has come to the point and ended, and says whose it was.
func (r *round) ended(ctx context.Context, point jobs.CrashPoint) (host int, err error) {
	err = until(ctx, "a daemon to come to "+string(point), func(context.Context) (bool, error) {
		_, err := os.Stat(filepath.Join(r.crashes, string(point)))
		return errors.Is(err, os.ErrNotExist), err
	})
	if err != nil {
		return 0, err
	}
	ending, cancel := context.WithTimeoutCause(ctx, drainLimit, fmt.Errorf("no daemon ended within %s", drainLimit))
	defer cancel()
	err = until(ending, "the daemon's end", func(context.Context) (bool, error) {
		host = slices.IndexFunc(r.Daemons, func(d *devstack.Daemon) bool { return d.Alive() != nil })
		return host >= 0, nil
	})
	return host, err
}

// restart starts an ended daemon again, as a service manager does.
func (r *round) restart(ctx context.Context, host int) error {
	if err := pause(ctx, restartAfter); err != nil {
		return err
	}
	return r.Daemons[host].Restart(ctx)
}
