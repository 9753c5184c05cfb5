package main

import (
	"context"
	"errors"
	"time"
)

const (
	// storageAway is an outage of S3 that a store has to wait for with its file safe:
	// longer than the retries within one request.
	storageAway = 15 * time.Second
	// stallFor is longer than the 60 s after which a request that moves no byte is ended.
	stallFor = 70 * time.Second
)

// storageFaults are about S3. None of them costs a transcode, or any work but uploads.
func storageFaults() []*fault {
	answers := func(name string, mode doorMode, short bool) *fault {
		return &fault{
			name: name + " for " + storageAway.String(), short: short, within: anew, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				if err := r.storing(ctx); err != nil {
					return err
				}
				r.door.set(mode)
				err := pause(ctx, storageAway)
				r.door.set(doorOpen)
				return err
			},
		}
	}
	return []*fault{
		{
			name: "S3 refuses connections for " + storageAway.String(), within: anew, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				if err := r.storing(ctx); err != nil {
					return err
				}
				for _, gate := range r.toS3 {
					gate.refuse()
				}
				errs := []error{pause(ctx, storageAway)}
				for _, gate := range r.toS3 {
					errs = append(errs, gate.heal(ctx))
				}
				return errors.Join(errs...)
			},
		},
		answers("S3 throttles (503 SlowDown)", doorThrottles, true),
		answers("S3 answers 500 InternalError", doorFails, false),
		{
			name: "S3 stalls in the middle of an upload", within: anew, repeats: nothing,
			before: func(_ context.Context, r *round) error { r.door.set(doorStalls); return nil },
			strike: func(ctx context.Context, r *round) error {
				err := errors.Join(r.storing(ctx), pause(ctx, stallFor))
				r.door.set(doorOpen)
				return err
			},
		},
	}
}
