package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"weir/mist"
)

const (
	// strangeAge is how old memory is that no row knows of when a host takes it away.
	strangeAge = 25 * time.Hour
	// twoSweeps is longer than from one sweep of a host to the next but one.
	twoSweeps = 11 * time.Second
	// strangeID is the length of a transcode's id.
	strangeID = 16
)

// memoryFaults are about what Mist keeps of streams that have ended: its inputs' shared
// memory, and the list of streams.
func memoryFaults() []*fault {
	return []*fault{
		{
			name: "kill -9 of a process with all of its session", slow: true, within: anew, repeats: oneMore,
			strike: func(ctx context.Context, r *round) error { return r.killInput(ctx) },
		},
		{
			name: "memory of no attempt found at boot", within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error { return r.strangeMemory(ctx) },
			strike: func(context.Context, *round) error { return nil },
		},
		{
			name: "Mist lists ended streams as Offline", within: soon, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.offline(ctx) },
		},
	}
}

// killInput ends at once all that a MistProcLivepeer has started, on the host whose Mist
// sweeps up worst, and makes sure that it leaves memory behind.
func (r *round) killInput(ctx context.Context) error {
	process, err := r.runningOn(ctx, upstreamHost)
	if err != nil {
		return err
	}
	name, err := mist.ParseName(filepath.Base(process.Dir))
	if err != nil {
		return err
	}
	err = until(ctx, "its input's memory", func(context.Context) (bool, error) {
		left, err := r.memoryOf(name)
		return left, err
	})
	if err != nil {
		return err
	}
	if err := killSession(process.PID); err != nil {
		return err
	}
	if left, err := r.memoryOf(name); err != nil || !left {
		return errors.Join(errors.New("the killed session has left no memory: there is nothing to sweep"), err)
	}
	return nil
}

func (r *round) memoryOf(name mist.Name) (bool, error) {
	pages, err := mist.FindPages(r.memory)
	return slices.ContainsFunc(pages, func(page mist.Page) bool { return page.Name == name }), err
}

// killSession is kill -9 of every process of a session.
func killSession(leader int) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("kill session %d: %w", leader, err)
	}
	var errs []error
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // no process
		}
		if session, err := unix.Getsid(pid); err != nil || session != leader {
			continue
		}
		if err := kill(pid, unix.SIGKILL); !errors.Is(err, unix.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// strangeMemory restarts a daemon beside memory that no row knows of: what is older than
// any attempt has to go, what is not may be another Weir's.
func (r *round) strangeMemory(ctx context.Context) error {
	old, fresh := filepath.Join(r.memory, strangePage()), filepath.Join(r.memory, strangePage())
	long := time.Now().Add(-strangeAge)
	for _, page := range []string{old, fresh} {
		if err := os.WriteFile(page, bytes.Repeat([]byte{1}, fillerBlock), 0o600); err != nil {
			return fmt.Errorf("leave strange memory: %w", err)
		}
	}
	if err := errors.Join(os.Chtimes(old, long, long), r.Daemons[0].Kill(), r.Daemons[0].Restart(ctx)); err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, soon, fmt.Errorf("it was to be removed within %s", soon))
	defer cancel()
	err := until(limited, "the end of strange old memory", func(context.Context) (bool, error) {
		_, err := os.Stat(old)
		return errors.Is(err, os.ErrNotExist), nil
	})
	if err != nil {
		return err
	}
	if err := os.Remove(fresh); err != nil {
		return fmt.Errorf("memory that may be another's is gone: %w", err)
	}
	return nil
}

// strangePage names a page of a stream like ours.
func strangePage() string {
	id := make([]byte, strangeID)
	_, _ = rand.Read(id) // never fails, see crypto/rand
	return "MstDatatr_src_" + hex.EncodeToString(id) + "_1@0_0"
}

// offline waits until a host's Mist lists one of our streams that has ended, and for two
// sweeps more: none may take it for something left behind.
func (r *round) offline(ctx context.Context) error {
	before, err := r.orphanStreams()
	if err != nil {
		return err
	}
	client, err := mist.New(&mist.Config{URL: r.Hosts[upstreamHost].API})
	if err != nil {
		return err
	}
	defer client.Close()
	limited, cancel := context.WithTimeoutCause(ctx, soon, fmt.Errorf("it was to be seen within %s", soon))
	defer cancel()
	err = until(limited, "a stream that is listed as Offline", func(ctx context.Context) (bool, error) {
		status, err := client.Status(ctx)
		for name, stream := range status.Streams {
			if _, err := mist.ParseName(name); err == nil && stream.State == mist.StreamOffline {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return err
	}
	if err := pause(ctx, twoSweeps); err != nil {
		return err
	}
	after, err := r.orphanStreams()
	if err == nil && after > before {
		err = fmt.Errorf("%s took %d ended streams for orphans", hostID(upstreamHost), after-before)
	}
	return err
}

// orphanStreams counts how often the host with the newer Mist has found orphans there.
func (r *round) orphanStreams() (int, error) {
	text, err := os.ReadFile(r.Daemons[upstreamHost].Log)
	if err != nil {
		return 0, fmt.Errorf("read the daemon's log: %w", err)
	}
	return bytes.Count(text, []byte("orphan streams removed")), nil
}
