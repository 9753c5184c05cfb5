package triggers

import (
	"fmt"
	"math"
	"strconv"
)

// recordingEnd is what a push says of its file when it ends by itself. A killed
// one says nothing, and an ended source is as CLEAN_EOF as a lost tail.
type recordingEnd struct {
	stream, target string
	bytes          int64
	mediaMS        int64
	reason         string // Mist's word, as CLEAN_INTENDED_STOP
	words          string
}

// recordingEndLines are those to the machine's reason; the words for people behind
// it may be missing.
const recordingEndLines = 11

// maxReason: Mist's are below 30.
const maxReason = 64

// parseRecordingEnd reads: stream; target; connector; bytes; seconds; begin and end
// in Unix time; media ms; first ms; last ms; reason; words.
func parseRecordingEnd(payload []byte) (recordingEnd, error) {
	all, err := lines(payload, recordingEndLines)
	r := recordingEnd{stream: line(all, 0), target: line(all, 1)}
	if err != nil {
		return r, err
	}
	if r.bytes, err = count(all[3]); err != nil {
		return r, fmt.Errorf("bytes: %w", err)
	}
	if r.mediaMS, err = count(all[7]); err != nil {
		return r, fmt.Errorf("media milliseconds: %w", err)
	}
	r.reason, r.words = clean(all[10], maxReason), line(all, 11)
	return r, nil
}

// count reads a number that Mist prints unsigned: below zero it comes as one near
// 2^64, and is 0 here.
func count(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > math.MaxInt64 {
		return 0, err
	}
	return int64(n), nil
}

func recordingEndHint(payload []byte) (hint, error) {
	r, err := parseRecordingEnd(payload)
	h := hint{stream: r.stream, target: r.target}
	if err != nil {
		return h, err
	}
	h.note = fmt.Sprintf("%d bytes, %d ms, %s: %s", r.bytes, r.mediaMS, r.reason, r.words)
	h.says = []saying{{file: &r}}
	return h, nil
}
