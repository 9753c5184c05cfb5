package mist

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type recordedTrigger struct {
	Recording string `json:"recording"`
	Tree      string `json:"tree"`
	Trigger   string `json:"trigger"`
	Body      string `json:"body"`
}

func recordedTriggers(tb testing.TB) []recordedTrigger {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "triggers.json"))
	require.NoError(tb, err)
	var all []recordedTrigger
	require.NoError(tb, json.Unmarshal(raw, &all))
	return all
}

func TestParseTrackListAsRecorded(t *testing.T) {
	t.Parallel()
	lists := map[string][][]Track{}
	for _, tr := range recordedTriggers(t) {
		if tr.Trigger != "LIVE_TRACK_LIST" {
			continue
		}
		_, payload, ok := strings.Cut(tr.Body, "\n")
		require.True(t, ok)
		tracks, err := ParseTrackList([]byte(payload))
		require.NoError(t, err)
		lists[tr.Recording] = append(lists[tr.Recording], tracks)
	}
	require.Len(t, lists, 5)
	for recording, list := range lists {
		require.Len(t, list, 2, recording)
		require.Len(t, list[0], 2, recording)
		require.Empty(t, list[1], recording) // null, or an empty line
	}
	for _, recording := range []string{"happy.jsonl", "upstream-happy.jsonl"} {
		require.Equal(t, []Track{
			{Index: 0, TrackID: 256, Type: TrackVideo, Codec: "H264", Width: 640, Height: 360, FPKS: 30000, FirstMS: 23, LastMS: 3990},
			{Index: 1, TrackID: 65792, Type: TrackVideo, Codec: "H264", Width: 320, Height: 180, FPKS: 30000, FirstMS: 23, LastMS: 3990},
		}, lists[recording][0])
	}
	same := lists["same_size_profiles.jsonl"][0]
	require.Equal(t, same[0].Width, same[1].Width)
	require.ElementsMatch(t, []int{0, 1}, []int{OrdinalOfTrack(same[0].TrackID), OrdinalOfTrack(same[1].TrackID)})
}

func TestParseTrackList(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]Track{
		"": nil, "\n": nil, "null": nil, "null\n": nil, "{}": nil,
		`{"b":{"idx":2,"trackid":131328,"type":"video","width":16},"a":{"idx":1,"trackid":65792,"type":"audio","firstms":null,"rate":48000}}`: {
			{Index: 1, TrackID: 65792, Type: "audio"}, {Index: 2, TrackID: 131328, Type: "video", Width: 16},
		},
	} {
		tracks, err := ParseTrackList([]byte(in))
		require.NoError(t, err, in)
		require.Equal(t, want, tracks, in)
	}
	for _, in := range []string{"x", "[]", `"x"`, `{"a":1}`, `{"a":{"idx":1}}`, `{"a":{"trackid":1}}`, `{"a":{"idx":"1","trackid":1}}`, `{"a":{`} {
		_, err := ParseTrackList([]byte(in))
		require.Error(t, err, in)
	}
}

func FuzzParseTrackList(f *testing.F) {
	for _, tr := range recordedTriggers(f) {
		if tr.Trigger == "LIVE_TRACK_LIST" {
			_, payload, _ := strings.Cut(tr.Body, "\n")
			f.Add([]byte(payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		tracks, err := ParseTrackList(payload)
		for i := range tracks {
			if err != nil || (i > 0 && tracks[i-1].Index > tracks[i].Index) {
				t.Fatalf("%v: %+v", err, tracks)
			}
		}
	})
}
