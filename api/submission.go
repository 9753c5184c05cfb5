package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
	"weir/jobs/receivers"
	"weir/secret"
	"weir/storage"
)

// Submission is the body of POST /v1/transcodes.
type Submission struct {
	ExternalID     string            `json:"external_id,omitempty" doc:"The caller's own id, unique within the tenant: makes a post safe to repeat." example:"task-4711"`
	Source         Place             `json:"source" doc:"The video: s3://bucket/key in a store of the tenant, s3+https://KEY:SECRET@host/bucket/key, s3+http://..., https://host/path."`
	Output         Place             `json:"output" doc:"The folder for renditions: s3://bucket/prefix, s3+https://KEY:SECRET@host/bucket/prefix, s3+http://..."`
	CallbackURL    SecretURL         `json:"callback_url" doc:"Where status and outcome are posted: http or https." example:"https://studio.example/hooks/4711"`
	CallbackSecret secret.Secret     `json:"callback_secret,omitempty" doc:"Signs what is posted for this transcode, in place of the tenant's secrets; it is sealed and never shown." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
	Profiles       []Profile         `json:"profiles,omitempty" doc:"The renditions, at most 10; none, or an empty list: the default ladder."`
	Outputs        []WantedOutput    `json:"outputs,omitempty" nullable:"false" doc:"What is made of the renditions, up to 16; without it, their files alone (ts)."`
	Clip           *WantedClip       `json:"clip,omitempty" doc:"The part of the source that is transcoded; without it, all of it."`
	Priority       *int              `json:"priority,omitempty" doc:"0, the most urgent, to 9, what may wait longest; 5 where it is left out. It orders the tenant's own queue."`
	Events         []string          `json:"events,omitempty" nullable:"false" doc:"Events to be told of, each by a message of its own, to events_url or, without it, to callback_url."`
	EventsURL      SecretURL         `json:"events_url,omitempty" doc:"Where the events go, where that is not callback_url: http or https." example:"https://studio.example/events"`
	Metadata       Metadata          `json:"metadata,omitzero" doc:"The caller's own, up to 4096 bytes of JSON, 4 levels and 64 keys; it comes back in the API, callbacks and events, and is no place for secrets."`
	Labels         map[string]string `json:"labels,omitempty" doc:"Up to 16, by which lists can be filtered; keys of letters, digits, '_', '.', '/' and '-', up to 64. They come back as metadata does, and are no place for secrets."`
	Livepeer       *Livepeer         `json:"livepeer,omitempty" doc:"Another way to Livepeer than the daemon's own."`
}

// TransformSchema implements huma.SchemaTransformer: the limits, by their names.
func (Submission) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	upTo(s.Properties["external_id"], maxExternalID)
	matching(s.Properties["external_id"], printablePattern, printablePatternDescription)
	upTo(s.Properties["callback_url"], maxURL)
	s.Properties["outputs"].MinItems, s.Properties["outputs"].MaxItems = new(1), new(maxOutputs)
	between(s.Properties["priority"], jobs.MostUrgent, jobs.LeastUrgent)
	s.Properties["profiles"].MaxItems = new(maxProfiles)
	s.Properties["callback_secret"].MinLength, s.Properties["callback_secret"].MaxLength = new(receivers.MinSecret), new(receivers.MaxSecret)
	labelsOf(s.Properties["labels"])
	eventsOf(s.Properties["events"])
	upTo(s.Properties["events_url"], maxURL)
	return s
}

// eventsOf gives the schema of a list of events its words.
func eventsOf(s *huma.Schema) {
	for _, name := range receivers.EventTypes() {
		s.Items.Enum = append(s.Items.Enum, name)
	}
	s.MaxItems = new(len(s.Items.Enum))
}

// Place is where a source or an output is.
type Place struct {
	URL SecretURL `json:"url" example:"s3://media/in/1.mp4"`
}

// TransformSchema implements huma.SchemaTransformer.
func (Place) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	upTo(s.Properties["url"], maxURL)
	return s
}

// WantedClip is the part of a source that is transcoded.
type WantedClip struct {
	StartMS int64  `json:"start_ms" doc:"Where it begins, in milliseconds; a frame at this time belongs to it." example:"61500"`
	EndMS   int64  `json:"end_ms" doc:"Where it ends; a frame at this time does not belong to it." example:"90000"`
	Clock   string `json:"clock,omitempty" doc:"What the times count from: source (the usual one), from the first picture on; unix, the time of day that the playlist of a recording tells."`
}

// TransformSchema implements huma.SchemaTransformer.
func (WantedClip) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	between(s.Properties["start_ms"], 0, maxClipMS)
	between(s.Properties["end_ms"], 0, maxClipMS)
	s.Properties["clock"].Enum = []any{jobs.ClockSource, jobs.ClockUnix}
	return s
}

// Livepeer is a request's own way to Livepeer.
type Livepeer struct {
	AccessToken secret.Secret `json:"access_token" doc:"For Livepeer's API; it is sealed and never shown."`
	APIURL      SecretURL     `json:"api_url,omitempty" doc:"Livepeer's API, where it is not the usual one." example:"https://livepeer.studio/api"`
}

// TransformSchema implements huma.SchemaTransformer.
func (Livepeer) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	upTo(s.Properties["access_token"], maxAccessToken)
	matching(s.Properties["access_token"], printablePattern, printablePatternDescription)
	upTo(s.Properties["api_url"], maxURL)
	return s
}

// SecretURL may hold credentials: it prints, and is marshalled, without userinfo,
// query and fragment. string(u) is the whole.
type SecretURL string

// String implements fmt.Stringer.
func (u SecretURL) String() string {
	location, err := storage.ParseLocation(string(u))
	if err != nil {
		return "[redacted]"
	}
	return location.String()
}

// GoString implements fmt.GoStringer.
func (u SecretURL) GoString() string { return u.String() }

// MarshalText implements encoding.TextMarshaler, and with it JSON and slog.
func (u SecretURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Ignored is a field that the old form has and nobody reads, of any type. It may
// hold a secret, so it is not even kept.
type Ignored struct{}

// Schema implements huma.SchemaProvider.
func (Ignored) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// UnmarshalJSON implements json.Unmarshaler.
func (*Ignored) UnmarshalJSON([]byte) error { return nil }

var _ json.Unmarshaler = (*Ignored)(nil)
