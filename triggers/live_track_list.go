package triggers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/mist"
)

// liveTrackList says which tracks a live stream has now. Mist sends it whenever
// that changes: it grows track by track, and ends with none.
type liveTrackList struct {
	stream string
	tracks []mist.Track
}

// maxTracks of one stream: 16 renditions, each perhaps with audio that Mist has yet
// to mask.
const maxTracks = 32

// parseLiveTrackList reads: stream; JSON of all tracks, or `null`, or nothing.
func parseLiveTrackList(payload []byte) (liveTrackList, error) {
	all, err := lines(payload, 1)
	l := liveTrackList{stream: line(all, 0)}
	if err != nil {
		return l, err
	}
	tracks, err := mist.ParseTrackList([]byte(strings.Join(all[1:], "\n")))
	if err != nil {
		return l, err
	}
	if len(tracks) > maxTracks {
		return l, fmt.Errorf("%d tracks: a transcode has %d at most", len(tracks), maxTracks)
	}
	for _, t := range tracks {
		if t.Index < 0 || t.Index > math.MaxInt32 || t.TrackID < 0 || mist.OrdinalOfTrack(t.TrackID) > math.MaxInt32 {
			return l, fmt.Errorf("track %d with id %d: out of bounds", t.Index, t.TrackID)
		}
	}
	l.tracks = tracks
	return l, nil
}

func liveTrackListHint(payload []byte) (hint, error) {
	l, err := parseLiveTrackList(payload)
	h := hint{stream: l.stream}
	if err != nil {
		return h, err
	}
	videos := slices.DeleteFunc(l.tracks, func(t mist.Track) bool { return t.Type != mist.TrackVideo })
	// Of two tracks of one rendition the first stays: its row takes one only once.
	slices.SortStableFunc(videos, func(a, b mist.Track) int { return cmp.Compare(a.TrackID, b.TrackID) })
	if len(videos) == 0 {
		h.note = "no video tracks"
		return h, nil
	}
	notes := make([]string, len(videos))
	for i, t := range videos {
		notes[i] = fmt.Sprintf("track %d is rendition %d (%dx%d)", t.Index, mist.OrdinalOfTrack(t.TrackID), t.Width, t.Height)
	}
	h.note = strings.Join(notes, ", ")
	for i := range videos {
		h.says = append(h.says, saying{track: &videos[i]})
	}
	return h, nil
}
