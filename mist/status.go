package mist

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The states of a stream. One that Mist does not list is offline.
const (
	StreamOffline      = "Offline"
	StreamInitializing = "Initializing"
	StreamBooting      = "Input booting"
	StreamWaiting      = "Waiting for data"
	StreamOnline       = "Online"
	StreamShuttingDown = "Shutting down"
)

// Status is what runs in Mist at one moment.
type Status struct {
	// Streams by name, those only that Mist knows to be active or just ended.
	Streams map[string]StreamStatus
	// Pushes of all streams.
	Pushes []Push
	// Processes by PID, those only that lived for five seconds.
	Processes map[int]ProcessStatus
}

// StreamStatus is the state of one stream.
type StreamStatus struct {
	State  string // one of the Stream constants
	LastMS int64  // the newest media time; for a source that is online, its duration
	Tracks int
}

// ProcessStatus is what a MistProcLivepeer reports every five seconds. It is
// for people: liveness is [Process.Alive], progress is the pushes'.
type ProcessStatus struct {
	Source        string
	Sink          string
	ActiveSeconds int64
	// PercentDone is 0 to 100, of the source's media, padding included.
	PercentDone int
	SourceMS    int64 // media sent
	SinkMS      int64 // media received, of the rendition that is furthest
	Broadcaster string
	// Counts of what went wrong with segments, each followed by another try.
	Switches, FailedStatus, FailedTimeout, FailedParse, FailedOther int64
	// Terminated is set once for a process that is gone, which then leaves the list.
	Terminated bool
}

// Status asks for streams, pushes and processes in one request. With no stream
// named it shows all that are active. Asking takes terminated processes off
// Mist's list.
func (c *Client) Status(ctx context.Context, streams ...string) (Status, error) {
	op := strings.TrimSpace("status " + strings.Join(streams, ", "))
	active := map[string]any{"fields": []string{"status", "lastms", "tracks"}, "longform": true}
	if len(streams) > 0 {
		active["streams"] = streams
	}
	r, err := c.call(ctx, op, command{
		"active_streams": active,
		"push_list":      true,
		"proc_list":      "", // of all streams
	})
	if err != nil {
		return Status{}, err
	}
	status := Status{Streams: map[string]StreamStatus{}, Processes: map[int]ProcessStatus{}}
	var activeStreams map[string]struct {
		State  string `json:"status"`
		LastMS number `json:"lastms"`
		Tracks number `json:"tracks"`
	}
	if err := c.decode(op, r, "active_streams", &activeStreams); err != nil {
		return Status{}, err
	}
	for name, s := range activeStreams {
		status.Streams[name] = StreamStatus{State: s.State, LastMS: int64(s.LastMS), Tracks: int(s.Tracks)}
	}
	if status.Pushes, err = c.pushes(op, r); err != nil {
		return Status{}, err
	}
	var processes map[string]processEntry
	if err := c.decode(op, r, "proc_list", &processes); err != nil {
		return Status{}, err
	}
	for key, p := range processes {
		pid, err := strconv.Atoi(key)
		if err != nil {
			return Status{}, c.fail(op, ErrUnexpected, fmt.Errorf("proc_list: %w", err))
		}
		status.Processes[pid] = p.status()
	}
	return status, nil
}

// processEntry is a process as Mist lists it.
type processEntry struct {
	Source        string `json:"source"`
	Sink          string `json:"sink"`
	ActiveSeconds number `json:"active_seconds"`
	Terminated    bool   `json:"terminated"`
	Info          struct {
		Broadcaster   string `json:"bc"`
		Switches      number `json:"switches"`
		FailedStatus  number `json:"fail_non200"`
		FailedTimeout number `json:"fail_timeout"`
		FailedParse   number `json:"fail_parse"`
		FailedOther   number `json:"fail_other"`
		PercentDone   number `json:"percent_done"`
		SourceTime    number `json:"sourceTime"`
		SinkTime      number `json:"sinkTime"`
	} `json:"ainfo"`
}

func (e processEntry) status() ProcessStatus {
	return ProcessStatus{
		Source:        e.Source,
		Sink:          e.Sink,
		ActiveSeconds: int64(e.ActiveSeconds),
		PercentDone:   percent(int64(e.Info.PercentDone)),
		SourceMS:      int64(e.Info.SourceTime),
		SinkMS:        int64(e.Info.SinkTime),
		Broadcaster:   e.Info.Broadcaster,
		Switches:      int64(e.Info.Switches),
		FailedStatus:  int64(e.Info.FailedStatus),
		FailedTimeout: int64(e.Info.FailedTimeout),
		FailedParse:   int64(e.Info.FailedParse),
		FailedOther:   int64(e.Info.FailedOther),
		Terminated:    e.Terminated,
	}
}

// percentUnderflow separates a little over 100 from an underflow: until the
// first rendition arrives Mist subtracts below zero and shows about 10^14.
const percentUnderflow = 1000

func percent(reported int64) int {
	if reported < 0 || reported > percentUnderflow {
		return 0
	}
	return int(min(reported, 100))
}
