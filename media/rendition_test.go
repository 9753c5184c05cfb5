package media

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every shape of source, all the way: probed, prepared, transcoded as Mist does it, finished,
// judged. Every frame has to be there.
func TestRendition(t *testing.T) {
	t.Parallel()
	for _, s := range shapes() {
		for _, raw := range []bool{false, true} {
			if raw && !s.bothWays {
				continue
			}
			t.Run(fmt.Sprintf("%s raw=%t", s.name, raw), func(t *testing.T) {
				t.Parallel()
				tools := &Tools{}
				in := s.make(t)
				src, err := tools.Probe(t.Context(), in)
				require.NoError(t, err)
				require.Equal(t, s.frames, src.Video.Frames)
				prep, err := tools.Prepare(t.Context(), src, in, t.TempDir())
				require.NoError(t, err)
				require.Equal(t, s.reencoded, prep.Reencoded)
				require.Equal(t, s.frames, prep.Frames)
				padded(t, prep)

				filter, want := "scale=128:64", Want{Width: 128, Height: 64, Source: src, Prepared: prep}
				if s.fps != "" {
					filter, want.FPS = filter+",fps="+s.fps, parseRate(s.fps+"/1").FPS()
				}
				pushed := mist(t, prep, filter, raw)
				out := filepath.Join(t.TempDir(), "out.ts")
				require.NoError(t, tools.Finish(t.Context(), pushed, in, src, prep, out))
				verdict, err := tools.Judge(t.Context(), out, want)
				require.NoError(t, err)
				require.Empty(t, verdict.Problems)
				require.True(t, verdict.OK)
				if s.fps == "" {
					require.Equal(t, s.frames, verdict.Frames)
				}
				require.Equal(t, src.Audio != nil, verdict.Audio != nil)
				if src.Audio == nil {
					return
				}

				// Audio that MPEG-TS cannot carry becomes AAC, the rest stays what it is.
				codec := src.Audio.Codec
				if codec == "opus" || codec == "pcm_s16le" {
					codec = "aac"
				}
				require.Equal(t, codec, verdict.Audio.Codec)

				// Sound and picture are as far apart as they were, and the first of them is at 0.
				done, err := tools.Probe(t.Context(), out)
				require.NoError(t, err)
				require.InDelta(t, src.Audio.StartUS-prep.StartUS, done.Audio.StartUS-done.Video.StartUS, 30_000)
				require.GreaterOrEqual(t, min(done.Audio.StartUS, done.Video.StartUS), int64(0))
				require.Less(t, min(done.Audio.StartUS, done.Video.StartUS), int64(second))
			})
		}
	}
}

// One keyframe in more than a minute would be one segment: such a source is encoded with more.
func TestPrepareSparseKeyframes(t *testing.T) {
	t.Parallel()
	const seconds, rate = 64, 2
	tools := &Tools{}
	in := sources.make(t, "sparse.mp4", join(picture(small, "2", seconds), words(bs+"-g 1000"))...)
	src, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)
	prep, err := tools.Prepare(t.Context(), src, in, t.TempDir())
	require.NoError(t, err)
	require.Equal(t, ReencodeSparseKeys, prep.Reencoded)
	require.EqualValues(t, seconds*rate, prep.Frames)
	require.EqualValues(t, seconds/encodeGOP, prep.Keyframes)

	// What ffprobe sees: keyframes every 2 s, and the padding at least 1 s apart, behind the stop.
	l, err := tools.list(t.Context(), prep.Path)
	require.NoError(t, err)
	whole, err := l.source(prep.Path)
	require.NoError(t, err)
	require.LessOrEqual(t, whole.Video.KeyGapUS, int64(8*second))
	require.Greater(t, whole.Video.Frames, prep.Frames)
}

// padded looks at a prepared file as ffprobe sees it: from DTS 0, in order, five keyframes at least
// 1 s apart behind the place where pushes stop.
func padded(t *testing.T, prep Prepared) {
	t.Helper()
	info, err := os.Stat(prep.Path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), prep.Bytes)
	require.EqualValues(t, padGOPs, prep.PadKeys)
	require.Less(t, prep.TotalMS-prep.StopMS, int64(15_000), "padding stays short whatever the GOP")

	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "warning", "-of", "csv=p=0", "-show_entries",
		"packet=dts,flags", prep.Path).CombinedOutput() // a continuity error would be a warning
	require.NoError(t, err)
	var last, lastKey, keys, frames int64 = -1, -cutTicks, 0, 0
	for line := range strings.Lines(string(out)) {
		field, rest, _ := strings.Cut(strings.TrimSpace(line), ",")
		if field == "" {
			continue
		}
		dts, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err, string(out))
		if frames == 0 {
			require.Zero(t, dts)
		}
		require.Greater(t, dts, last)
		last = dts
		if dts <= prep.StopMS*ticksPerMS {
			frames++
		} else if strings.HasPrefix(rest, "K") {
			require.GreaterOrEqual(t, dts/ticksPerMS-lastKey/ticksPerMS, int64(1000))
			keys++
		}
		if strings.HasPrefix(rest, "K") {
			lastKey = dts
		}
	}
	require.Equal(t, prep.Frames, frames)
	require.EqualValues(t, padGOPs, keys)
}

// What is stored as a row comes back as it was.
func TestRows(t *testing.T) {
	t.Parallel()
	in := shapes()[0].make(t)
	tools := &Tools{}
	src, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)
	prep, err := tools.Prepare(t.Context(), src, in, t.TempDir())
	require.NoError(t, err)
	again(t, src)
	again(t, prep)
}

func again[T any](t *testing.T, v T) {
	t.Helper()
	row, err := json.Marshal(v)
	require.NoError(t, err)
	var back T
	require.NoError(t, json.Unmarshal(row, &back))
	require.Equal(t, v, back)
}
