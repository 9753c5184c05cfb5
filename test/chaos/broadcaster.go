package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/mist/mistsim/broadcaster"
)

const (
	// firstAttempts is in the name of each segment of a first attempt, and of no other:
	// MistProcLivepeer names them after its source's stream, which ends in the attempt,
	// and something random behind a hyphen.
	firstAttempts = "_1-"
	// lateAnswer is longer than Mist waits for one: a segment's length and 2 s.
	lateAnswer = 5 * time.Second
	// lateAnswers are as many as the load sends at once: each transcode has two segments
	// on their way. Mist sends them again, ten times at the most.
	lateAnswers = 2 * flight
)

// broadcasterFaults are about the Broadcaster that all hosts use. There is no other to
// go to: what they cost is attempts, and the last of three finds it healed.
func broadcasterFaults() []*fault {
	// In the place of slow answers, which come back with the second attempts.
	spoiled := func(name, mode string) *fault {
		return &fault{
			name: "Broadcaster " + name + " at first", slow: true, within: anew, repeats: firstsMore,
			before: func(ctx context.Context, r *round) error {
				return r.misbehave(ctx, broadcaster.Faults{Mode: mode, Match: firstAttempts})
			},
			strike: func(ctx context.Context, r *round) error {
				return errors.Join(r.failing(ctx, flight), r.Broadcaster.Faults(ctx, slowSegment))
			},
		}
	}
	return []*fault{
		{
			name: "Broadcaster refuses connections", slow: true, within: anew, repeats: secondsMore,
			strike: func(ctx context.Context, r *round) error {
				if _, _, err := r.pushing(ctx); err != nil {
					return err
				}
				for _, gate := range r.toBroadcaster {
					gate.refuse()
				}
				errs := []error{r.failing(ctx, flight)}
				for _, gate := range r.toBroadcaster {
					errs = append(errs, gate.heal(ctx))
				}
				return errors.Join(errs...)
			},
		},
		spoiled("answers 422", broadcaster.ModeRefuse),
		spoiled("returns garbage", broadcaster.ModeGarbage),
		spoiled("returns one rendition too few", broadcaster.ModeFewer),
		{
			name: "Broadcaster answers " + lateAnswer.String() + " late at first", within: soon, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				return r.misbehave(ctx, broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: int(lateAnswer.Milliseconds()), Segments: lateAnswers})
			},
			strike: func(context.Context, *round) error { return nil },
		},
	}
}

// misbehave tells the Broadcaster how, until it is told otherwise or the round ends.
func (r *round) misbehave(ctx context.Context, faults broadcaster.Faults) error {
	text, err := json.Marshal(faults)
	if err != nil {
		return fmt.Errorf("tell the Broadcaster to misbehave: %w", err)
	}
	return r.Broadcaster.Faults(ctx, string(text))
}
