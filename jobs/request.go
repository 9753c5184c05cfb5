package jobs

import (
	"encoding/json"
	"time"

	"weir/db/dbsqlc"
	"weir/secret"
)

// The forms of the API that a request comes by.
const (
	// FormV1 is POST /v1/transcodes.
	FormV1 = "v1"
	// FormFile is the old POST /api/transcode/file.
	FormFile = "file"
	// FormVOD is Studio's POST /api/vod. Under one external_id it may bring one transcode
	// after the other ([Transcodes.Accept]).
	FormVOD = "vod"
)

// Request is what Accept takes: checked by whoever read it, with whole URLs. It
// holds secrets and must not be logged; what is stored of them is sealed.
type Request struct {
	Tenant string
	// ExternalID is the caller's own id, unique within the tenant; empty: none.
	ExternalID string
	Form       string
	// SourceURL, OutputURL (a prefix) and CallbackURL may hold credentials.
	SourceURL, OutputURL, CallbackURL string
	// The same for people, without secrets.
	SourceShown, OutputShown, CallbackShown string
	// CallbackSecret signs what is told of it; empty: the tenant's secrets do, or the daemon's.
	CallbackSecret secret.Secret
	// Livepeer overrides the daemon's way to Livepeer; nil: none.
	Livepeer *Livepeer
	// Profiles are at most 10, their names unique; none: the default ladder, made from the
	// source.
	Profiles []Profile
	// Outputs are what is made of the renditions; none: their files alone, at OutputURL.
	Outputs []Output
	// Clip is the part of the source that is transcoded; nil: all of it.
	Clip *Clip
	// Priority is MostUrgent to LeastUrgent; nil: DefaultPriority.
	Priority *int
	// Events are the types that it subscribes to, each told by a message of its own, to
	// EventsURL; that is empty for where the callback goes, and may hold credentials.
	// EventsShown is the same for people.
	Events                 []string
	EventsURL, EventsShown string
	// Metadata is an object of the caller's own, and Labels are what lists can be filtered
	// by; neither holds a secret. Nil: none.
	Metadata json.RawMessage
	Labels   map[string]string
	// Shown is the body without its secrets, as JSON for people.
	Shown json.RawMessage
	// Body is the body's canonical JSON, secrets included: two requests are the
	// same when these bytes are. Only a keyed digest of it is stored.
	Body []byte
}

// Of is a transcode that was made of the request just now, before anything was done for it.
// Where it stands in the queue is not told: counting costs more than all else of an
// acceptance.
func (r *Request) Of(t *dbsqlc.Transcode) Detail {
	d := Detail{Transcode: *t}
	for i, p := range r.Profiles {
		d.Renditions = append(d.Renditions, dbsqlc.Rendition{
			TranscodeID: t.ID, Name: p.Name, Ordinal: int32(i), Width: int32(p.Width), Height: int32(p.Height),
			Bitrate: p.Bitrate, Quality: int32(p.Quality), FPS: int32(p.FPS), FPSDen: int32(p.FPSDen), GOP: p.GOP,
			CodecProfile: p.CodecProfile, State: RenditionExpected,
		})
	}
	for i, o := range r.Outputs {
		d.Outputs = append(d.Outputs, dbsqlc.Output{
			TranscodeID: t.ID, Ordinal: int32(i), Type: o.Type, URL: o.Shown,
			SegmentMs: int32(o.Segment.Milliseconds()), OnlyShort: o.OnlyShort, State: OutputExpected,
		})
	}
	return d
}

// Profile is one requested rendition.
type Profile struct {
	Name string
	// Width and Height are a box: the rendition keeps the source's aspect inside of it.
	// Both 0: the source's size.
	Width, Height int
	// Bitrate in bits a second; with a Quality it is the most.
	Bitrate int64
	// Quality is constant, as x264's CRF; 0: none.
	Quality int
	// FPS are whole frames in FPSDen seconds, as a Broadcaster takes them: 0 is the
	// source's, and 0 seconds are 1.
	FPS, FPSDen int
	// GOP and CodecProfile are MistProcLivepeer's, empty for its defaults.
	GOP, CodecProfile string
}

// What a clip's bounds count from.
const (
	// ClockSource counts from the source's first picture.
	ClockSource = "source"
	// ClockUnix is the time of day, which playlists of recordings tell.
	ClockUnix = "unix"
)

// Clip is a part of a source, from a time up to another, in milliseconds.
type Clip struct {
	StartMS, EndMS int64
	Clock          string
}

// ClipOf is a transcode's, nil where it is of the whole source.
func ClipOf(t *dbsqlc.Transcode) *Clip {
	if t.ClipStartMs == nil || t.ClipEndMs == nil || t.ClipClock == nil {
		return nil
	}
	return &Clip{StartMS: *t.ClipStartMs, EndMS: *t.ClipEndMs, Clock: *t.ClipClock}
}

// Livepeer is a request's own way to Livepeer.
type Livepeer struct {
	AccessToken string `json:"access_token"`
	APIURL      string `json:"api_url"`
}

// The types of an [Output].
const (
	// OutputTS are the verified renditions themselves.
	OutputTS = "ts"
	// OutputHLS is a master playlist, and a playlist and segments for each rendition.
	OutputHLS = "hls"
	// OutputMP4 is a file for each rendition, its index in front.
	OutputMP4 = "mp4"
	// OutputFMP4 are fragments with manifests for HLS and DASH.
	OutputFMP4 = "fmp4"
	// OutputSource is a copy of the source as it is.
	OutputSource = "source"
	// OutputThumbnails are pictures and the WebVTT file that names them.
	OutputThumbnails = "thumbnails"
)

// Output is one thing that is made of a transcode.
type Output struct {
	Type string
	// URL is its folder, for a source copy the object itself; it may hold
	// credentials. Shown is the same for people.
	URL, Shown string
	// Segment is how long segments shall be, where there are any; 0: the default.
	Segment time.Duration
	// OnlyShort: none for sources of over two minutes.
	OnlyShort bool
}
