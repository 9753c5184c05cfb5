package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/receivers"
	"weir/jobs/tenants"
	"weir/secret"
	"weir/storage"
)

type submitInput struct{ request }

type v1Input struct {
	request

	DryRun bool `query:"dry_run" doc:"Look at the source and the output, and say what would be made; nothing is kept."`
}

// Resolve implements huma.Resolver: a dry run that was meant and not understood would be a
// transcode.
func (in *v1Input) Resolve(ctx huma.Context) []error {
	if errs := in.request.Resolve(ctx); len(errs) > 0 {
		return errs
	}
	asked := ctx.URL()
	if values := asked.Query()["dry_run"]; len(values) > 1 || len(values) == 1 && values[0] == "" {
		return []error{refusal("query.dry_run", "must be there once, as true or false")}
	}
	return nil
}

type submitOutput struct {
	Status   int
	Location string `header:"Location" doc:"Path of the transcode; not of a dry run."`
	Body     any    // a view.Transcode, or a DryRun
}

// submit commits a request, or finds the one that it repeats.
func (s *server) submit(ctx context.Context, body jsonBody[Submission], in *v1Input) (*submitOutput, error) {
	tenant, err := submitter(ctx)
	if err != nil {
		return nil, err
	}
	submission, canonical, err := body.read(in.http)
	if err != nil {
		return nil, s.unread(err)
	}
	wanted, errs := s.wanted(&submission)
	wanted.Tenant, wanted.ExternalID, wanted.Body = tenant, submission.ExternalID, canonical
	if err := s.found(ctx, wanted, errs); err != nil {
		return nil, err
	}
	if in.DryRun {
		return s.dryRun(ctx, &wanted.Request)
	}
	accepted, created, err := s.accept(ctx, &wanted.Request, &submission)
	if err != nil {
		return nil, s.problem(ctx, "submit", err)
	}
	detail := wanted.Of(&accepted)
	if !created {
		if detail, err = s.cfg.Transcodes.Get(ctx, tenant, accepted.ID); err != nil {
			return nil, s.problem(ctx, "submit", err)
		}
	}
	out := &submitOutput{Status: http.StatusOK, Location: "/v1/transcodes/" + detail.Transcode.ID.String(), Body: view.Of(&detail)}
	if created {
		out.Status = http.StatusAccepted
	}
	return out, nil
}

// wanted is what a checked body asks for, and what else is wrong with it.
func (s *server) wanted(submission *Submission) (*wanted, []error) {
	wanted, errs := s.places(&fields{
		source: "body.source.url", sourceURL: submission.Source.URL,
		output: "body.output.url", outputURL: submission.Output.URL,
		callback: "body.callback_url", callbackURL: submission.CallbackURL,
	})
	for i := range submission.Profiles {
		p := &submission.Profiles[i]
		wanted.Profiles = append(wanted.Profiles, p.wanted(p.FPSDen))
	}
	errs = append(errs, checkRates(wanted.Profiles)...)
	errs = append(errs, checkNames(wanted.Profiles, wanted.sourceName())...)
	if len(errs) == 0 { // it looks at the places, and at the profiles' names
		errs = append(errs, wanted.outputs(submission.Outputs)...)
	}
	if lp := submission.Livepeer; lp != nil {
		errs = append(errs, checkWeb(lp.APIURL, "body.livepeer.api_url")...)
		wanted.Livepeer = &jobs.Livepeer{AccessToken: string(lp.AccessToken), APIURL: string(lp.APIURL)}
	}
	if c := submission.Clip; c != nil {
		errs = append(errs, wanted.clip(c)...)
	}
	wanted.Form = jobs.FormV1
	wanted.Priority = submission.Priority
	errs = append(errs, checkSecret(submission.CallbackSecret, "body.callback_secret")...)
	wanted.CallbackSecret = submission.CallbackSecret
	errs = append(errs, wanted.subscribe(submission.Events, submission.EventsURL)...)
	if text := submission.Metadata.RawMessage; string(text) != "null" { // as if it were left out
		wanted.Metadata = text
	}
	wanted.Labels = submission.Labels
	return wanted, errs
}

const (
	// maxClipMS is the end of the year 9999, as a time of day.
	maxClipMS = 253_402_300_799_999
	// leastUnixMS is in 1973: what lies before was meant otherwise, in seconds most likely.
	leastUnixMS = 100_000_000_000
)

