package main

import (
	"context"

	"weir/internal/mistsim"
)

// lostPushes is what may be done again where each host loses a push: the process once
// more, for that rendition alone.
var lostPushes = repeats{processes: hosts}

// pushFaults make pushes lose the race against the end of their process, as happened to
// three of 24 short clips. The process runs once more within the attempt.
func pushFaults() []*fault {
	lose := func(name, as string, short bool, seen func(context.Context, *round) error) *fault {
		return &fault{
			name: name, short: short, within: soon, repeats: lostPushes,
			before: func(ctx context.Context, r *round) error {
				return r.mistMisbehaves(ctx, mistsim.Faults{LosePushes: 1, OfPushes: 2, LosePushesAs: as}) //nolint:mnd // one of each transcode's two
			},
			strike: seen,
		}
	}
	again := func(ctx context.Context, r *round) error { return r.startedAgain(ctx, "reruns", 1) }
	return []*fault{
		lose("a push on each host lost as SHM_LOST", mistsim.LostShm, true, again),
		lose("a push on each host lost as UNKNOWN", mistsim.LostUnknown, false, again),
		// Which a second try may make good while the process still runs.
		lose("a push on each host not started", mistsim.LostUnstarted, false, func(context.Context, *round) error { return nil }),
	}
}
