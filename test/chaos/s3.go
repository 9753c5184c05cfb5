package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
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
		{
			name: "S3 answers 500 until all is shown and freed", within: anew, repeats: nothing,
			strike: func(ctx context.Context, r *round) error {
				if err := r.storing(ctx); err != nil {
					return err
				}
				r.door.set(doorFails)
				err := r.waiting(ctx)
				r.door.set(doorOpen)
				return err
			},
		},
		{
			name: "a cancelled transcode's upload lands after its removal", within: anew, repeats: nothing,
			strike: func(ctx context.Context, r *round) error { return r.landLate(ctx) },
		},
	}
}

// finishedFiles are those of a transcode that wait for S3, each with what tells one from
// another of the same name. unneeded counts the files beside them.
func (r *round) finishedFiles(id string) (finished map[string]time.Time, unneeded int, err error) {
	finished = map[string]time.Time{}
	for _, daemon := range r.Daemons {
		root := filepath.Join(daemon.Spool, "*"+strings.ReplaceAll(id, "-", "")+"*")
		for _, pattern := range []string{root + "/*.ts", root + "/in/*"} {
			files, err := filepath.Glob(pattern)
			if err != nil {
				return nil, 0, fmt.Errorf("look into the spool: %w", err)
			}
			unneeded += len(files)
		}
		files, err := filepath.Glob(root + "/out/*.ts")
		if err != nil {
			return nil, 0, fmt.Errorf("look into the spool: %w", err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return nil, 0, fmt.Errorf("look into the spool: %w", err)
			}
			finished[file] = info.ModTime()
		}
	}
	return finished, unneeded, nil
}

// waiting waits until a transcode waits for S3 alone: what is in the way is shown, its
// renditions are finished, once, and all that they were made of is gone.
func (r *round) waiting(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, soon, fmt.Errorf("it was to be seen within %s", soon))
	defer cancel()
	var id string
	var before map[string]time.Time
	if err := until(ctx, "a transcode that waits for S3 alone", func(ctx context.Context) (bool, error) {
		shown, err := rows[struct{ ID string }](ctx, r.suite, `SELECT t.id::text FROM weir.transcodes t WHERE t.external_id LIKE $1 || '-%'
			AND t.state = 'storing' AND NOT EXISTS (SELECT FROM weir.renditions r WHERE r.transcode_id = t.id
				AND (r.state, r.error_code) IS DISTINCT FROM ('pushed', 's3_unavailable'))`, r.key)
		if err != nil || len(shown) == 0 {
			return false, err
		}
		id = shown[0].ID
		finished, unneeded, err := r.finishedFiles(id)
		before = finished
		return len(finished) == len(profiles()) && unneeded == 0, err
	}); err != nil {
		return err
	}
	if err := pause(ctx, storageAway); err != nil {
		return err
	}
	after, _, err := r.finishedFiles(id)
	if err == nil && !maps.Equal(before, after) {
		err = fmt.Errorf("%s was finished again: %v, then %v", id, before, after)
	}
	return err
}

// landLate cancels a transcode while S3 has its upload in hand, lets what it stored be
// removed, and then the upload land. The judge finds it unless it is removed again.
func (r *round) landLate(ctx context.Context) error {
	id, err := r.ask(ctx, 0, "cancelled-"+r.key)
	if err != nil {
		return err
	}
	r.door.lag(id) // it has still to be fetched and transcoded
	defer r.door.set(doorOpen)
	if err := until(ctx, "an upload in hand", func(context.Context) (bool, error) { return r.door.heldOf(id) > 0, nil }); err != nil {
		return err
	}
	if _, err := r.api(0).Cancel(ctx, id); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	looked := func(state string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			found, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.river_job
				WHERE kind = 'residue' AND args->>'transcode_id' = $1 AND state = $2::weir.river_job_state AND attempted_at IS NOT NULL`, id, state)
			return err == nil && found[0].N > 0, err
		}
	}
	if err := until(ctx, "the first removal", looked("scheduled")); err != nil {
		return err
	}
	r.door.set(doorOpen)
	if err := until(ctx, "the late upload", func(context.Context) (bool, error) { return r.door.uploadsOf(id) > 0, nil }); err != nil {
		return err
	}
	// The second look is a quarter of an hour later.
	if _, err := r.db.Exec(ctx, `UPDATE weir.river_job SET created_at = created_at - interval '15 minutes', scheduled_at = now()
		WHERE kind = 'residue' AND args->>'transcode_id' = $1`, id); err != nil {
		return fmt.Errorf("let the time pass: %w", err)
	}
	return until(ctx, "the second removal", looked("completed"))
}
