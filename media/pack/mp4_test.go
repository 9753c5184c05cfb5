package pack

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file has every frame at its time, from 0, and its tables before its data.
func TestMP4(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rung, file := s.rendition(t), filepath.Join(t.TempDir(), "it's 100%.mp4")
			packed, err := Packer{}.MP4(t.Context(), rung, file)
			require.NoError(t, err)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.EqualValues(t, len(data), packed.Bytes)
			require.Less(t, bytes.Index(data, []byte("moov")), bytes.Index(data, []byte("mdat")))
			samePlayed(t, s, rung, file, file, 0, packed.Seconds)
		})
	}
}

// samePlayed: picture and sound are those of the rung, and begin together at so many seconds.
func samePlayed(t *testing.T, s shape, rung Rung, video, sound string, zero, lasts float64) {
	t.Helper()
	tracks, err := look(t.Context(), rung)
	require.NoError(t, err)
	later := zero - float64(tracks.zero())/clock
	want, got := decodedRung(t, "v", rung), decoded(t, "v", video, "-xerror")
	if s.after != nil {
		want = want[len(want)-len(got):]
	}
	sameFrames(t, want, got, later)
	first, last := got[0].at, got[len(got)-1].at
	if tracks.sound != 0 {
		heard := decoded(t, "a", sound)
		sameFrames(t, decodedRung(t, "a", rung), heard, later)
		first, last = min(first, heard[0].at), max(last, heard[len(heard)-1].at)
	}
	require.InDelta(t, zero, first, 0.0001)
	require.Less(t, last-zero, lasts)
}
