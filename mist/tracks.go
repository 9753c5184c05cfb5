package mist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// TrackVideo is the Type of a video track.
const TrackVideo = "video"

// Track is a track of a stream as LIVE_TRACK_LIST shows it.
type Track struct {
	Index   int   // what a push selects it by
	TrackID int64 // holds the profile's place, see [OrdinalOfTrack]
	Type    string
	Codec   string
	Width   int // by the codec's header: may be some pixels off what a player shows
	Height  int
	FPKS    int64 // frames per 1,000 seconds
	FirstMS int64
	LastMS  int64
}

// ParseTrackList reads the JSON of a LIVE_TRACK_LIST trigger into tracks in the
// order of their index. `null` (livepeer's tree) and nothing (upstream) mean
// that there are no tracks. A track without idx or trackid is an error: acting
// on a guess would push the wrong one.
func ParseTrackList(payload []byte) ([]Track, error) {
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 {
		return nil, nil
	}
	var list map[string]struct {
		Index   *int   `json:"idx"`
		TrackID *int64 `json:"trackid"`
		Type    string `json:"type"`
		Codec   string `json:"codec"`
		Width   number `json:"width"`
		Height  number `json:"height"`
		FPKS    number `json:"fpks"`
		FirstMS number `json:"firstms"`
		LastMS  number `json:"lastms"`
	}
	if err := json.Unmarshal(payload, &list); err != nil {
		return nil, fmt.Errorf("mist: track list: %w", err)
	}
	var tracks []Track
	for name, t := range list {
		if t.Index == nil || t.TrackID == nil {
			return nil, fmt.Errorf("mist: track list: track %q has no idx or no trackid", name)
		}
		tracks = append(tracks, Track{
			Index: *t.Index, TrackID: *t.TrackID, Type: t.Type, Codec: t.Codec,
			Width: int(t.Width), Height: int(t.Height), FPKS: int64(t.FPKS),
			FirstMS: int64(t.FirstMS), LastMS: int64(t.LastMS),
		})
	}
	slices.SortFunc(tracks, func(a, b Track) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.TrackID, b.TrackID))
	})
	return tracks, nil
}

// trackLogRead is where a process's first minutes of log end by far; its tracks are
// announced in their first seconds.
const trackLogRead = 1 << 20

// trackLine announces a track as MistProcLivepeer adds it to its sink. A track's
// index is its place among them: so in all recordings, those included in which the
// second profile comes first.
var trackLine = regexp.MustCompile(`Initializing track \d+ as (\d+) for playlist \d+`)

// TracksInLog reads from a process's log which tracks it has made, with Index and
// TrackID alone: what LIVE_TRACK_LIST would have told, had it come.
func TracksInLog(path string) ([]Track, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mist: read log: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, trackLogRead))
	if err != nil {
		return nil, fmt.Errorf("mist: read log %s: %w", path, err)
	}
	var tracks []Track
	for _, match := range trackLine.FindAllSubmatch(text, -1) {
		id, err := strconv.ParseInt(string(match[1]), 10, 64)
		if err != nil {
			continue // more digits than a track has
		}
		if !slices.ContainsFunc(tracks, func(t Track) bool { return t.TrackID == id }) {
			tracks = append(tracks, Track{Index: len(tracks), TrackID: id, Type: TrackVideo})
		}
	}
	return tracks, nil
}
