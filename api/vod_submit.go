package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"weir/jobs"
	"weir/storage"
)

const (
	// vodPath is the route of Studio's task runner.
	vodPath = "/api/vod"
	// A segment lasts so long where nobody says, and no longer than that.
	usualSegment, longestSegment = 10 * time.Second, 20 * time.Second
)

type vodOutput struct{ Body VODAnswer }

// VODAnswer is the answer to Studio's form.
type VODAnswer struct {
	RequestID uuid.UUID `json:"request_id" format:"uuid" doc:"The transcode's id; request_id of its callbacks."`
}

// submitVOD commits a request of Studio's form, or finds the one that it repeats.
func (s *server) submitVOD(ctx context.Context, body jsonBody[VODSubmission], in *submitInput) (*vodOutput, error) {
	id, err := s.acceptVOD(ctx, body, in)
	if err != nil {
		return nil, vodErrorOf(err)
	}
	return &vodOutput{Body: VODAnswer{RequestID: id}}, nil
}

func (s *server) acceptVOD(ctx context.Context, body jsonBody[VODSubmission], in *submitInput) (id uuid.UUID, err error) {
	tenant, err := submitter(ctx)
	if err != nil {
		return id, err
	}
	if in.http.Header("Content-Type") == "" { // what stood here before refused that too
		return id, huma.Error415UnsupportedMediaType("send the body as application/json", refusal("header.Content-Type", "is missing"))
	}
	submission, canonical, err := body.read(in.http)
	if err != nil {
		return id, s.unread(err)
	}
	wanted, errs := s.wantedOfVOD(&submission)
	wanted.Tenant, wanted.ExternalID, wanted.Form, wanted.Body = tenant, submission.ExternalID, jobs.FormVOD, canonical
	if err := s.found(ctx, wanted, errs); err != nil {
		return id, err
	}
	if errs := s.refusedOutputs(ctx, wanted); len(errs) > 0 {
		return id, refuse(errs)
	}
	accepted, _, err := s.accept(ctx, &wanted.Request, &submission)
	if err != nil {
		return id, s.problem(ctx, "submit", err)
	}
	return accepted.ID, nil
}

// refusedOutputs are those whose storage refuses their keys: who stood here before told that
// at once, and a transcode would fail with it before it begins.
func (s *server) refusedOutputs(ctx context.Context, w *wanted) (errs []error) {
	if s.cfg.Preview == nil {
		return nil
	}
	refused := s.cfg.Preview.Refused(ctx, &w.Request)
	for i, at := range w.at.outputs {
		if failure := refused[i]; failure != nil {
			errs = append(errs, refusal(at, "can't be written: "+failure.Text))
		}
	}
	return once(errs)
}

// wantedOfVOD is the request, or all that is wrong with it.
func (s *server) wantedOfVOD(submission *VODSubmission) (*wanted, []error) {
	errs := s.refusalsOfVOD(submission)
	outputs, at, wrong := outputsOfVOD(submission)
	errs = append(errs, wrong...)
	if len(errs) > 0 {
		return &wanted{}, errs
	}
	// The renditions lie where players look: one that is no copy of the source has been asked for.
	first := slices.IndexFunc(outputs, func(o jobs.Output) bool { return o.Type != jobs.OutputSource })
	wanted, errs := s.places(&fields{
		source: "body.url", sourceURL: submission.URL,
		output: at[first], outputURL: SecretURL(outputs[first].URL), outputs: at,
		callback: "body.callback_url", callbackURL: submission.CallbackURL,
	})
	wanted.Outputs = outputs
	errs = append(errs, wanted.clipOfVOD(submission)...)
	for i := range submission.Profiles {
		p := &submission.Profiles[i]
		wanted.Profiles = append(wanted.Profiles, p.wanted(p.FPSDen))
	}
	errs = append(errs, checkSizes(wanted.Profiles)...)
	errs = append(errs, checkRates(wanted.Profiles)...)
	errs = append(errs, checkNames(wanted.Profiles, wanted.sourceName())...)
	if submission.AccessToken != "" {
		errs = append(errs, checkWeb(submission.TranscodeAPIURL, "body.transcodeAPIUrl")...)
		wanted.Livepeer = &jobs.Livepeer{AccessToken: string(submission.AccessToken), APIURL: string(submission.TranscodeAPIURL)}
	}
	return wanted, errs
}

