package triggers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
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
	// Always in one order, so that two lists at once do not lock each other out.
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
	h.apply = func(ctx context.Context, tx pgx.Tx, s subject) (int64, error) {
		rows := int64(0)
		for _, t := range videos {
			index := int32(t.Index)
			// Of two tracks of one rendition the first stays: the row takes one only once.
			n, err := dbsqlc.New().RenditionSetTrack(ctx, tx, dbsqlc.RenditionSetTrackParams{
				TranscodeID: s.Transcode, Attempt: int32(s.Attempt),
				Ordinal: int32(mist.OrdinalOfTrack(t.TrackID)), TrackIndex: &index,
			})
			if err != nil {
				return 0, fmt.Errorf("track %d: %w", index, err)
			}
			rows += n
		}
		return rows, nil
	}
	return h, nil
}