// clip checks a part of the source, and adds it to the request.
func (w *wanted) clip(asked *WantedClip) (errs []error) {
	clip := &jobs.Clip{StartMS: asked.StartMS, EndMS: asked.EndMS, Clock: cmp.Or(strings.ToLower(asked.Clock), jobs.ClockSource)}
	w.Clip = clip
	if clip.EndMS <= clip.StartMS {
		errs = append(errs, refusal("body.clip.end_ms", "is not behind start_ms; a clip ends after it begins"))
	}
	switch {
	case clip.Clock != jobs.ClockUnix:
	case w.source != (storage.Location{}) && !w.source.IsPlaylist():
		errs = append(errs, refusal("body.clip.clock", "is unix, and the source is no playlist (.m3u8), which alone tells times of day; use source"))
	case clip.StartMS < leastUnixMS:
		errs = append(errs, refusal("body.clip.start_ms", "is no Unix time in milliseconds"))
	}
	return errs
}

// accept commits wanted; shown is the body as people may see it.
func (s *server) accept(ctx context.Context, wanted *jobs.Request, shown any) (t dbsqlc.Transcode, created bool, err error) {
	if wanted.Shown, err = json.Marshal(shown); err != nil {
		return t, false, fmt.Errorf("describe the request: %w", err)
	}
	return s.cfg.Accept(ctx, wanted)
}

// submitter is the tenant whose transcode a post will be.
func submitter(ctx context.Context) (string, error) {
	who := callerOf(ctx)
	if who == anyTenant {
		return "", huma.Error403Forbidden("an operator's token submits nothing: use a tenant's")
	}
	return string(who), nil
}

// unread passes a refusal of a body on; anything else is our own fault.
func (s *server) unread(err error) error {
	if _, refused := err.(huma.StatusError); refused { //nolint:errorlint // made by read, never wrapped
		return err
	}
	s.cfg.Logger.Error("request failed", "operation", "read the body", "error", err)
	return huma.Error500InternalServerError(internalDetail)
}

// fields are the URLs of a request and where in its body they stand.
type fields struct {
	source, output, callback string
	// outputs are those of the outputs' places; none: each has its own in body.outputs.
	outputs                           []string
	sourceURL, outputURL, callbackURL SecretURL
}

// wanted is a request in the making.
type wanted struct {
	jobs.Request
	source, output storage.Location
	at             *fields
}

// places checks the URLs of a request.
func (s *server) places(f *fields) (*wanted, []error) {
	w := &wanted{at: f}
	var errs []error
	add := func(at, message string) { errs = append(errs, refusal(at, message)) }

	source, err := s.source(f.sourceURL)
	switch {
	case err != nil:
		add(f.source, reason(err))
	case source.IsS3() && (source.Key() == "" || strings.HasSuffix(source.Key(), "/")):
		add(f.source, "names a folder; add the object's name")
	case !source.IsS3() && !s.cfg.AllowHTTPSource && strings.HasPrefix(source.String(), "http://"):
		add(f.source, "is without TLS, which is not allowed here; use https:// or an S3 form")
	}
	output, err := storage.ParseLocation(string(f.outputURL))
	switch {
	case err != nil:
		add(f.output, reason(err))
	case !output.IsS3():
		add(f.output, "is no S3 location; use s3://bucket/prefix, s3+https:// or s3+http://")
	}
	callback, fault := webLocation(f.callbackURL)
	if fault != "" {
		add(f.callback, fault)
	}
	if len(errs) > 0 {
		return w, errs
	}
	w.source, w.output = source, output
	w.SourceURL, w.SourceShown = string(source.Secret()), source.String()
	w.OutputURL, w.OutputShown = string(output.Secret()), output.String()
	w.CallbackURL, w.CallbackShown = string(callback.Secret()), callback.String()
	return w, nil
}

// source is where a source is, content of a network of its own at the gateway that leads to it.
func (s *server) source(url SecretURL) (storage.Location, error) {
	at, err := s.cfg.Gateways.Resolve(string(url))
	if err != nil {
		return storage.Location{}, err
	}
	return storage.ParseLocation(at)
}

