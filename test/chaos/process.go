package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/mist"
)

const (
	// blink is a pause of Mist that costs nothing.
	blink = 6 * time.Second
	// faint is a pause that its host waits for, and some transcodes may not.
	faint = 40 * time.Second
	// mistAway is how long a killed controller is away: a service manager's restart.
	mistAway = 2 * time.Second
	// sluggish is how late Mist answers: a transcode of seconds still finds its pushes
	// begun before it ends.
	sluggish = time.Second
)

// processFaults are about Mist and what it runs.
func processFaults() []*fault {
	return []*fault{
		{
			name: "kill -9 MistProcLivepeer", short: true, slow: true, within: anew, repeats: oneMore,
			strike: func(ctx context.Context, r *round) error {
				_, pid, err := r.running(ctx)
				if err != nil {
					return err
				}
				return kill(pid, syscall.SIGKILL)
			},
		},
		{
			name: "MistProcLivepeer hangs", slow: true, within: anew + noProgress, repeats: oneMore,
			strike: func(ctx context.Context, r *round) error {
				_, pid, err := r.running(ctx)
				if err != nil {
					return err
				}
				return kill(pid, syscall.SIGSTOP)
			},
		},
		{
			name: "kill -9 of a push", slow: true, within: anew, repeats: oneMore,
			strike: func(ctx context.Context, r *round) error {
				_, pid, err := r.pushing(ctx)
				if err != nil {
					return err
				}
				return kill(pid, syscall.SIGKILL)
			},
		},
		{
			name: "kill -9 Mist's controller", slow: true, within: anew, repeats: hostMore,
			strike: func(ctx context.Context, r *round) error {
				host, _, err := r.running(ctx)
				if err != nil {
					return err
				}
				if err := r.Hosts[host].Kill(); err != nil {
					return err
				}
				if err := pause(ctx, mistAway); err != nil {
					return err
				}
				return r.Hosts[host].Restart(ctx)
			},
		},
		{
			name: "Mist's controller paused for " + blink.String(), slow: true, within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.pauseMist(ctx, blink) },
		},
		{
			name: "Mist's controller paused for " + faint.String(), slow: true, within: elsewhere, repeats: hostMore,
			strike: func(ctx context.Context, r *round) error { return r.pauseMist(ctx, faint) },
		},
		{
			name: "Mist answers its API " + sluggish.String() + " late", slow: true, within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				return r.mistFaults(ctx, fmt.Sprintf(`{"delay_api_ms":%d}`, sluggish.Milliseconds()))
			},
			strike: func(context.Context, *round) error { return nil },
		},
		{
			name: "Mist loses its streams", slow: true, within: anew, repeats: slotsMore,
			strike: func(ctx context.Context, r *round) error {
				host, _, err := r.pushing(ctx)
				if err != nil {
					return err
				}
				return errors.Join(r.loseStreams(ctx, host), r.failing(ctx, 1))
			},
		},
	}
}

// loseStreams has a host's Mist forget all streams of transcodes, and end what runs of them.
func (r *round) loseStreams(ctx context.Context, host int) error {
	client, err := mist.New(&mist.Config{URL: r.Hosts[host].API})
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	streams, err := client.Streams(ctx)
	if err != nil {
		return err
	}
	streams = append(streams, slices.Collect(maps.Keys(status.Streams))...)
	streams = slices.DeleteFunc(streams, func(name string) bool { return !strings.HasPrefix(name, "tr_") })
	err = client.RemoveStreams(ctx, streams...)
	if errors.Is(err, mist.ErrRefused) {
		return nil // the daemon has added one again meanwhile
	}
	return err
}

// struckIn is how long a strike may take to be seen.
const struckIn = 10 * time.Second

// breakOne fails an attempt. A process that dies would be started again within it, so its
// streams are lost; where that came too late, as all was pushed, another attempt's are.
func (r *round) breakOne(ctx context.Context) error {
	for {
		host, _, err := r.pushing(ctx)
		if err != nil {
			return err
		}
		if err := r.loseStreams(ctx, host); err != nil {
			return err
		}
		seen, cancel := context.WithTimeout(ctx, struckIn)
		err = r.failing(seen, 1)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// noProgress is how long an attempt may stand still before it is given up.
const noProgress = 60 * time.Second

func (r *round) pauseMist(ctx context.Context, d time.Duration) error {
	host, _, err := r.running(ctx)
	if err != nil {
		return err
	}
	if err := r.Hosts[host].Pause(); err != nil {
		return err
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	return r.Hosts[host].Resume()
}

// running waits for a MistProcLivepeer, and says on which host it is.
func (r *round) running(ctx context.Context) (host, pid int, err error) {
	err = until(ctx, "a running MistProcLivepeer", func(context.Context) (bool, error) {
		for i, h := range r.Hosts {
			found, err := mist.FindProcesses(h.BinDir)
			if err != nil {
				return false, err
			}
			if len(found) > 0 {
				host, pid = i, found[0].PID
				return true, nil
			}
		}
		return false, nil
	})
	return host, pid, err
}

// runningOn waits for a MistProcLivepeer on a host, and says which.
func (r *round) runningOn(ctx context.Context, host int) (process mist.RunningProcess, err error) {
	err = until(ctx, "a MistProcLivepeer on "+hostID(host), func(context.Context) (bool, error) {
		found, err := mist.FindProcesses(r.Hosts[host].BinDir)
		if len(found) > 0 {
			process = found[0]
		}
		return len(found) > 0, err
	})
	return process, err
}

// pushing waits for a push, and says on which host it is.
func (r *round) pushing(ctx context.Context) (host, pid int, err error) {
	err = until(ctx, "a push", func(ctx context.Context) (bool, error) {
		type push struct {
			Host string
			PID  int
		}
		found, err := rows[push](ctx, r.suite, `SELECT t.host_id, r.push_pid FROM weir.renditions r
			JOIN weir.transcodes t ON t.id = r.transcode_id WHERE t.external_id LIKE $1 || '-%' AND r.state = 'pushing' LIMIT 1`, r.key)
		if err != nil || len(found) == 0 {
			return false, err
		}
		host, pid = hostOf(found[0].Host), found[0].PID
		return true, nil
	})
	return host, pid, err
}

func kill(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("send %s to %d: %w", signal, pid, err)
	}
	return nil
}
