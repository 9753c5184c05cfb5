package pack

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// A MasterRung is a rung of a master playlist.
type MasterRung struct {
	Rung
	Playlist Playlist
	URI      string // of the playlist, relative to the master
}

// Master is the master playlist. Players start with the first rung: that is the one that is there
// soonest, and the others follow by what they need.
func Master(rungs []MasterRung) []byte {
	return master(rungs, "", "")
}

// master is one with something before the rungs, and in each.
func master(rungs []MasterRung, before, more string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n%s", mediaVersion, before)
	for _, r := range ascending(rungs) {
		b.WriteString(variant(r, more))
	}
	return b.Bytes()
}

// ascending are the rungs by their peaks.
func ascending(rungs []MasterRung) []MasterRung {
	sorted := slices.Clone(rungs)
	slices.SortStableFunc(sorted, func(a, b MasterRung) int {
		return cmp.Or(cmp.Compare(a.Playlist.PeakBitRate, b.Playlist.PeakBitRate), cmp.Compare(a.Height, b.Height))
	})
	return sorted
}

// variant is a rung's two lines.
func variant(r MasterRung, more string) string {
	fps := cmp.Or(r.FrameRate, r.Playlist.FrameRate)
	return fmt.Sprintf("#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q,RESOLUTION=%dx%d,FRAME-RATE=%.3f%s\n%s\n",
		r.Playlist.PeakBitRate, r.Playlist.MeanBitRate, r.Playlist.Codecs, r.Width, r.Height, fps, more, r.URI)
}
