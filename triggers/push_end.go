package triggers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// pushEnd says that a push's process is gone, whyever. Its status is the last of
// Mist's measurements, null if there was none, and tells neither success nor
// failure.
type pushEnd struct {
	pid            int64
	stream, target string
	// failure is the last complaint in the push's log.
	failure string
	// status is nil for null, for upstream's zeros, and for what can't be read.
	status *pushStatus
}

type pushStatus struct {
	Bytes     int64 `json:"bytes"`
	MediaTime int64 `json:"mediatime"`
}

// pushEndLines are pid, stream, target as given and as used. Log and status are
// passed over where they are missing or broken: nothing hangs on them.
const pushEndLines = 4

var errNoStream = errors.New("the stream's line is empty")

// parsePushEnd reads: pid; stream; target as given; target as used; log as a JSON
// array or `null`; status as a JSON object or `null`.
func parsePushEnd(payload []byte) (pushEnd, error) {
	all, err := lines(payload, pushEndLines)
	p := pushEnd{stream: line(all, 1), target: line(all, 2)}
	if err != nil {
		return p, err
	}
	if p.stream == "" {
		return p, errNoStream
	}
	if p.pid, err = strconv.ParseInt(all[0], 10, 64); err != nil {
		return p, fmt.Errorf("process id: %w", err)
	}
	p.failure = lastFailure(line(all, 4))
	var status *pushStatus
	if err := json.Unmarshal([]byte(line(all, 5)), &status); err == nil && status != nil && *status != (pushStatus{}) {
		p.status = status
	}
	return p, nil
}

// lastFailure reads log entries: [time, kind, message, ...].
func lastFailure(log string) string {
	var entries [][]any
	if json.Unmarshal([]byte(log), &entries) != nil {
		return ""
	}
	failure := ""
	for _, entry := range entries {
		if len(entry) < 3 {
			continue
		}
		kind, _ := entry[1].(string)
		message, _ := entry[2].(string)
		if kind == "FAIL" || kind == "ERROR" {
			failure = message
		}
	}
	return failure
}

func pushEndHint(payload []byte) (hint, error) {
	p, err := parsePushEnd(payload)
	h := hint{stream: p.stream, target: p.target}
	if err != nil {
		return h, err
	}
	h.note = fmt.Sprintf("push %d is gone", p.pid)
	if p.status != nil {
		h.note += fmt.Sprintf(", last measured at %d bytes and %d ms", p.status.Bytes, p.status.MediaTime)
	}
	if p.failure != "" {
		h.note += ": " + p.failure
	}
	return h, nil
}
