package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"weir/internal/devstack"
	"weir/test/media/evidence"
	"weir/test/media/footage"
)

// A row is one line of the table.
type row struct {
	name     string
	outcome  string
	frames   int     // of the first rendition
	sync     float64 // the worst of all renditions, in seconds
	source   float64 // the source's own
	compared bool    // whether sync says anything
	aspect   float64
	took     time.Duration
	problems []string
	retried  []string // why there was more than one attempt
}

func (r *row) add(rendition string, result *evidence.Result) {
	if r.frames == 0 {
		r.frames, r.aspect = result.Frames, result.Aspect
	}
	if result.Beeps > 0 {
		r.compared = true
		if math.Abs(result.Sync) > math.Abs(r.sync) {
			r.sync = result.Sync
		}
	}
	for _, p := range result.Problems {
		r.problems = append(r.problems, rendition+": "+p)
	}
}

// profiles are asked of each case: the size that most of them have and a smaller one, and where the
// case has a rate beside its own, one at that rate. The boxes lie; they have to be turned for a
// picture that stands.
func profiles(fps float64) []devstack.Profile {
	const high, middle, low = 800_000, 500_000, 400_000
	all := []devstack.Profile{
		{Name: "own", Width: 320, Height: 240, Bitrate: high},
		{Name: "small", Width: 288, Height: 216, Bitrate: middle},
	}
	if fps > 0 {
		all = append(all, devstack.Profile{Name: "steady", Width: 256, Height: 192, Bitrate: low, FPS: fps})
	}
	return all
}

// prove makes a case, has it transcoded and judges every rendition by what is seen and heard.
func (t *transcoder) prove(ctx context.Context, c *footage.Case, dir string) (*row, error) {
	path, err := c.Make(ctx, dir)
	if err != nil {
		return nil, err
	}
	r := &row{name: c.Name}
	var want *evidence.Want
	if c.Outcome == footage.OutcomeOK {
		if want, err = evidence.Expect(ctx, path, c); err != nil {
			return nil, err
		}
		r.source = want.SourceSync
	}
	asked := profiles(c.FPS)
	o, err := t.run(ctx, path, dir, asked)
	if status, refused := errors.AsType[*devstack.StatusError](err); refused {
		r.outcome, r.problems = "refused", []string{status.Error()}
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.outcome, r.took, r.retried = o.State, o.took, o.retried
	if want == nil {
		r.problems = o.refusal()
		return r, nil
	}
	if r.problems = o.failure(); o.State != "succeeded" {
		return r, nil
	}
	for i, file := range o.files {
		w := *want
		w.FPS, w.Width, w.Height = asked[i].FPS, asked[i].Width, asked[i].Height
		if c.FPS > 0 && w.FPS == 0 && w.Variable() {
			w.FPS = w.Rate.FPS() // beside a rate of its own there is none that varies
		}
		result, err := judge(ctx, file, &w)
		if err != nil {
			r.problems = append(r.problems, fmt.Sprintf("%s: %v", asked[i].Name, err))
			continue
		}
		if i == 0 && c.Fields {
			combed, err := evidence.Combed(ctx, file)
			if err != nil {
				return nil, err
			}
			if combed > evidence.CombedMost {
				result.Problems = append(result.Problems, fmt.Sprintf("%.0f %% of the frames have combs", 100*combed))
			}
		}
		r.add(asked[i].Name, result)
	}
	return r, nil
}

func judge(ctx context.Context, file string, want *evidence.Want) (*evidence.Result, error) {
	picture, err := evidence.Look(ctx, file, "v:0")
	if err != nil {
		return nil, err
	}
	sound, err := evidence.Listen(ctx, file, "a:0")
	if err != nil {
		return nil, err
	}
	return evidence.Judge(picture, sound, want), nil
}