// refusalsOfVOD are the fields that can't be honoured.
func (s *server) refusalsOfVOD(submission *VODSubmission) (errs []error) {
	add := func(at, message string) { errs = append(errs, refusal("body."+at, message)) }
	for _, scheme := range []string{"ipfs", "ar"} {
		if s.cfg.Gateways[scheme] == "" && strings.HasPrefix(strings.ToLower(string(submission.URL)), scheme+"://") {
			add("url", scheme+":// is not read here; send the https:// URL of a gateway")
		}
	}
	if submission.Encryption != nil {
		add("encryption", "encrypted sources can't be read; send the source as it is, and leave this out")
	}
	if submission.C2PA {
		add("c2pa", "content credentials are not written; leave it out, or send false")
	}
	for i := range submission.OutputLocations {
		l := &submission.OutputLocations[i]
		at := fmt.Sprintf("output_locations[%d]", i)
		if !strings.EqualFold(l.Type, vodObjectStore) {
			add(at+".type", "nothing is pinned to IPFS here; use "+vodObjectStore)
		}
		if l.Outputs != nil && strings.EqualFold(l.Outputs.Clip, vodEnabled) && !clips(submission) {
			add(at+".outputs.clip", "is enabled, and clip_strategy asks for no clip; leave it empty, or say which part")
		}
	}
	return errs
}

// clips says whether a part of the source is asked for: Studio sends the object always.
func clips(v *VODSubmission) bool { return v.ClipStrategy != nil && *v.ClipStrategy != (VODClip{}) }

// clipOfVOD checks the part of a recording that is asked for, and adds it to the request.
func (w *wanted) clipOfVOD(submission *VODSubmission) (errs []error) {
	if !clips(submission) {
		return nil
	}
	clip := submission.ClipStrategy
	w.Clip = &jobs.Clip{StartMS: clip.StartTime, EndMS: clip.EndTime, Clock: jobs.ClockUnix}
	for _, bound := range []struct {
		at string
		ms int64
	}{{"start_time", clip.StartTime}, {"end_time", clip.EndTime}} {
		at := "body.clip_strategy." + bound.at
		switch {
		case bound.ms == 0:
			errs = append(errs, refusal(at, "is missing; send both times, or an empty clip_strategy"))
		case bound.ms < 0:
			errs = append(errs, refusal(at, "is negative; send Unix time in milliseconds"))
		case bound.ms < leastUnixMS:
			errs = append(errs, refusal(at, "is no Unix time in milliseconds; is it in seconds?"))
		case bound.ms > maxClipMS:
			errs = append(errs, refusal(at, "is beyond the year 9999; send Unix time in milliseconds"))
		}
	}
	if len(errs) == 0 && clip.EndTime <= clip.StartTime {
		errs = append(errs, refusal("body.clip_strategy.end_time", "is not behind start_time; a clip ends after it begins"))
	}
	if len(errs) == 0 && w.source != (storage.Location{}) && !w.source.IsPlaylist() {
		errs = append(errs, refusal("body.clip_strategy", "is of a recording, whose times its playlist tells: url has to end in .m3u8"))
	}
	return errs
}

