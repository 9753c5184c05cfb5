package jobs

import (
	"encoding/json"
	"fmt"

	"weir/db/dbsqlc"
)

// What this package reads of the JSON that hosts keep in rows. Package media writes it; a
// test holds the two together.

// SourceFacts is what was probed of a source.
type SourceFacts struct {
	Container  string      `json:"container"`
	Bytes      int64       `json:"bytes"`
	DurationUS int64       `json:"duration_us"`
	Video      VideoFacts  `json:"video"`
	Audio      *AudioFacts `json:"audio"`
}

// VideoFacts are its best video track's.
type VideoFacts struct {
	Codec   string    `json:"codec"`
	PixFmt  string    `json:"pix_fmt"`
	Width   int       `json:"width"`
	Height  int       `json:"height"`
	Rate    RateFacts `json:"rate"`
	BitRate int64     `json:"bit_rate"`
	StartUS int64     `json:"start_us"`
	Frames  int64     `json:"frames"`
}

// RateFacts are frames in seconds.
type RateFacts struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// perSecond is the rate as a number, 0 when unknown.
func (r RateFacts) perSecond() float64 {
	if r.Num <= 0 || r.Den <= 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// AudioFacts are its best audio track's.
type AudioFacts struct {
	Codec      string `json:"codec"`
	Channels   int    `json:"channels"`
	SampleRate int    `json:"sample_rate"`
	BitRate    int64  `json:"bit_rate"`
	StartUS    int64  `json:"start_us"`
	DurationUS int64  `json:"duration_us"`
}

// preparedFacts is what was prepared of it.
type preparedFacts struct {
	SegmentMS int64 `json:"segment_ms"`
	Bytes     int64 `json:"bytes"`
}

// judgedFacts is what a finished rendition was found to be.
type judgedFacts struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// SourceOf reads what was probed; an error before that, too.
func SourceOf(t *dbsqlc.Transcode) (source SourceFacts, err error) {
	if err := json.Unmarshal(t.Source, &source); err != nil {
		return source, fmt.Errorf("read what was probed: %w", err)
	}
	return source, nil
}

func preparedOf(a *dbsqlc.Attempt) (prepared preparedFacts) {
	_ = json.Unmarshal(a.Prepared, &prepared) // what can't be read is taken for the usual
	return prepared
}

func judgedOf(r *dbsqlc.Rendition) (judged judgedFacts, err error) {
	if err := json.Unmarshal(r.Verdict, &judged); err != nil {
		return judged, fmt.Errorf("read the verdict on %s: %w", r.Name, err)
	}
	return judged, nil
}

// TaskOf is the caller's own id of a transcode, also of one whose place a newer one has
// taken; nil: none.
func TaskOf(t *dbsqlc.Transcode) *string {
	if t.ExternalID == nil {
		return t.FormerExternalID
	}
	return t.ExternalID
}

// Warning is what a transcode does otherwise than its request says, and does not
// fail for. It is stored in the transcode's row, so its JSON is a contract.
type Warning struct {
	// Code is one of docs/api.md's table.
	Code string `json:"code"`
	// Text is for people.
	Text string `json:"text"`
	// Rendition is the one that it is about; empty: all.
	Rendition string `json:"rendition,omitempty"`
}

// WarningsOf reads the warnings in a transcode's row.
func WarningsOf(t *dbsqlc.Transcode) ([]Warning, error) {
	warnings := []Warning{}
	if len(t.Warnings) == 0 {
		return warnings, nil
	}
	if err := json.Unmarshal(t.Warnings, &warnings); err != nil {
		return nil, fmt.Errorf("read the warnings of %s: %w", t.ID, err)
	}
	return warnings, nil
}
