package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"weir/api/view"
	"weir/jobs"
	"weir/jobs/host/preview"
)

// Previewer looks at what a request names.
type Previewer interface {
	// Look is for a dry run. preview.ErrBusy: not now.
	Look(ctx context.Context, req *jobs.Request) (*preview.Found, error)
	// Refused are the outputs whose storage refuses them for good, as far as it says so at once.
	Refused(ctx context.Context, req *jobs.Request) map[int]*jobs.Failure
}

var _ Previewer = (*preview.Previewer)(nil)

// dryRunRetry is when a dry run that found no room may come again: most take less.
const dryRunRetry = 5 * time.Second

// DryRun is what would become of a request, of which nothing is kept.
type DryRun struct {
	OK         bool              `json:"ok" doc:"Nothing is in the way, as far as was looked."`
	Source     DryRunSource      `json:"source"`
	Output     DryRunOutput      `json:"output"`
	Outputs    []DryRunMade      `json:"outputs" nullable:"false" doc:"Of what is asked for beside the renditions' files, in the request's order; none where that is nothing."`
	Renditions []DryRunRendition `json:"renditions" nullable:"false" doc:"In the order of the request's profiles; of the default ladder, where the source's header tells its size and bit rate, and none where it does not."`
	Warnings   []view.Warning    `json:"warnings" nullable:"false" doc:"What would be done otherwise than asked; sizes alone, the rest is known once a source is prepared."`
}

// DryRunSource is what was found out of a source by its two ends.
type DryRunSource struct {
	Location   string        `json:"location" doc:"Where it is, without credentials."`
	Bytes      *int64        `json:"bytes" doc:"Null where it was not reached, or its server does not tell."`
	Probed     bool          `json:"probed" doc:"Its header was read; false does not mean that it can't be transcoded."`
	DurationMS *int64        `json:"duration_ms"`
	Width      *int          `json:"width" doc:"As it is shown."`
	Height     *int          `json:"height"`
	VideoCodec *string       `json:"video_codec"`
	AudioCodec *string       `json:"audio_codec"`
	Error      *view.Failure `json:"error" doc:"What a transcode would fail with, or what its header could not be read for."`
}

// DryRunOutput says whether the output's folder takes objects.
type DryRunOutput struct {
	Location string        `json:"location" doc:"Without credentials."`
	Writable bool          `json:"writable" doc:"A small object was written, verified and removed."`
	Error    *view.Failure `json:"error" doc:"What a transcode would fail with."`
}

// DryRunMade says whether an output can be written where it is asked for.
type DryRunMade struct {
	Type string `json:"type"`
	DryRunOutput
}

// DryRunRendition is what would be made.
type DryRunRendition struct {
	Name        string `json:"name"`
	Width       *int   `json:"width" doc:"Of its file; null where the source's size is not known."`
	Height      *int   `json:"height" doc:"Of its file; null where the source's size is not known."`
	AskedWidth  int    `json:"asked_width"`
	AskedHeight int    `json:"asked_height"`
	Bitrate     int64  `json:"bitrate"`
}

func (s *server) dryRun(ctx context.Context, req *jobs.Request) (*submitOutput, error) {
	if s.cfg.Preview == nil {
		return nil, huma.Error503ServiceUnavailable("this daemon makes no dry runs")
	}
	found, err := s.cfg.Preview.Look(ctx, req)
	if errors.Is(err, preview.ErrBusy) {
		return nil, huma.ErrorWithHeaders(huma.Error429TooManyRequests("too many dry runs are under way; try again"),
			http.Header{"Retry-After": {strconv.Itoa(int(dryRunRetry.Seconds()))}})
	}
	if err != nil {
		return nil, s.problem(ctx, "dry run", err)
	}
	v := &DryRun{
		OK:      found.Source == nil && found.Header == nil && found.Output == nil && !slices.ContainsFunc(found.Outputs, func(f *jobs.Failure) bool { return f != nil }),
		Source:  DryRunSource{Location: req.SourceShown, Bytes: found.Bytes, Probed: found.Glimpse != nil},
		Output:  DryRunOutput{Location: req.OutputShown, Writable: found.Output == nil, Error: view.FailureOf(found.Output)},
		Outputs: []DryRunMade{}, Renditions: []DryRunRendition{}, Warnings: []view.Warning{},
	}
	if v.Source.Error = view.FailureOf(found.Source); v.Source.Error == nil {
		v.Source.Error = view.FailureOf(found.Header)
	}
	if g := found.Glimpse; g != nil {
		v.Source.Width, v.Source.Height, v.Source.VideoCodec = &g.Width, &g.Height, &g.VideoCodec
		if g.DurationMS > 0 {
			v.Source.DurationMS = &g.DurationMS
		}
		if g.AudioCodec != "" {
			v.Source.AudioCodec = &g.AudioCodec
		}
	}
	for _, w := range found.Warnings {
		v.Warnings = append(v.Warnings, view.Warning(w))
	}
	for i, f := range found.Outputs {
		o := DryRunOutput{Location: req.Outputs[i].Shown, Writable: f == nil, Error: view.FailureOf(f)}
		v.Outputs = append(v.Outputs, DryRunMade{req.Outputs[i].Type, o})
	}
	for i, p := range found.Profiles {
		r := DryRunRendition{Name: p.Name, AskedWidth: p.Width, AskedHeight: p.Height, Bitrate: p.Bitrate}
		if i < len(found.Sizes) {
			r.Width, r.Height = &found.Sizes[i].Width, &found.Sizes[i].Height
		}
		v.Renditions = append(v.Renditions, r)
	}
	return &submitOutput{Status: http.StatusOK, Body: v}, nil
}