// found refuses what is wrong with a request; where nothing is, it finds the stores that it
// leads to.
func (s *server) found(ctx context.Context, w *wanted, errs []error) error {
	if len(errs) == 0 {
		var err error
		if errs, err = s.lead(ctx, w); err != nil {
			return s.problem(ctx, "submit", err)
		}
	}
	if len(errs) > 0 {
		return refuse(errs)
	}
	return nil
}

// lead finds the stores of the tenant that its s3:// locations lead to, and names them in
// the locations: a store that is made later takes none of them over.
func (s *server) lead(ctx context.Context, w *wanted) ([]error, error) {
	places := []led{
		{w.at.source, &w.SourceURL, tenants.Read, &w.source},
		{w.at.output, &w.OutputURL, tenants.Write, &w.output},
	}
	for i := range w.Outputs {
		at := fmt.Sprintf("body.outputs[%d].url", i)
		if len(w.at.outputs) > 0 {
			at = w.at.outputs[i]
		}
		places = append(places, led{at, &w.Outputs[i].URL, tenants.Write, nil})
	}
	var errs []error
	for _, place := range places {
		location, err := storage.ParseLocation(*place.url)
		if err != nil || !location.NeedsServer() {
			continue // places has looked at it
		}
		name, err := s.stores.Choose(ctx, w.Tenant, location.Store(), location.Bucket(), location.Key(), place.use)
		switch {
		case errors.Is(err, tenants.ErrNoStore):
			errs = append(errs, refusal(place.at, err.Error()))
		case err != nil:
			return nil, fmt.Errorf("find the store: %w", err)
		default:
			location = location.InStore(name)
			*place.url = string(location.Secret())
			if place.location != nil {
				*place.location = location
			}
		}
	}
	return once(errs), nil
}

// led is a location that a store may be needed for; location is its parsed form, where
// that is looked at again.
type led struct {
	at       string
	url      *string
	use      tenants.Use
	location *storage.Location
}

// sourceName is the name of the source's file without its ending where it lies in
// the output's folder, else "".
func (w *wanted) sourceName() string {
	if !w.source.IsS3() || !w.output.IsS3() {
		return ""
	}
	file := path.Base(w.source.Key())
	if w.output.Join(file).String() != w.source.String() {
		return ""
	}
	return strings.TrimSuffix(file, path.Ext(file))
}

// checkWeb refuses what is neither empty nor an http(s) URL.
func checkWeb(text SecretURL, at string) []error {
	if text == "" {
		return nil
	}
	if _, fault := webLocation(text); fault != "" {
		return []error{refusal(at, fault)}
	}
	return nil
}

// webLocation is an http(s) URL, or what is wrong with it.
func webLocation(text SecretURL) (location storage.Location, fault string) {
	if scheme, _, is := strings.Cut(strings.ToLower(string(text)), "://"); !is || scheme != "http" && scheme != "https" {
		return location, "must begin with http:// or https://"
	}
	location, err := storage.ParseLocation(string(text))
	if err != nil {
		return location, reason(err)
	}
	return location, ""
}

// reason is what storage says of a location, which repeats nothing of it.
func reason(err error) string {
	if wrong, ok := err.(*storage.Error); ok { //nolint:errorlint // documented so, never wrapped
		return wrong.Err.Error()
	}
	return "is no location"
}

func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, refuse([]error{refusal("path.id", "is no transcode's id, which is a UUID")})
	}
	return id, nil
}

// subscribe has events told, each once however often it is named.
func (w *wanted) subscribe(events []string, url SecretURL) []error {
	for _, name := range events {
		if name = strings.ToLower(name); !slices.Contains(w.Events, name) { // words are taken in any case
			w.Events = append(w.Events, name)
		}
	}
	if url == "" {
		return nil
	}
	if len(events) == 0 {
		return []error{refusal("body.events_url", "is for events, and none are named in events")}
	}
	if errs := checkWeb(url, "body.events_url"); len(errs) > 0 {
		return errs
	}
	w.EventsURL, w.EventsShown = string(url), url.String()
	return nil
}

// checkSecret refuses what can't sign.
func checkSecret(text secret.Secret, at string) []error {
	if text == "" {
		return nil
	}
	if err := receivers.CheckSecret(text); err != nil {
		return []error{refusal(at, err.Error())}
	}
	return nil
}
