package jobs

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// status is where a transcode is, in the words that Studio's task runner knows;
// it takes no others.
type status string

// The statuses. Success and error are terminal.
const (
	statusPreparing         status = "preparing"
	statusPreparingComplete status = "preparing-completed"
	statusTranscoding       status = "transcoding"
	statusSuccess           status = "success"
	statusError             status = "error"
)

// cancelledWords: Studio has no status of its own for what was cancelled.
const cancelledWords = "the transcode was cancelled"

// The types that Studio's task runner compares.
const (
	// typeVideo is the type of every success.
	typeVideo = "video"
	// outputObjectStore is the type of an output in S3.
	outputObjectStore = "object_store"
	// fileTS is the type of a rendition in an MPEG transport stream, fileHLS of a rendition's
	// playlist, fileMP4 of a whole file, and fileFragmented of a manifest of fragments.
	fileTS         = "ts"
	fileHLS        = "hls"
	fileMP4        = "mp4"
	fileFragmented = "fmp4-master-playlist"
)

// message is the body of a callback. The first six fields and the three of a
// success are Studio's wire format; the others are ours. The order of the fields
// is the order on the wire.
type message struct {
	// CompletionRatio is 0 to 1. The task runner drops an update whose ratio is
	// below the last one's, and with it the sign of life: it must never go down,
	// over attempts neither.
	CompletionRatio float64 `json:"completion_ratio"`
	Status          status  `json:"status"`
	// Timestamp is in Unix seconds.
	Timestamp int64  `json:"timestamp"`
	Error     string `json:"error,omitempty"`
	// Unretriable: asking again with the same request can't succeed.
	Unretriable bool   `json:"unretriable,omitempty"`
	RequestID   string `json:"request_id"`

	// EventID is in terminal messages alone, the same in every delivery.
	EventID    string `json:"event_id,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	// Run counts from 1, one more for each retry: a terminal message ends its run, and none
	// of a run comes behind one of the next.
	Run int `json:"run"`
	// Attempt counts the transcode's tries; 0: none has begun.
	Attempt   int    `json:"attempt"`
	ErrorCode string `json:"error_code,omitempty"`
	// Metadata and Labels are the request's.
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Labels   json.RawMessage `json:"labels,omitempty"`
	// Missed are events of the tenant that could not be delivered in a day.
	Missed []uuid.UUID `json:"missed,omitempty"`
	// Stage, Speed and ETASeconds are in statuses alone: what is being done, in media
	// seconds a second, and how long all will take still; the latter two where they are
	// known.
	Stage      Stage    `json:"stage,omitempty"`
	Speed      *float64 `json:"speed,omitempty"`
	ETASeconds *float64 `json:"eta_seconds,omitempty"`
	// Warnings are in terminal messages alone.
	Warnings []Warning `json:"warnings,omitempty"`

	Type      string     `json:"type,omitempty"`
	VideoSpec *videoSpec `json:"video_spec,omitempty"`
	Outputs   []output   `json:"outputs,omitempty"`
}

// videoSpec is what the source is.
type videoSpec struct {
	Format string  `json:"format"`
	Tracks []track `json:"tracks"`
	// Duration in seconds.
	Duration float64 `json:"duration"`
	// Size in bytes.
	Size int64 `json:"size"`
}

// track is a track of the source, video or audio.
type track struct {
	Type  string `json:"type"`
	Codec string `json:"codec"`
	// Bitrate in bits a second.
	Bitrate int64 `json:"bitrate"`
	// Duration and StartTime in seconds, Size in bytes.
	Duration  float64 `json:"duration"`
	Size      int64   `json:"size"`
	StartTime float64 `json:"start_time"`

	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	PixelFormat string `json:"pixel_format,omitempty"`
	// FPS is in frames per 1,000 seconds on the wire, because the task runner
	// divides it by 1,000. [track.video] sets it and FrameRate, the same in frames a
	// second.
	FPS       float64 `json:"fps,omitempty"`
	FrameRate float64 `json:"frame_rate,omitempty"`

	Channels   int `json:"channels,omitempty"`
	SampleRate int `json:"sample_rate,omitempty"`
	SampleBits int `json:"sample_bits,omitempty"`
}

// wireFPS is what the task runner divides a track's fps by.
const wireFPS = 1000

// video is a copy of t with its frame rate set, given in frames a second.
func (t track) video(frameRate float64) track {
	t.FPS = math.Round(frameRate * wireFPS)
	t.FrameRate = frameRate
	return t
}

// output is one place with what was written there.
type output struct {
	Type string `json:"type"`
	// Manifest is the master playlist's URL, or where else a player begins; empty where
	// renditions are plain files.
	Manifest string       `json:"manifest"`
	Videos   []storedFile `json:"videos"`
	// MP4Outputs are MP4 files, and the manifests of fragmented ones.
	MP4Outputs []storedFile `json:"mp4_outputs,omitempty"`
}

// storedFile is one rendition, or what was made of it.
type storedFile struct {
	Type string `json:"type"`
	// Size in bytes.
	Size int64 `json:"size"`
	// Location is the object's URL, without credentials.
	Location string `json:"location"`

	Name   string `json:"name,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	// Bitrate in bits a second.
	Bitrate int64 `json:"bitrate,omitempty"`
}

// subject is what every message says: of which transcode, and how far it is.
type subject struct {
	RequestID string
	// ExternalID is the caller's own id; empty: none.
	ExternalID string
	// Metadata and Labels are the request's, as JSON objects; nil: none.
	Metadata, Labels json.RawMessage
	// Run and Attempt are the newest ones; attempt 0: none has begun.
	Run, Attempt int
	// Ratio is the highest told so far or more; what is outside of 0 to 1 is
	// moved to the nearer end.
	Ratio float64
	// At is when it was so.
	At time.Time
}

// success is the terminal message of a transcode whose renditions are all
// verified. Its ratio is 1 whatever the subject says.
func (s subject) success(eventID string, spec videoSpec, outputs []output) message {
	s.Ratio = 1
	m := s.message(statusSuccess)
	if spec.Tracks == nil {
		spec.Tracks = []track{} // the task runner reads a list
	}
	m.EventID, m.Type, m.VideoSpec, m.Outputs = eventID, typeVideo, &spec, outputs
	return m
}

// failure is the terminal message of a transcode that failed: its code from the
// failure table, words for people without secrets, and whether asking again may
// help.
func (s subject) failure(eventID, code, words string, retriable bool) message {
	m := s.message(statusError)
	m.EventID, m.ErrorCode, m.Error, m.Unretriable = eventID, code, words, !retriable
	return m
}

// cancelled is the terminal message of a transcode that was cancelled: an error
// that nobody shall retry.
func (s subject) cancelled(eventID string) message {
	return s.failure(eventID, CodeCancelled, cancelledWords, false)
}

// body is the JSON that is sent. It is made once and kept, because a signature
// holds for these bytes only.
func (m message) body() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("callback of %s: %w", m.RequestID, err)
	}
	return body, nil
}

func (s subject) message(is status) message {
	ratio := min(max(s.Ratio, 0), 1)
	if math.IsNaN(s.Ratio) {
		ratio = 0
	}
	return message{
		CompletionRatio: ratio, Status: is, Timestamp: s.At.Unix(),
		RequestID: s.RequestID, ExternalID: s.ExternalID, Run: s.Run, Attempt: s.Attempt,
		Metadata: s.Metadata, Labels: s.Labels,
	}
}
