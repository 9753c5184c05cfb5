package jobs

import (
	"encoding/json"
	"time"

	"weir/db/dbsqlc"
)

// The shares of the completion ratio: what is measured is media time pushed; the
// rest is short beside it.
const (
	ShareFetched  = 0.02
	SharePrepared = 0.10 // more than a copy takes, and less than an encode
	shareStored   = 0.10
	sharePushed   = 1 - SharePrepared - shareStored
)

// RatioOf is how much of a transcode is done, from 0 to 1: media time pushed over
// the source's duration, the same weight for every rendition. sent is how much of files
// that are being stored, from 0 to 1 by name. 1 is told by success alone.
func RatioOf(t *dbsqlc.Transcode, stage string, renditions []dbsqlc.Rendition, sent map[string]float64) float64 {
	switch stage {
	case AttemptPlaced:
		return 0
	case AttemptFetched:
		return ShareFetched
	}
	if t.SourceDurationMs == nil || len(renditions) == 0 {
		return SharePrepared
	}
	ratio := SharePrepared
	each := 1 / float64(len(renditions))
	for _, r := range renditions {
		switch r.State {
		case RenditionPushing:
			ratio += each * sharePushed * min(1, float64(r.PushedMs)/float64(*t.SourceDurationMs))
		case RenditionPushed:
			ratio += each * (sharePushed + shareStored*sent[r.Name])
		case RenditionOK:
			ratio += each * (sharePushed + shareStored)
		}
	}
	return min(ratio, 1)
}

// What the progress of a stage is counted in.
const (
	UnitBytes = "bytes"
	UnitMS    = "ms" // of media
)

// Progress is how far an attempt is in what it is doing, as its host says it: a hint, that
// nothing depends on. Its JSON is what stands in transcodes.progress.
type Progress struct {
	Attempt int32 `json:"attempt"`
	// Stage is what was being done: one of the Stage constants, whichever its host knows.
	Stage Stage `json:"stage"`
	// Done of Of are Units.
	Done int64  `json:"done"`
	Of   int64  `json:"of"`
	Unit string `json:"unit"`
	// Speed is media seconds a second, where the stage goes by media time.
	Speed *float64 `json:"speed,omitempty"`
	// EndsAt is when the transcode will reach its end if all goes on as it goes; nil:
	// nobody can say yet.
	EndsAt *time.Time `json:"ends_at,omitempty"`
	// At is when it was so.
	At time.Time `json:"at"`
}

// endsLate is how much later than it was told an end is still believed: its host tells
// anew before that.
const endsLate = 15 * time.Second

// ProgressOf is what the host has told of the newest attempt; nil: nothing, or the
// transcode is on no host.
func ProgressOf(t *dbsqlc.Transcode) *Progress {
	if t.State == StateQueued || Terminal(t.State) || t.Progress == nil {
		return nil
	}
	var p Progress
	if json.Unmarshal(t.Progress, &p) != nil || p.Attempt != t.Attempt {
		return nil
	}
	return &p
}

// ETA is how many seconds are left at now; nil: nobody can say.
func (p *Progress) ETA(now time.Time) *float64 {
	if p.EndsAt == nil || now.Sub(*p.EndsAt) > endsLate {
		return nil
	}
	return new(max(p.EndsAt.Sub(now).Seconds(), 0))
}
