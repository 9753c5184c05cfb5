package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// skewVariable names the file that says how wrong a daemon's clock is (daemon.sh).
	skewVariable = "CHAOS_SKEW"
	// skew is how wrong: below the 15 minutes from which on S3 refuses signatures.
	skew = 10 * time.Minute
	// skewSize is what a skew takes in its file: an int64.
	skewSize = 8
)

// clockFaults set clocks wrong. Only daemons' are: Postgres, Mist and S3 keep theirs.
func clockFaults() []*fault {
	return []*fault{{
		name: "clocks of two hosts jump by " + skew.String() + ", and by twice that", slow: true, within: anew, repeats: slotsMore,
		// While transcodes run, and once more while one of them waits for its retry: that
		// shows whose clock a wait is by.
		strike: func(ctx context.Context, r *round) error {
			if _, _, err := r.pushing(ctx); err != nil {
				return err
			}
			if err := r.setClocks(skew, -skew); err != nil {
				return err
			}
			return errors.Join(r.breakOne(ctx), r.setClocks(-skew, skew))
		},
		after: func(_ context.Context, r *round) error { return r.setClocks(0, 0) },
	}}
}

func (s *suite) skewFile(host int) string { return filepath.Join(s.crashes, "clock-"+hostID(host)) }

// setClocks has the clocks of the first hosts jump: each is wrong by that from now on.
func (s *suite) setClocks(by ...time.Duration) error {
	for host, by := range by {
		if err := s.setClock(host, by); err != nil {
			return fmt.Errorf("set the clock of %s: %w", hostID(host), err)
		}
	}
	return nil
}

// setClock writes in place: the daemon has the file's page in its memory.
func (s *suite) setClock(host int, by time.Duration) error {
	f, err := os.OpenFile(s.skewFile(host), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(make([]byte, 0, skewSize), uint64(by/time.Second)), 0)
	return errors.Join(err, f.Close())
}
