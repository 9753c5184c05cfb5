package devstack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"weir/secret"
)

const (
	// maxAnswer bounds what is read of an answer; a page of transcodes has 100 kB.
	maxAnswer = 4 << 20
	// answerTimeout bounds one request to the API, which answers in milliseconds.
	answerTimeout = 30 * time.Second
)

// API speaks to the daemon's HTTP API as Studio does. Safe for concurrent use.
type API struct {
	// URL is the API's address without a path.
	URL string
	// Token is the bearer token, which names the tenant.
	Token secret.Secret
}

// Request asks for a transcode.
type Request struct {
	ExternalID  string    `json:"external_id,omitempty"`
	Source      Location  `json:"source"`
	Output      Location  `json:"output"`
	CallbackURL string    `json:"callback_url"`
	Profiles    []Profile `json:"profiles"`
	Outputs     []Wanted  `json:"outputs,omitempty"`
	Clip        *Part     `json:"clip,omitempty"`
}

// Part is the part of the source that is wanted, from its first picture on.
type Part struct {
	StartMS int64 `json:"start_ms"`
	EndMS   int64 `json:"end_ms"`
}

// Wanted is what is to be made of the renditions.
type Wanted struct {
	Type           string `json:"type"`
	URL            string `json:"url,omitempty"`
	SegmentSeconds int    `json:"segment_seconds,omitempty"`
	OnlyShort      bool   `json:"only_short,omitempty"`
}

// Location names an object, or a prefix of objects, with the keys to it.
type Location struct {
	URL string `json:"url"`
}

// Profile is one wanted rendition.
type Profile struct {
	Name    string  `json:"name"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Bitrate int     `json:"bitrate"` // bits a second
	FPS     float64 `json:"fps,omitempty"`
}

// Transcode is what the API says of one.
type Transcode struct {
	ID         string  `json:"id"`
	ExternalID string  `json:"external_id"`
	State      string  `json:"state"`
	Stage      string  `json:"stage"`
	Ratio      float64 `json:"ratio"` // 0 to 1
	Attempt    int     `json:"attempt"`
	Host       string  `json:"host"`
	Source     struct {
		Location   string `json:"location"`
		DurationMS int64  `json:"duration_ms"`
		Frames     int64  `json:"frames"`
		Width      int    `json:"width"`
		Height     int    `json:"height"`
	} `json:"source"`
	Renditions []Rendition `json:"renditions"`
	Outputs    []Made      `json:"outputs"`
	Error      *Failure    `json:"error"`
	Callback   *struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		Attempts int    `json:"attempts"`
	} `json:"callback"`
	CreatedAt  time.Time  `json:"created_at"`
	StartedAt  *time.Time `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Rendition is what the API says of one.
type Rendition struct {
	Name       string  `json:"name"`
	State      string  `json:"state"`
	Ratio      float64 `json:"ratio"` // 0 to 1
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	Frames     int64   `json:"frames"`
	DurationMS int64   `json:"duration_ms"`
	Bytes      int64   `json:"bytes"`
	Location   string  `json:"location"`
}

// Made is what the API says of an output.
type Made struct {
	Type     string `json:"type"`
	State    string `json:"state"`
	Location string `json:"location"`
	Manifest string `json:"manifest"`
	Skipped  string `json:"skipped"`
	Bytes    int64  `json:"bytes"`
	Objects  []struct {
		Kind      string `json:"kind"`
		Rendition string `json:"rendition"`
		Location  string `json:"location"`
		Bytes     int64  `json:"bytes"`
		Objects   int    `json:"objects"`
	} `json:"objects"`
}

// Failure says why a transcode failed.
type Failure struct {
	Code      string `json:"code"`
	Stage     string `json:"stage"`
	Blame     string `json:"blame"`
	Retriable bool   `json:"retriable"`
	Message   string `json:"message"`
}

// Terminal tells whether the transcode has ended.
func (t *Transcode) Terminal() bool {
	return t.State == "succeeded" || t.State == "failed" || t.State == "cancelled"
}

// StatusError is an answer that is no 2xx.
type StatusError struct {
	// Op is the request, Status the HTTP status, Body the problem document.
	Op     string
	Status int
	Body   string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("%s: HTTP %d: %s", e.Op, e.Status, e.Body) }

// Submit posts a request and returns the transcode as it was accepted. A
// refusal is a *[StatusError].
func (a *API) Submit(ctx context.Context, req *Request) (*Transcode, error) {
	return a.transcode(ctx, http.MethodPost, "/v1/transcodes", req)
}

// Transcode returns the present state of a transcode.
func (a *API) Transcode(ctx context.Context, id string) (*Transcode, error) {
	return a.transcode(ctx, http.MethodGet, "/v1/transcodes/"+id, nil)
}

// Cancel asks for a transcode to be cancelled.
func (a *API) Cancel(ctx context.Context, id string) (*Transcode, error) {
	return a.transcode(ctx, http.MethodPost, "/v1/transcodes/"+id+"/cancel", nil)
}

// Await polls until the transcode is as wanted.
func (a *API) Await(ctx context.Context, id string, wanted func(*Transcode) bool) (*Transcode, error) {
	for {
		asked := time.Now()
		t, err := a.Transcode(ctx, id)
		if err != nil {
			return nil, err
		}
		if wanted(t) {
			return t, nil
		}
		select {
		case <-time.After(Pause(awaitPoll, time.Since(asked))):
		case <-ctx.Done():
			return t, fmt.Errorf("transcode %s stays %s at %.2f: %w", id, t.State, t.Ratio, context.Cause(ctx))
		}
	}
}

// awaitPoll is how often Await asks: often enough to see each state of a
// transcode that takes seconds.
const awaitPoll = 50 * time.Millisecond

func (a *API) transcode(ctx context.Context, method, path string, body any) (*Transcode, error) {
	answer, err := a.Do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	var t Transcode
	if err := json.Unmarshal(answer, &t); err != nil {
		return nil, fmt.Errorf("%s %s: answer: %w", method, path, err)
	}
	return &t, nil
}

// Do sends any request; body is sent as JSON, a []byte as it is, nil not at
// all. An answer that is no 2xx is a *[StatusError].
func (a *API) Do(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	content, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Close = true // no idle connection stays behind
	req.Header.Set("Authorization", "Bearer "+string(a.Token))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return nil, &StatusError{Op: method + " " + path, Status: resp.StatusCode, Body: string(bytes.TrimSpace(answer))}
	}
	return answer, nil
}

// Event is an event of a stream as the daemon tells it.
type Event struct {
	// ID is empty where a stream can't be resumed behind it.
	ID   string
	Type string
	Data []byte
}

// Follow listens to a stream at path, behind the event with the id last if that is not
// empty, until each says that it is enough, the stream ends, or ctx does.
func (a *API) Follow(ctx context.Context, path, last string, each func(Event) (more bool)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		return fmt.Errorf("follow %s: %w", path, err)
	}
	req.Close = true
	req.Header.Set("Authorization", "Bearer "+string(a.Token))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("follow %s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return errors.Join(err, &StatusError{Op: "follow " + path, Status: resp.StatusCode, Body: string(bytes.TrimSpace(answer))})
	}
	var e Event
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			e.Data = []byte(value)
		case "":
			if e.Type != "" && !each(e) {
				return nil
			}
			e = Event{}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("follow %s: %w", path, err)
	}
	return nil
}
