package mist

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// In every recording of both trees the log tells the same tracks as the first
// LIVE_TRACK_LIST that holds them all.
func TestTracksInLogAsRecorded(t *testing.T) {
	t.Parallel()
	recordings, err := filepath.Glob("../internal/mistsim/testdata/recordings/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, recordings)
	compared := 0
	for _, recording := range recordings {
		log, lists := replay(t, recording)
		path := filepath.Join(t.TempDir(), ProcessLogName)
		require.NoError(t, os.WriteFile(path, []byte(log), 0o600))
		found, err := TracksInLog(path)
		require.NoError(t, err)
		var told []Track
		for _, list := range lists {
			tracks, err := ParseTrackList([]byte(list))
			require.NoError(t, err)
			if len(tracks) > len(told) {
				told = tracks
			}
		}
		require.Len(t, found, len(told), recording)
		for i, track := range told {
			require.Equal(t, Track{Index: track.Index, TrackID: track.TrackID, Type: TrackVideo}, found[i], recording)
			compared++
		}
	}
	require.Positive(t, compared)
}

func replay(t *testing.T, recording string) (log string, lists []string) {
	t.Helper()
	f, err := os.Open(recording)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct {
			Kind    string            `json:"kind"`
			Line    string            `json:"line"`
			Headers map[string]string `json:"headers"`
			Body    string            `json:"body"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &entry))
		switch {
		case entry.Kind == "process_log":
			log += entry.Line + "\n"
		case entry.Kind == "trigger" && entry.Headers["X-Trigger"] == string(TriggerLiveTrackList):
			_, list, _ := strings.Cut(entry.Body, "\n")
			lists = append(lists, list)
		}
	}
	require.NoError(t, lines.Err())
	return log, lists
}
