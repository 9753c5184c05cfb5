package triggers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// segmentRejected says that two Broadcasters, or the only one, refused a segment.
// MistProcLivepeer then leaves it out: the renditions have a hole.
type segmentRejected struct {
	options segmentOptions
	// segment is its size in bytes; 0 when its end was not read.
	segment int
	width   int
	height  int
	// durationMS of the segment.
	durationMS int
	// broadcasters are the URLs that refused it, "N/A" for none.
	broadcasters [2]string
}

// segmentOptions are the process's settings without its access token and without
// the addresses, which may hold credentials: what may be kept.
type segmentOptions struct {
	Source         string          `json:"source"`
	Sink           string          `json:"sink,omitempty"`
	TargetProfiles json.RawMessage `json:"target_profiles,omitempty"`
}

var errNoSource = errors.New("the process's settings name no source")

// parseSegmentRejected reads: the process's settings as JSON; the whole segment in
// base64; its width, height and duration as JSON; two URLs. A segment so large that
// the rest was not read is no error.
func parseSegmentRejected(payload []byte) (segmentRejected, error) {
	var s segmentRejected
	settings, rest, _ := bytes.Cut(payload, []byte("\n"))
	if err := json.Unmarshal(settings, &s.options); err != nil {
		// Its text would quote the settings.
		s.options = segmentOptions{}
		return s, errors.New("the process's settings are no JSON object")
	}
	if s.options.Source == "" {
		return s, errNoSource
	}
	segment, rest, whole := bytes.Cut(rest, []byte("\n"))
	if !whole {
		return s, nil
	}
	s.segment = base64.RawStdEncoding.DecodedLen(len(bytes.TrimRight(segment, "\r=")))
	about, rest, _ := bytes.Cut(rest, []byte("\n"))
	var info struct{ Width, Height, Duration int }
	if json.Unmarshal(about, &info) == nil {
		s.width, s.height, s.durationMS = info.Width, info.Height, info.Duration
	}
	first, rest, _ := bytes.Cut(rest, []byte("\n"))
	second, _, _ := bytes.Cut(rest, []byte("\n"))
	s.broadcasters = [2]string{string(bytes.TrimSpace(first)), string(bytes.TrimSpace(second))}
	return s, nil
}

func segmentRejectedHint(payload []byte) (hint, error) {
	s, err := parseSegmentRejected(payload)
	if err != nil {
		return hint{stream: s.options.Source, stored: []byte{}}, err
	}
	note := "a segment was refused, the renditions have a hole"
	if s.segment > 0 {
		note += fmt.Sprintf(": %dx%d, %d ms, %d bytes, refused by %s and %s",
			s.width, s.height, s.durationMS, s.segment, s.broadcasters[0], s.broadcasters[1])
	}
	stored, err := json.Marshal(s.options)
	if err != nil {
		return hint{stream: s.options.Source, stored: []byte{}}, fmt.Errorf("keep the settings: %w", err)
	}
	return hint{stream: s.options.Source, note: note, stored: scrub(stored, false)}, nil
}
