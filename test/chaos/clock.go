package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// skewVariable names the file that says how wrong a daemon's clock is (daemon.sh).
	skewVariable = "CHAOS_SKEW"
	// skew is how wrong: below the 15 minutes from which on S3 refuses signatures.
	skew = 10 * time.Minute
)

// clockFaults set clocks wrong. Only daemons' are: Postgres, Mist and S3 keep theirs.
func clockFaults() []*fault {
	return []*fault{{
		name: "clocks of two hosts " + skew.String() + " ahead and behind", slow: true, within: anew, repeats: oneMore,
		before: func(ctx context.Context, r *round) error { return r.setClocks(ctx, skew, -skew) },
		// A retry shows whose clock a wait is by.
		strike: func(ctx context.Context, r *round) error {
			_, pid, err := r.running(ctx)
			if err != nil {
				return err
			}
			return kill(pid, syscall.SIGKILL)
		},
		after: func(ctx context.Context, r *round) error { return r.setClocks(ctx, 0, 0) },
	}}
}

func (s *suite) skewFile(host int) string { return filepath.Join(s.crashes, "clock-"+hostID(host)) }

// setClocks starts the first daemons again, each with a clock that is wrong by that.
func (r *round) setClocks(ctx context.Context, by ...time.Duration) error {
	for host, by := range by {
		if err := os.WriteFile(r.skewFile(host), []byte(strconv.Itoa(int(by.Seconds()))), 0o600); err != nil {
			return fmt.Errorf("set the clock of %s: %w", hostID(host), err)
		}
		if err := r.relaunch(ctx, host); err != nil {
			return err
		}
	}
	return nil
}
