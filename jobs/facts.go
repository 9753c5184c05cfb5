package jobs

import (
	"encoding/json"
	"fmt"

	"weir/db/dbsqlc"
)

// What this package reads of the JSON that hosts keep in rows. Package media writes it; a
// test holds the two together.

// sourceFacts is what was probed: attempts of a transcode find the same.
type sourceFacts struct {
	Container  string      `json:"container"`
	Bytes      int64       `json:"bytes"`
	DurationUS int64       `json:"duration_us"`
	Video      videoFacts  `json:"video"`
	Audio      *audioFacts `json:"audio"`
}

type videoFacts struct {
	Codec   string    `json:"codec"`
	PixFmt  string    `json:"pix_fmt"`
	Width   int       `json:"width"`
	Height  int       `json:"height"`
	Rate    rateFacts `json:"rate"`
	BitRate int64     `json:"bit_rate"`
	StartUS int64     `json:"start_us"`
}

type rateFacts struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// perSecond is the rate as a number, 0 when unknown.
func (r rateFacts) perSecond() float64 {
	if r.Num <= 0 || r.Den <= 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

type audioFacts struct {
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

func sourceOf(t *dbsqlc.Transcode) (source sourceFacts, err error) {
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