// outputsOfVOD are the outputs that are asked for, in their order, and the field that each
// one's place stands in.
func outputsOfVOD(submission *VODSubmission) (outputs []jobs.Output, places []string, errs []error) {
	segment := time.Duration(min(max(submission.TargetSegmentSizeSecs, 0), int64(longestSegment/time.Second))) * time.Second
	if segment == 0 {
		segment = usualSegment
	}
	asked := map[string]int{}
	var cut []jobs.Output
	var cutAt []string
	for i := range submission.OutputLocations {
		l := &submission.OutputLocations[i]
		at := fmt.Sprintf("body.output_locations[%d]", i)
		of := outputsOf(l.Outputs, segment)
		clip := l.Outputs != nil && strings.EqualFold(l.Outputs.Clip, vodEnabled)
		if len(of) == 0 && !clip || !strings.EqualFold(l.Type, vodObjectStore) {
			continue // Studio names places of which it wants nothing
		}
		location, err := storage.ParseLocation(string(l.URL))
		switch {
		case l.URL == "":
			errs = append(errs, refusal(at+".url", "is missing"))
			continue
		case err != nil:
			errs = append(errs, refusal(at+".url", reason(err)))
			continue
		case !location.IsS3():
			errs = append(errs, refusal(at+".url", "is no S3 location; use s3+https://KEY:SECRET@host/bucket/prefix, s3+http:// or s3://bucket/prefix"))
			continue
		}
		if clip && !hasHLS(of) { // behind the others: it is not what players are told of
			cut = append(cut, jobs.Output{Type: jobs.OutputHLS, Segment: segment, URL: string(location.Secret()), Shown: location.String()})
			cutAt = append(cutAt, at+".url")
		}
		for _, o := range of {
			if earlier, twice := asked[o.Type]; twice {
				errs = append(errs, refusal(at+".outputs", fmt.Sprintf("asks for what output_locations[%d] asks for too; each output has one place", earlier)))
				break
			}
			asked[o.Type] = i
			if o.Type == jobs.OutputSource && (location.Key() == "" || strings.HasSuffix(location.Key(), "/")) {
				errs = append(errs, refusal(at+".url", "names a folder; the source's copy needs the object's name"))
			}
			o.URL, o.Shown = string(location.Secret()), location.String()
			outputs, places = append(outputs, o), append(places, at+".url")
		}
	}
	_, hls := asked[jobs.OutputHLS]
	_, mp4 := asked[jobs.OutputMP4]
	_, fmp4 := asked[jobs.OutputFMP4]
	if len(errs) == 0 && !hls && !mp4 && !fmp4 {
		errs = append(errs, refusal("body.output_locations", "ask for no video; at least one has to have hls, mp4 or fragmented_mp4 enabled"))
	}
	return append(outputs, cut...), append(places, cutAt...), errs
}

func hasHLS(outputs []jobs.Output) bool {
	return slices.ContainsFunc(outputs, func(o jobs.Output) bool { return o.Type == jobs.OutputHLS })
}

// outputsOf are what a place asks for.
func outputsOf(asked *VODOutputs, segment time.Duration) (outputs []jobs.Output) {
	if asked == nil {
		return nil
	}
	enabled := func(word string) bool { return strings.EqualFold(word, vodEnabled) }
	short := strings.EqualFold(asked.MP4, vodOnlyShort)
	for _, o := range []struct {
		is     bool
		output jobs.Output
	}{
		{enabled(asked.HLS), jobs.Output{Type: jobs.OutputHLS, Segment: segment}},
		{enabled(asked.MP4) || short, jobs.Output{Type: jobs.OutputMP4, OnlyShort: short}},
		{enabled(asked.FMP4), jobs.Output{Type: jobs.OutputFMP4, Segment: segment}},
		{asked.SourceMP4, jobs.Output{Type: jobs.OutputSource}},
		{enabled(asked.Thumbnails), jobs.Output{Type: jobs.OutputThumbnails, Segment: segment}},
	} {
		if o.is {
			outputs = append(outputs, o.output)
		}
	}
	return outputs
}

// vodErrors are what it answers beside 200.
func vodErrors() []int {
	return []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
}
