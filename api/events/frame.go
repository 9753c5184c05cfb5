package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// What streams send beside events.
const (
	// end and bye are the last event of a stream: what it was about has ended; come again.
	end = "end"
	bye = "bye"
	// missed says that older events than are kept were asked for.
	missed = "missed"
	// again is how long a client shall wait before it comes again, its Retry-After.
	again = 2 * time.Second
)

// Heartbeat is a comment, which keeps a silent stream from being taken for a dead one.
var Heartbeat = []byte(": alive\n\n")

// Hello is what a stream begins with.
func Hello() []byte { return fmt.Appendf(nil, "retry: %d\n\n", again.Milliseconds()) }

// Missed says that events are gone between the one that is asked for and the oldest kept.
func Missed() []byte { return []byte("event: " + missed + "\ndata: {\"reason\":\"pruned\"}\n\n") }

// Behind is what of a chunk is behind an id, for one that has come from where another
// daemon's reader was further.
func Behind(chunk []byte, id int64) (rest []byte) {
	for frame := range bytes.SplitAfterSeq(chunk, []byte("\n\n")) {
		text, has := bytes.CutPrefix(frame, []byte("id: "))
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if n, err := strconv.ParseInt(string(line), 10, 64); has && err == nil && n <= id {
			continue
		}
		rest = append(rest, frame...)
	}
	return rest
}

// Last is the event that a stream ends with.
func Last(why Reason) []byte {
	name := bye
	if why == Ended {
		name = end
	}
	return fmt.Appendf(nil, "event: %s\ndata: {\"reason\":%q}\n\n", name, why)
}

// Frame is an event as it is sent; a stream can be resumed behind one that has an id.
func Frame(e *view.Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %d: %w", e.ID, err)
	}
	var frame []byte
	if e.ID > 0 {
		frame = append(strconv.AppendInt([]byte("id: "), e.ID, 10), '\n')
	}
	frame = append(frame, "event: "+e.Type+"\ndata: "...)
	frame = append(frame, data...)
	return append(frame, "\n\n"...), nil
}

// Ends says whether a transcode's events end with this one.
func Ends(e *dbsqlc.Event) bool {
	return e.Rendition == nil && e.Output == nil && jobs.Terminal(e.State)
}
