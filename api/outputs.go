package api

import (
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
	"weir/storage"
)

const (
	// maxOutputs is every type at two places, and room: each is written once more.
	maxOutputs = 16
	// maxSegment is the longest segment, in seconds: players load a whole one to begin.
	maxSegment = 20
)

// WantedOutput is one thing that is made of the renditions.
type WantedOutput struct {
	Type           string    `json:"type" doc:"ts (the renditions' own files), hls, mp4, fmp4 (fragmented MP4 with manifests for HLS and DASH), source (a copy of the source as it is), thumbnails." example:"hls"`
	URL            SecretURL `json:"url,omitempty" doc:"Its folder, where it is not output.url; of a source copy the object itself, which it must have. An S3 form. ts has none." example:"s3://media/out/1"`
	SegmentSeconds int       `json:"segment_seconds,omitempty" doc:"About how long segments are, and how far thumbnails lie apart; 0: 10. For hls, fmp4 and thumbnails."`
	OnlyShort      bool      `json:"only_short,omitempty" doc:"Only of sources of up to two minutes; else it is skipped. For mp4."`
}

// TransformSchema implements huma.SchemaTransformer.
func (WantedOutput) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, word := range jobs.OutputTypes() {
		s.Properties["type"].Enum = append(s.Properties["type"].Enum, word)
	}
	upTo(s.Properties["url"], maxURL)
	between(s.Properties["segment_seconds"], 0, maxSegment)
	return s
}

// outputs checks what is to be made, and adds it to the request.
func (w *wanted) outputs(list []WantedOutput) (errs []error) {
	places := make([]storage.Location, len(list))
	for i := range list {
		o := &list[i]
		o.Type = strings.ToLower(o.Type)
		at := fmt.Sprintf("body.outputs[%d]", i)
		place, wrong := w.place(o, at)
		errs = append(errs, wrong...)
		errs = append(errs, checkOptions(o, at)...)
		places[i] = place
		w.Outputs = append(w.Outputs, jobs.Output{
			Type: o.Type, URL: string(place.Secret()), Shown: place.String(),
			Segment: time.Duration(o.SegmentSeconds) * time.Second, OnlyShort: o.OnlyShort,
		})
	}
	if len(errs) > 0 {
		return errs
	}
	return w.checkObjects(places)
}

// place is where an output goes.
func (w *wanted) place(o *WantedOutput, at string) (place storage.Location, errs []error) {
	refuseURL := func(why string) []error { return []error{refusal(at+".url", why)} }
	switch {
	case o.URL == "" && o.Type == jobs.OutputSource:
		return place, refuseURL("is missing; name the object that the copy shall be")
	case o.URL == "":
		return w.output, nil
	case o.Type == jobs.OutputTS:
		return place, refuseURL("can't be given for ts: its files lie at output.url")
	}
	place, err := storage.ParseLocation(string(o.URL))
	switch {
	case err != nil:
		return place, refuseURL(reason(err))
	case !place.IsS3():
		return place, refuseURL("is no S3 location; use s3://bucket/prefix, s3+https:// or s3+http://")
	case o.Type == jobs.OutputSource && (place.Key() == "" || strings.HasSuffix(place.Key(), "/")):
		return place, refuseURL("names a folder; add the object's name")
	}
	return place, nil
}

// checkOptions refuses what means nothing for a type.
func checkOptions(o *WantedOutput, at string) (errs []error) {
	switch o.Type {
	case jobs.OutputHLS, jobs.OutputFMP4, jobs.OutputThumbnails:
	default:
		if o.SegmentSeconds != 0 {
			errs = append(errs, refusal(at+".segment_seconds", "is for hls, fmp4 and thumbnails; leave it out"))
		}
	}
	if o.OnlyShort && o.Type != jobs.OutputMP4 {
		errs = append(errs, refusal(at+".only_short", "is for mp4; leave it out"))
	}
	return errs
}

// checkObjects refuses outputs that would write one object, or over the source.
func (w *wanted) checkObjects(places []storage.Location) (errs []error) {
	writes := map[string]int{}
	for i, place := range places {
		at := fmt.Sprintf("body.outputs[%d].", i)
		for _, object := range jobs.OutputNames(w.Outputs[i].Type, w.Profiles) {
			name := place
			if object != "" {
				name = place.Join(object)
			}
			other, taken := writes[name.String()]
			switch {
			case taken && w.Outputs[other].Type == w.Outputs[i].Type:
				errs = append(errs, refusal(at+"type", fmt.Sprintf("is that of outputs[%d] too, at the same place; give it a place of its own", other)))
			case taken:
				errs = append(errs, refusal(at+"url", fmt.Sprintf("is where outputs[%d] writes %q; give it another", other, object)))
			case w.source.IsS3() && name.String() == w.source.String():
				errs = append(errs, refusal(at+"url", "would write over the source; give it another"))
			default:
				writes[name.String()] = i
				continue
			}
			break
		}
	}
	return errs
}
