package pack

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/media/mpegts"
)

// Whatever is cut: the segments one after the other hold every frame once, in order, at its time, and
// each of them can be played without the others.
func TestHLS(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rung, dir := s.rendition(t), t.TempDir()
			list, err := Packer{}.HLS(t.Context(), rung, dir, 2*time.Second)
			require.NoError(t, err)
			require.Equal(t, "index.m3u8", list.File)
			require.Equal(t, append(slices.Clip(list.Segments), list.File), list.Files())

			var whole []byte
			var paths []string
			for i, name := range list.Segments {
				data, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				begins(t, data, name)
				if i == len(list.Segments)/2 { // alone
					require.NotEmpty(t, decoded(t, "v", filepath.Join(dir, name), "-xerror"))
				}
				whole = append(whole, data...)
				paths = append(paths, filepath.Join(dir, name))
			}
			require.EqualValues(t, len(whole), list.Bytes)
			joined := filepath.Join(t.TempDir(), "joined.ts")
			require.NoError(t, os.WriteFile(joined, whole, 0o644))

			want, got := decodedRung(t, "v", rung), decoded(t, "v", joined, "-xerror")
			if s.after != nil {
				want = want[len(want)-len(got):]
			}
			later := got[0].at - want[0].at
			sameFrames(t, want, got, later)
			first := got[0].at
			if strings.Contains(list.Codecs, "mp4a") {
				heard := decoded(t, "a", joined)
				sameFrames(t, decodedRung(t, "a", rung), heard, later)
				first = min(first, heard[0].at)
			}
			require.InDelta(t, 10, first, 0.0001, "the zero of all rungs")
			says(t, dir, list, got, timesAlone(t, paths))
		})
	}
}

// begins: tables, then what belongs to them, the first picture of it a keyframe.
func begins(t *testing.T, data []byte, name string) {
	t.Helper()
	require.Zero(t, len(data)%mpegts.PacketBytes)
	n := 0
	for p := range packets(data) {
		switch {
		case n == 0:
			require.Zero(t, mpegts.PID(p), name)
		case n == 1:
			require.Equal(t, mpegts.ProgramTable(mpegts.Payload(data[:mpegts.PacketBytes])), mpegts.PID(p), name)
		case mpegts.PID(p) == testVideoPID:
			require.NotNil(t, mpegts.VideoPES(p), name)
			require.True(t, mpegts.RandomAccess(p), name)
			return
		}
		n++
	}
	t.Fatalf("%s holds no picture", name)
}

// says: what the playlist says is so of the frames, and of the times in each segment, read alone.
func says(t *testing.T, dir string, list Playlist, frames []shownFrame, segments [][]float64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, list.File))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	require.Equal(t, "#EXTM3U", lines[0])
	require.Equal(t, "#EXT-X-ENDLIST", lines[len(lines)-1])
	require.Contains(t, lines, "#EXT-X-INDEPENDENT-SEGMENTS")
	require.Contains(t, lines, "#EXT-X-PLAYLIST-TYPE:VOD")
	target, at, segment := 0.0, 10.0, 0
	for _, line := range lines {
		if seconds, ok := strings.CutPrefix(line, "#EXT-X-TARGETDURATION:"); ok {
			target = number(t, seconds)
		}
		seconds, ok := strings.CutPrefix(line, "#EXTINF:")
		if !ok {
			if !strings.HasPrefix(line, "#") {
				require.Equal(t, list.Segments[segment], line)
				segment++
			}
			continue
		}
		lasts := number(t, strings.TrimSuffix(seconds, ","))
		require.LessOrEqual(t, lasts, target)
		// The frames of a segment are those of its time.
		shown := segments[segment]
		require.GreaterOrEqual(t, shown[0], at-0.001)
		require.Less(t, shown[len(shown)-1], at+lasts)
		if segment > 0 {
			require.InDelta(t, at, shown[0], 0.001)
		}
		at += lasts
	}
	require.Equal(t, len(list.Segments), segment)
	require.InDelta(t, list.Seconds, at-10, 0.001)
	require.Greater(t, at, frames[len(frames)-1].at)
	require.GreaterOrEqual(t, list.PeakBitRate, list.MeanBitRate)
	require.InDelta(t, float64(list.Bytes)*8/list.Seconds, float64(list.MeanBitRate), 2)
	require.Less(t, target-math.Ceil(target), 0.001)
}
