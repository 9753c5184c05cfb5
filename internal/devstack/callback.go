package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"time"
)

// The statuses that Studio's task runner knows.
const (
	statusSuccess = "success"
	statusError   = "error"
)

// Callback is one callback as it was received.
type Callback struct {
	// At is when it arrived, Task the last part of its address, Answer the HTTP
	// status it got, 0 for none: a reset connection, a sender that hung up. A body
	// says nothing of these.
	At     time.Time   `json:"-"`
	Task   string      `json:"-"`
	Header http.Header `json:"-"`
	Body   []byte      `json:"-"`
	Answer int         `json:"-"`

	// What the body says; zero where it is no JSON.
	Ratio       float64   `json:"completion_ratio"`
	Status      string    `json:"status"`
	Timestamp   int64     `json:"timestamp"` // Unix seconds
	Error       string    `json:"error"`
	Unretriable bool      `json:"unretriable"`
	RequestID   string    `json:"request_id"` // the transcode's id
	EventID     string    `json:"event_id"`   // the same whenever it is delivered again
	ExternalID  string    `json:"external_id"`
	Type        string    `json:"type"`
	VideoSpec   VideoSpec `json:"video_spec"`
	Outputs     []Output  `json:"outputs"`
}

// VideoSpec describes the source.
type VideoSpec struct {
	Format   string            `json:"format"`
	Tracks   []json.RawMessage `json:"tracks"`
	Duration float64           `json:"duration"` // seconds
	Size     int64             `json:"size"`     // bytes
}

// Output is where renditions are.
type Output struct {
	Type     string  `json:"type"`
	Manifest string  `json:"manifest"`
	Videos   []Video `json:"videos"`
	// MP4s are files, and manifests of fragments.
	MP4s []Video `json:"mp4_outputs"`
}

// Video is one rendition's object.
type Video struct {
	Type     string `json:"type"`
	Size     int64  `json:"size"` // bytes
	Location string `json:"location"`
}

// Terminal tells whether the callback ends its transcode.
func (c *Callback) Terminal() bool { return c.Status == statusSuccess || c.Status == statusError }

// Accepted tells whether the sender was told that all is well.
func (c *Callback) Accepted() bool {
	return c.Answer >= http.StatusOK && c.Answer < http.StatusMultipleChoices
}

// read fills in what the body says, and checks the callback by itself.
func (c *Callback) read(r *http.Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("method %s, want POST", r.Method)
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return fmt.Errorf("content type %q, want application/json", r.Header.Get("Content-Type"))
	}
	if err := json.Unmarshal(c.Body, c); err != nil {
		return fmt.Errorf("not the JSON of a callback: %w", err)
	}
	statuses := []string{"preparing", "preparing-completed", "transcoding", statusSuccess, statusError}
	switch {
	case !slices.Contains(statuses, c.Status):
		return fmt.Errorf("unknown status %q, want one of %q", c.Status, statuses)
	case c.RequestID == "":
		return errors.New("request_id is missing")
	case c.Terminal() && c.EventID == "":
		return errors.New("event_id is missing: nobody could tell a second delivery from a second event")
	case c.Ratio < 0 || c.Ratio > 1:
		return fmt.Errorf("completion_ratio %v, want 0 to 1", c.Ratio)
	// A time in milliseconds would be a year far in the future.
	case c.At.Sub(time.Unix(c.Timestamp, 0)).Abs() > timestampSlack:
		return fmt.Errorf("timestamp %d is not now in Unix seconds", c.Timestamp)
	case c.Status == statusError && c.Error == "":
		return errors.New("an error without its text")
	case c.Status == statusSuccess:
		return c.checkSuccess()
	}
	return nil
}

// timestampSlack lets a callback be delivered late: retries go on for a day.
const timestampSlack = 25 * time.Hour

// checkSuccess looks for what Studio's finalize step reads.
func (c *Callback) checkSuccess() error {
	switch {
	case c.Ratio != 1:
		return fmt.Errorf("completion_ratio %v at success, want 1", c.Ratio)
	case c.Type != "video":
		return fmt.Errorf("type %q, want video", c.Type)
	case c.VideoSpec.Duration <= 0 || c.VideoSpec.Size <= 0 || len(c.VideoSpec.Tracks) == 0:
		return errors.New("video_spec lacks a duration, a size or tracks")
	case len(c.Outputs) == 0:
		return errors.New("no outputs")
	}
	for i, output := range c.Outputs {
		if output.Type == "" || output.Manifest == "" && len(output.Videos) == 0 {
			return fmt.Errorf("output %d lacks a type, or both a manifest and videos", i)
		}
		for j, video := range slices.Concat(output.Videos, output.MP4s) {
			if video.Type == "" || video.Location == "" || video.Size <= 0 {
				return fmt.Errorf("output %d, video %d lacks a type, a location or a size", i, j)
			}
		}
	}
	return nil
}

// follows checks the callback against those received before for the same
// transcode.
func (c *Callback) follows(before []Callback) error {
	for _, b := range before {
		switch {
		case b.Terminal() && !c.Terminal():
			return fmt.Errorf("comes after the terminal callback %s", b.EventID)
		case b.Terminal() && b.EventID != c.EventID:
			return fmt.Errorf("a second terminal callback: event %s after event %s", c.EventID, b.EventID)
		// Studio drops an update whose ratio is lower, and the sign of life with
		// it. An error's ratio it does not read.
		case c.Status != statusError && c.Ratio < b.Ratio:
			return fmt.Errorf("completion_ratio fell from %v to %v", b.Ratio, c.Ratio)
		}
	}
	return nil
}
