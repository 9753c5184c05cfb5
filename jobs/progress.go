package jobs

import (
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
// the source's duration, the same weight for every rendition. 1 is told by success
// alone.
func RatioOf(t *dbsqlc.Transcode, stage string, renditions []dbsqlc.Rendition) float64 {
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
			ratio += each * sharePushed
		case RenditionOK:
			ratio += each * (sharePushed + shareStored)
		}
	}
	return min(ratio, 1)
}
