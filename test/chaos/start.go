package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"weir/internal/mistsim"
	"weir/internal/mistsim/shm"
)

// startFaults make MistProcLivepeer hang at its start, as three of 24 real ones did: with
// no session, or without its source thread; or end at once. The next one comes within the attempt.
func startFaults() []*fault {
	hang := func(name, as string, short bool) *fault {
		return &fault{
			name: name, short: short, within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				return r.mistMisbehaves(ctx, mistsim.Faults{HangStarts: 1, HangStartAs: as})
			},
			strike: func(ctx context.Context, r *round) error { return r.startedAgain(ctx, "hung_starts", 1) },
		}
	}
	return []*fault{
		hang("a start on each host hangs without a session", shm.HangSession, true),
		hang("a start on each host hangs without a source thread", shm.HangBoot, false),
		hang("a start on each host ends at once", shm.HangBuffer, false),
	}
}

// pushesOfTwo is how many pushes two transcodes have.
const pushesOfTwo = 2 * 2

// behind lets what happens to real hosts now and then, without any fault of theirs,
// happen behind the round's fault: one start hangs, one push is lost. Faults that are
// about Mist itself take its place.
func (r *round) behind(ctx context.Context) error {
	if r.background == nil {
		return nil
	}
	hung, lost := r.background.IntN(hosts), r.background.IntN(hosts)
	for i, host := range r.Hosts {
		var faults mistsim.Faults
		if i == hung {
			faults.HangStarts = 1
		}
		if i == lost {
			faults.LosePushes, faults.OfPushes = 1, pushesOfTwo
		}
		text, err := json.Marshal(faults)
		if err != nil {
			return fmt.Errorf("tell Mist to misbehave: %w", err)
		}
		if err := host.Faults(ctx, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// allowed is the work that may be done again: what the fault allows, and the process of
// the push that is lost behind it.
func (r *round) allowed() repeats {
	all := r.fault.repeats
	if r.background != nil {
		all.processes++
	}
	return all
}

// mistMisbehaves tells every host's Mist how.
func (r *round) mistMisbehaves(ctx context.Context, faults mistsim.Faults) error {
	text, err := json.Marshal(faults)
	if err != nil {
		return fmt.Errorf("tell Mist to misbehave: %w", err)
	}
	return r.mistFaults(ctx, string(text))
}

// startedAgain waits until so many processes were started again within their attempts,
// by the count that the rows keep of it: hung_starts or reruns.
func (r *round) startedAgain(ctx context.Context, count string, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, soon, fmt.Errorf("it was to be seen within %s", soon))
	defer cancel()
	return until(ctx, strconv.Itoa(n)+" of "+count, func(ctx context.Context) (bool, error) {
		counted, err := rows[struct{ N int }](ctx, r.suite, `SELECT COALESCE(sum(a.`+count+`), 0)::int FROM weir.attempts a
			JOIN weir.transcodes t ON t.id = a.transcode_id WHERE t.external_id LIKE $1 || '-%'`, r.key)
		return err == nil && counted[0].N >= n, err
	})
}
