package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"weir/secret"
)

// VODSubmission is the body of POST /api/vod, in the words of Studio's task runner. What
// can't be honoured has its field all the same, so that its refusal says why.
type VODSubmission struct {
	ExternalID      string        `json:"external_id,omitempty" doc:"Studio's task. The same body again is the first one; another body, as with another callback_url, takes its place."`
	URL             SecretURL     `json:"url" doc:"The video: https://host/path, s3+https://KEY:SECRET@host/bucket/key, s3://bucket/key; a playlist where it ends in .m3u8." example:"s3://media/in/1.mp4"`
	CallbackURL     SecretURL     `json:"callback_url" doc:"Where status and outcome are posted." example:"https://studio.example/hooks/4711"`
	OutputLocations []VODLocation `json:"output_locations" nullable:"false" doc:"What is made, and where to; one place for each output, at least one of hls, mp4, fragmented_mp4."`
	Profiles        []VODProfile  `json:"profiles,omitempty" doc:"The renditions, at most 10; none, or an empty list: the default ladder."`

	TargetSegmentSizeSecs int64  `json:"target_segment_size_secs,omitempty" doc:"Length of segments: 10 where it is 0 or less, and 20 at the most."`
	PipelineStrategy      string `json:"pipeline_strategy,omitempty" doc:"Must be one of these; ignored."`

	AccessToken           secret.Secret `json:"accessToken,omitempty" doc:"For Livepeer's API; without it the daemon's own way is taken."`
	TranscodeAPIURL       SecretURL     `json:"transcodeAPIUrl,omitempty" doc:"Livepeer's API; read with accessToken only."`
	HardcodedBroadcasters Ignored       `json:"hardcodedBroadcasters,omitzero" doc:"Ignored."`

	ClipStrategy *VODClip       `json:"clip_strategy,omitempty" doc:"A part of a recording, whose playlist is the url; empty, or all of it zero: the whole."`
	Encryption   *VODEncryption `json:"encryption,omitempty" doc:"Refused: encrypted sources can't be read."`
	C2PA         bool           `json:"c2pa,omitempty" doc:"Refused where it is true: content credentials are not written."`
}

// TransformSchema implements huma.SchemaTransformer.
func (VODSubmission) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["external_id"].MaxLength = new(maxExternalID)
	matching(s.Properties["external_id"], printablePattern, printablePatternDescription)
	upTo(s.Properties["url"], maxURL)
	upTo(s.Properties["callback_url"], maxURL)
	s.Properties["output_locations"].MinItems, s.Properties["output_locations"].MaxItems = new(1), new(maxLocations)
	s.Properties["profiles"].MaxItems = new(maxProfiles)
	s.Properties["pipeline_strategy"].Enum = pipelineStrategies()
	s.Properties["accessToken"].MaxLength = new(maxAccessToken)
	matching(s.Properties["accessToken"], printablePattern, printablePatternDescription)
	s.Properties["transcodeAPIUrl"].MaxLength = new(maxURL)
	return s
}

// VODLocation is a place, and what is to lie there.
type VODLocation struct {
	Type            string        `json:"type" doc:"object_store; the others, which pin to IPFS, are refused."`
	URL             SecretURL     `json:"url,omitempty" doc:"The folder, an S3 form; for source_mp4 the object itself." example:"s3+https://KEY:SECRET@s3.example.com/media/out/1"`
	PinataAccessKey secret.Secret `json:"pinata_access_key,omitempty" doc:"Of the types that are refused."`
	Outputs         *VODOutputs   `json:"outputs,omitempty" doc:"Without it nothing is made here."`
}

// TransformSchema implements huma.SchemaTransformer.
func (VODLocation) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["type"].Enum = []any{vodObjectStore, "pinata", "ipfs_pinata"}
	s.Properties["url"].MaxLength = new(maxURL)
	s.Properties["pinata_access_key"].MaxLength = new(maxAccessToken)
	return s
}

// VODOutputs are the outputs of a place. Each may be there and ask for nothing: Studio
// sends all six.
type VODOutputs struct {
	HLS        string `json:"hls,omitempty" doc:"enabled: a master playlist, and a playlist and segments for each rendition."`
	MP4        string `json:"mp4,omitempty" doc:"enabled: a file for each rendition; only_short: that for sources of up to two minutes; all else: none."`
	FMP4       string `json:"fragmented_mp4,omitempty" doc:"enabled: fragments with manifests for HLS and DASH."`
	SourceMP4  bool   `json:"source_mp4,omitempty" doc:"The source is copied to the url as it is."`
	Thumbnails string `json:"thumbnails,omitempty" doc:"enabled: pictures, and thumbnails.vtt that names them."`
	Clip       string `json:"clip,omitempty" doc:"enabled: the HLS of the clip, here too; for requests with a clip_strategy."`
}

