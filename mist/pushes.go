package mist

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Push is Mist writing one track of a stream to a file.
type Push struct {
	PID        int // of the process that writes, and what StopPush takes
	Stream     string
	Target     string // as it was asked for, parameters included
	TargetUsed string // after Mist replaced variables
	Logs       []LogLine
	// HasStatus is false until Mist first heard of the push's progress: five
	// seconds after its start in livepeer's tree, and never where the datagram
	// was lost. It says nothing about success.
	HasStatus bool
	PushStatus
}

// PushStatus is a push's progress as of its last report, which may be five
// seconds old.
type PushStatus struct {
	MediaMS       int64 // of media written
	Bytes         int64
	ActiveSeconds int64
}

// LogLine is one of the last lines that Mist logged for a push.
type LogLine struct {
	At      time.Time
	Kind    string // INFO, WARN, FAIL, ERROR
	Message string
}

// PushTarget is the target that writes the video track with index track into
// the file at path: from its earliest frame, and not beyond stopMS. By default
// Mist would start at the newest keyframe, and wait for a second track first.
func PushTarget(path string, track int, stopMS int64) string {
	return fmt.Sprintf("%s?video=%d&audio=none&recstart=-1&waittrackcount=1&recstop=%d", path, track, stopMS)
}

// StartPush starts a push and returns it as Mist lists it. A push of the same
// stream to the same target that is running already is returned as it is: Mist
// ignores the second. ErrPushNotStarted means that it is not listed, as for a
// stream that is not online.
func (c *Client) StartPush(ctx context.Context, stream, target string) (Push, error) {
	op := "push start " + stream + " to " + target
	if err := checkVariables(target); err != nil {
		return Push{}, c.fail(op, ErrInvalid, err)
	}
	// Mist lists after it starts, within one request.
	r, err := c.call(ctx, op, command{
		"push_start": map[string]string{"stream": stream, "target": target},
		"push_list":  true,
	})
	if err != nil {
		return Push{}, err
	}
	pushes, err := c.pushes(op, r)
	if err != nil {
		return Push{}, err
	}
	for _, p := range pushes {
		if p.Stream == stream && p.Target == target {
			return p, nil
		}
	}
	return Push{}, c.fail(op, ErrPushNotStarted, nil)
}

// StopPush asks pushes to stop, by PID. They end within moments, which
// [Client.Status] shows; PIDs that are no pushes are ignored by Mist.
func (c *Client) StopPush(ctx context.Context, pids ...int) error {
	if len(pids) == 0 {
		return nil
	}
	op := fmt.Sprintf("push stop %d", pids)
	r, err := c.call(ctx, op, command{"push_stop": pids, "push_list": true})
	if err != nil {
		return err
	}
	_, err = c.pushes(op, r) // a list shows that the commands were executed
	return err
}

// pushes reads the push list of an answer.
func (c *Client) pushes(op string, r reply) ([]Push, error) {
	var entries []json.RawMessage
	if err := c.decode(op, r, "push_list", &entries); err != nil {
		return nil, err
	}
	var pushes []Push
	for _, entry := range entries {
		p, err := parsePush(entry)
		if err != nil {
			return nil, c.fail(op, ErrUnexpected, err)
		}
		pushes = append(pushes, p)
	}
	return pushes, nil
}

// The places in an entry of the push list. Logs and status are left out while
// there are none.
const (
	pushPID = iota
	pushStream
	pushTarget
	pushTargetUsed
	pushLogs
	pushStatus
)

func parsePush(entry json.RawMessage) (Push, error) {
	var fields []json.RawMessage
	if err := json.Unmarshal(entry, &fields); err != nil {
		return Push{}, fmt.Errorf("push list entry: %w", err)
	}
	if len(fields) <= pushTargetUsed {
		return Push{}, fmt.Errorf("push list entry of %d fields instead of 4 to 6", len(fields))
	}
	var p Push
	err := errors.Join(
		json.Unmarshal(fields[pushPID], &p.PID),
		json.Unmarshal(fields[pushStream], &p.Stream),
		json.Unmarshal(fields[pushTarget], &p.Target),
		json.Unmarshal(fields[pushTargetUsed], &p.TargetUsed),
	)
	if err != nil {
		return Push{}, fmt.Errorf("push list entry: %w", err)
	}
	if len(fields) > pushLogs {
		if p.Logs, err = ParsePushLogs(fields[pushLogs]); err != nil {
			return Push{}, err
		}
	}
	if len(fields) > pushStatus {
		if p.PushStatus, p.HasStatus, err = ParsePushStatus(fields[pushStatus]); err != nil {
			return Push{}, err
		}
	}
	return p, nil
}

// ParsePushStatus reads the status of a push, as in the push list and in
// PUSH_END; ok is false for null and nothing. Upstream sends zeros where
// livepeer's tree sends null.
func ParsePushStatus(payload []byte) (status PushStatus, ok bool, err error) {
	if isNull(payload) {
		return PushStatus{}, false, nil
	}
	var raw struct {
		MediaTime     number `json:"mediatime"`
		Bytes         number `json:"bytes"`
		ActiveSeconds number `json:"active_seconds"`
	}
	if err := json.Unmarshal(payload, &raw); err != nil {
		return PushStatus{}, false, fmt.Errorf("mist: push status: %w", err)
	}
	return PushStatus{
		MediaMS:       int64(raw.MediaTime),
		Bytes:         int64(raw.Bytes),
		ActiveSeconds: int64(raw.ActiveSeconds),
	}, true, nil
}

// The places in a log line. Upstream appends process, program and source line.
const (
	logAt = iota
	logKind
	logMessage
)

// ParsePushLogs reads the log lines of a push, as in the push list and in
// PUSH_END: null, or arrays of four fields (livepeer's tree) or seven
// (upstream). Lines of another shape are left out.
func ParsePushLogs(payload []byte) ([]LogLine, error) {
	if isNull(payload) {
		return nil, nil
	}
	var lines [][]any
	if err := json.Unmarshal(payload, &lines); err != nil {
		return nil, fmt.Errorf("mist: push logs: %w", err)
	}
	var logs []LogLine
	for _, line := range lines {
		if len(line) <= logMessage {
			continue
		}
		at, ok1 := line[logAt].(float64)
		kind, ok2 := line[logKind].(string)
		message, ok3 := line[logMessage].(string)
		if ok1 && ok2 && ok3 {
			logs = append(logs, LogLine{At: time.Unix(int64(at), 0), Kind: kind, Message: message})
		}
	}
	return logs, nil
}

// String is the line as a person reads it.
func (l LogLine) String() string { return l.Kind + ": " + l.Message }

// Failure is the last FAIL or ERROR line among logs, or "".
func Failure(logs []LogLine) string {
	for _, l := range slices.Backward(logs) {
		if l.Kind == "FAIL" || l.Kind == "ERROR" {
			return l.Message
		}
	}
	return ""
}

// isNull: Mist writes null, and sometimes nothing, where it has nothing to say.
func isNull(payload []byte) bool {
	trimmed := bytes.TrimSpace(payload)
	return len(trimmed) == 0 || string(trimmed) == "null"
}
