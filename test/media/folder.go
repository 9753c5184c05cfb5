package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"weir/internal/devstack"
	"weir/test/media/evidence"
	"weir/test/media/footage"
)

// ladder is what is asked of any file: two sizes at its own rate.
func ladder() []devstack.Profile {
	const high, low = 800_000, 400_000
	return []devstack.Profile{
		{Name: "high", Width: 640, Height: 360, Bitrate: high},
		{Name: "low", Width: 320, Height: 180, Bitrate: low},
	}
}

// try has a file transcoded and compares every rendition with the file's own decode.
func (t *transcoder) try(ctx context.Context, folder string, e expectation, dir string) (*row, error) {
	path := filepath.Join(folder, e.file)
	r := &row{name: e.file}
	o, err := t.run(ctx, path, dir, ladder())
	if status, refused := errors.AsType[*devstack.StatusError](err); refused {
		r.outcome = "refused"
		if e.outcome != footage.OutcomeFailed {
			r.problems = []string{status.Error()}
		}
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.outcome, r.took, r.retried = o.State, o.took, o.retried
	if e.outcome == footage.OutcomeFailed {
		r.problems = o.refusal()
		return r, nil
	}
	if r.problems = o.failure(); o.State != "succeeded" {
		return r, nil
	}
	stream, listen, err := evidence.Best(ctx, path)
	if err != nil {
		return nil, err
	}
	source, err := evidence.Look(ctx, path, stream)
	if err != nil {
		return nil, err
	}
	sound, err := evidence.Listen(ctx, path, listen)
	if err != nil {
		return nil, err
	}
	want := evidence.Wanted{Frames: e.frames, Aspect: e.aspect}
	if want.Aspect == 0 {
		want.Aspect = source.Aspect
	}
	for i, file := range o.files {
		name := o.Renditions[i].Name
		got, err := evidence.Look(ctx, file, "v:0")
		if err != nil {
			r.problems = append(r.problems, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		gotSound, err := evidence.Listen(ctx, file, "a:0")
		if err != nil {
			r.problems = append(r.problems, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		r.add(name, evidence.Compare(source, got, sound, gotSound, want))
	}
	return r, nil
}