// TransformSchema implements huma.SchemaTransformer.
func (VODOutputs) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, name := range []string{"hls", "fragmented_mp4", "thumbnails", "clip"} {
		s.Properties[name].Enum = []any{"", vodEnabled, vodDisabled}
	}
	s.Properties["mp4"].MaxLength = new(maxName)
	return s
}

// VODClip is a part of a recording.
type VODClip struct {
	StartTime  int64  `json:"start_time,omitempty" doc:"Unix time in ms, by the #EXT-X-PROGRAM-DATE-TIME of the playlist."`
	EndTime    int64  `json:"end_time,omitempty" doc:"Unix time in ms."`
	PlaybackID string `json:"playback_id,omitempty" doc:"The recording; not read."`
}

// VODEncryption is how a source is encrypted.
type VODEncryption struct {
	EncryptedKey secret.Secret `json:"encrypted_key"`
}

// VODProfile is a Profile of this form.
type VODProfile struct{ FileProfile }

// TransformSchema implements huma.SchemaTransformer: all but the name may be left out, and
// so may be 0.
func (VODProfile) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	limitProfile(s, "fpsDen", "encoder", "colorDepth", "chromaFormat")
	between(s.Properties["width"], 0, maxSide)
	between(s.Properties["height"], 0, maxSide)
	s.Properties["width"].Description += " Without it and without height: the source's size."
	return s
}

// The words of this form.
const (
	vodObjectStore = "object_store"
	vodEnabled     = "enabled"
	vodDisabled    = "disabled"
	vodOnlyShort   = "only_short"
)

// pipelineStrategies are the words for how the service before this one chose its engine.
func pipelineStrategies() []any {
	return []any{"", "catalyst", "external", "catalyst_ffmpeg", "background_external", "background_mist", "fallback_external"}
}

// VODError is how this form's refusals look: one line for what is wrong, one with every
// field. Studio's task runner ends a task for good at any 4xx but 429.
type VODError struct {
	Title  string `json:"error"`
	Detail string `json:"error_detail" doc:"Which fields, and what to do about each."`

	status int
}

// Error implements error.
func (e *VODError) Error() string { return e.Title + ": " + e.Detail }

// GetStatus implements huma.StatusError.
func (e *VODError) GetStatus() int { return e.status }

var _ huma.StatusError = (*VODError)(nil)

// vodErrorOf puts a refusal into the words of this form.
func vodErrorOf(err error) error {
	problem, ok := errors.AsType[*huma.ErrorModel](err)
	if !ok {
		return err
	}
	of := vodErrorFrom(problem)
	if headers, ok := errors.AsType[huma.HeadersError](err); ok {
		return huma.ErrorWithHeaders(of, headers.GetHeaders())
	}
	return of
}

func vodErrorFrom(problem *huma.ErrorModel) *VODError {
	e := &VODError{Title: problem.Detail, status: problem.Status}
	switch problem.Status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		e.Title, e.status = "Invalid request payload", http.StatusBadRequest
	case http.StatusRequestTimeout:
		// The same body may come through the next time.
		e.status = http.StatusServiceUnavailable
	}
	var lines []string
	for _, detail := range problem.Errors {
		at := strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "header.")
		lines = append(lines, at+": "+detail.Message)
	}
	if e.Detail = strings.Join(lines, "; "); e.Detail == "" && e.Title != problem.Detail {
		e.Detail = problem.Detail
	}
	return e
}

// refuseAtOnce answers for a middleware, in the form of the route.
func (s *server) refuseAtOnce(ctx huma.Context, status int, detail string, errs ...error) {
	if ctx.Operation().Path != vodPath {
		_ = huma.WriteErr(s.huma, ctx, status, detail, errs...)
		return
	}
	problem, _ := errors.AsType[*huma.ErrorModel](huma.NewError(status, detail, errs...))
	e := vodErrorFrom(problem)
	ctx.SetHeader("Content-Type", jsonType)
	ctx.SetStatus(e.status)
	// A caller that is gone needs no answer.
	_ = s.huma.Marshal(ctx.BodyWriter(), jsonType, e)
}
