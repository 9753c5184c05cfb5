// Package shm is how the processes of a stand-in Mist host find and talk to
// their controller: HTTP over a unix socket in the host's folder, where a real
// host uses pages of /dev/shm.
package shm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	// SocketName is the socket's name in a host's folder.
	SocketName = "mistsim.sock"
	// DirEnv names the host's folder for a process that does not lie in it.
	DirEnv = "MISTSIM_DIR"
	// maxReply bounds what a process reads from its controller outside streams.
	maxReply = 16 << 20
)

// ErrGone means that the controller cannot be reached; its host is down.
var ErrGone = errors.New("mistsim controller is gone")

// Socket is the path of the controller's socket: in the folder that DirEnv
// names, else beside the path that the program was started by (which may be a
// link), else beside the executable itself.
func Socket() (string, error) {
	if dir := os.Getenv(DirEnv); dir != "" {
		return filepath.Join(dir, SocketName), nil
	}
	if filepath.IsAbs(os.Args[0]) {
		beside := filepath.Join(filepath.Dir(os.Args[0]), SocketName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own executable: %w", err)
	}
	return filepath.Join(filepath.Dir(exe), SocketName), nil
}

// States of a source after kickoff.
const (
	// Ready: the header was read.
	Ready = "ready"
	// Missing: the source cannot be opened; the input exited at once.
	Missing = "missing"
	// Booting: the source is no media; the input waits without an end.
	Booting = "booting"
)

// Timing holds the fixed waits that the controller hands to its processes.
type Timing struct {
	Stats     time.Duration
	TrackWait time.Duration
	Poll      time.Duration
	// Turn is the step in which the threads of a process look for work.
	Turn time.Duration
	// UploadSlack is added to a segment's duration for its timeout.
	UploadSlack time.Duration
}

// Forms of a start of which nothing comes.
const (
	// HangSession: no MistSession could be started.
	HangSession = "session"
	// HangBoot: the session's page is missing, and the source thread ends at once.
	HangBoot = "boot"
	// HangBuffer: there is no buffer for the renditions. It does not hang: the process ends as one
	// that is through, with exit code 0 and nothing posted.
	HangBuffer = "buffer"
)

// Hang tells a process to hang at its start for so long and then to crash.
type Hang struct {
	As  string
	For time.Duration
	// Boot is how long the process waits for its source thread.
	Boot time.Duration
}

// Source is the controller's answer to a kickoff.
type Source struct {
	State    string
	Path     string
	UUID     string
	Upstream bool
	Tracks   []SourceTrack
	Timing   Timing
	// Started: this very request started the input, so its process is wanted.
	Started bool
	// Hang is set where the process is to hang.
	Hang *Hang
}

// InputOrder is what an input process gets to know of its work, in one line.
type InputOrder struct {
	// Dir holds the pages, whose names are Meta and those of Pages.
	Dir   string
	Meta  string
	Pages []Page
	// Stop is how long the input takes to end.
	Stop time.Duration
	// Deaf: it met a source that is no media, and does not listen to SIGTERM.
	Deaf bool
}

// Page is a page of media data.
type Page struct {
	Name  string
	Bytes int64
}

// SourceTrack is one track of a source's header. Times are in media ms.
type SourceTrack struct {
	Index, PID             int
	Codec                  string
	Width, Height          int
	FPKS, Keys             int
	FirstMS, LastMS, Bytes int64
	Pages                  []TrackPage
}

// TrackPage is a part of a track that begins with a keyframe, counted from 0.
type TrackPage struct {
	FirstKey int
	Bytes    int64
}

// Attach makes a process known to its source and sink.
type Attach struct {
	PID          int
	Source, Sink string
}

// Ingest is one transcoded segment: all its renditions, in the order in which
// they become tracks. TimeMS is the media time of the segment's first packet.
type Ingest struct {
	PID    int
	Sink   string
	TimeMS int64
	Parts  []Part
}

// Part is one rendition of a segment. Ordinal counts Rendition-Names in the
// order in which they first arrived.
type Part struct {
	Name    string
	Ordinal int
	Data    []byte
}

// Ingested answers an Ingest.
type Ingested struct {
	SinkMS int64
	Tracks []int
	// TrackIDs are those of Tracks, in the same order.
	TrackIDs []int
}

// Stats is a process's status update.
type Stats struct {
	PID           int            `json:"id"`
	ActiveSeconds int64          `json:"active_seconds"`
	SourceTracks  []int          `json:"source_tracks"`
	SinkTracks    []int          `json:"sink_tracks"`
	Info          map[string]any `json:"ainfo"`
}

// Trigger asks the controller to fire a trigger on behalf of a process.
type Trigger struct {
	PID                int
	Name, Stream, Body string
}

// Log is a line for the controller's and, if it is a push, the push's log.
type Log struct {
	PID           int
	Kind, Message string
	Stream        string
}

// PushOrder is the first line of a push's stream: what to write where. Every
// PushChunk line that follows has Bytes of media behind it; the last has End.
type PushOrder struct {
	Stream, Target, Path string
	Track                int
	Upstream             bool
	Handler              string
	// AskedMS and StopMS are what recstart and recstop say, StartMS is the time
	// of the first frame.
	AskedMS, StartMS, StopMS int64
	// Tick is the age at the first status update, Stats the interval after it.
	Tick, Stats time.Duration
}

// PushChunk announces one frame, or the end and its reason.
type PushChunk struct {
	MS     int64  `json:",omitempty"`
	Bytes  int    `json:",omitempty"`
	LastMS int64  `json:",omitempty"`
	End    string `json:",omitempty"`
	Text   string `json:",omitempty"`
}

// PushStatus is a push's status update, with the keys that Mist shows.
type PushStatus struct {
	PID    int
	Status map[string]any
}

// Client speaks to one controller.
type Client struct {
	http http.Client
}

// Dial returns a client for the controller behind the socket. It connects on
// first use.
func Dial(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call posts in as JSON and decodes the JSON answer into out, if there is one.
func (c *Client) Call(ctx context.Context, path string, in, out any) error {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(in); err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	reply, err := c.do(ctx, path, &body)
	if err != nil {
		return err
	}
	defer reply.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(reply, maxReply)).Decode(out); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}

// Stream posts in and returns the answer's body, which ends when the controller
// closes it or goes away. The caller closes it.
func (c *Client) Stream(ctx context.Context, path string, in any) (io.ReadCloser, error) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(in); err != nil {
		return nil, fmt.Errorf("encode %s: %w", path, err)
	}
	return c.do(ctx, path, &body)
}

func (c *Client) do(ctx context.Context, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mistsim"+path, body)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrGone, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: controller answered %s: %s", path, resp.Status, bytes.TrimSpace(text))
	}
	return resp.Body, nil
}
