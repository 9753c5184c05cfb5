package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
	"weir/jobs"
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
	// slowFactor is how much of a segment's length a slow Broadcaster works on it: of the
	// length that it is told, which is four times that of what is in it.
	slowFactor = 2. / 4
	// realHurry is how late a real orchestrator may be at least before its gateway leaves it.
	realHurry = 1500 * time.Millisecond
	// smallManifests is how many streams a small gateway takes: fewer than the load has.
	smallManifests = 2
)

// roomAwaited is what waiting for a gateway's room costs: tries, as many as it takes, and
// none of the attempts that count.
var roomAwaited = repeats{attempts: 4 * flight, processes: 4 * flight}

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
		{
			name: "gateway full until others are done", within: anew, repeats: roomAwaited,
			before: func(ctx context.Context, r *round) error {
				return r.otherBroadcaster(ctx, &devstack.BroadcasterConfig{MaxManifests: smallManifests})
			},
			strike: func(ctx context.Context, r *round) error { return r.failingAs(ctx, jobs.CodeGatewayFull, 1) },
			after:  func(_ context.Context, r *round) error { return r.usualBroadcaster() },
		},
		{
			name: "Broadcaster answers 503 at first", within: anew, repeats: roomAwaited,
			before: func(ctx context.Context, r *round) error {
				return r.misbehave(ctx, broadcaster.Faults{Mode: broadcaster.ModeFull})
			},
			strike: func(ctx context.Context, r *round) error {
				return errors.Join(r.failingAs(ctx, jobs.CodeGatewayFull, flight), r.Broadcaster.Faults(ctx, `{}`))
			},
		},
		{
			name: "Broadcaster needs twice a segment's length", within: anew, repeats: nothing,
			before: func(ctx context.Context, r *round) error {
				if err := r.otherBroadcaster(ctx, &devstack.BroadcasterConfig{LeastInFlight: realHurry}); err != nil {
					return err
				}
				return r.other.Faults(ctx, fmt.Sprintf(`{"mode":%q,"factor":%g}`, broadcaster.ModeThroughput, slowFactor))
			},
			strike: func(context.Context, *round) error { return nil },
			after:  func(_ context.Context, r *round) error { return r.usualBroadcaster() },
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

// otherBroadcaster leads all hosts to a Broadcaster of the round's own.
func (r *round) otherBroadcaster(ctx context.Context, cfg *devstack.BroadcasterConfig) (err error) {
	if cfg.Dir, err = r.Folder.Make("broadcaster-" + r.key); err != nil {
		return err
	}
	cfg.BinDir = r.binDir
	if r.other, err = devstack.StartBroadcaster(ctx, cfg); err != nil {
		return err
	}
	for _, gate := range r.toBroadcaster {
		r.usual = gate.lead(strings.TrimPrefix(r.other.URL, "http://"))
	}
	return nil
}

// usualBroadcaster leads them back.
func (r *round) usualBroadcaster() error {
	if r.other == nil {
		return nil
	}
	for _, gate := range r.toBroadcaster {
		gate.lead(r.usual)
	}
	return r.other.Close()
}

// misbehave tells the Broadcaster how, until it is told otherwise or the round ends.
func (r *round) misbehave(ctx context.Context, faults broadcaster.Faults) error {
	text, err := json.Marshal(faults)
	if err != nil {
		return fmt.Errorf("tell the Broadcaster to misbehave: %w", err)
	}
	return r.Broadcaster.Faults(ctx, string(text))
}
