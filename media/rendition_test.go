package media

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every shape of source, all the way: probed, prepared, transcoded as Mist and a Broadcaster do it,
// finished, judged. Every frame has to be there, at the time at which a player shows it.
func TestRendition(t *testing.T) {
	t.Parallel()
	for _, s := range shapes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			tools := &Tools{}
			in := s.make(t)
			src, prep := prepared(t, s, Options{Constant: s.fps > 0})
			require.Equal(t, s.frames, src.Video.Frames)
			require.Equal(t, s.variable, src.Video.Variable)
			require.Equal(t, s.reencoded, prep.Reencoded)
			padded(t, prep)

			const width, height = 128, 64
			want := Want{Width: width, Height: height, FPS: s.fps, Source: src, Prepared: prep}
			num, den := prep.Ask(s.fps)
			pushed := mist(t, prep, float64(num)/float64(den), fmt.Sprintf("scale=%d:%d", width, height))
			require.True(t, EndsAt(pushed, &prep))
			out := filepath.Join(t.TempDir(), "out.ts")
			of := Pushed{Path: pushed, From: in, Source: src, Prepared: prep, FPS: s.fps}
			listed, err := tools.Finish(t.Context(), of, out)
			require.NoError(t, err)
			following := tools.Follow(t.Context(), of, filepath.Join(t.TempDir(), "followed.ts"))
			defer following.Stop()
			following.Over()
			want.Followed = following
			draft := following.drafted(t.Context())
			require.True(t, draft.of(pushed), "there is no draft")
			require.Equal(t, must(os.ReadFile(out)), must(os.ReadFile(draft.path)), "the draft is not what is finished at once")
			require.Equal(t, listed, draft.listed)
			holds, err := following.Decoded(t.Context()).holdsOf(t.Context(), out)
			require.NoError(t, err)
			require.True(t, holds, "what decoded while it was pushed is what was finished")
			alone, err := tools.Judge(t.Context(), out, want)
			require.NoError(t, err)
			want.Listed = listed
			verdict, err := tools.Judge(t.Context(), out, want)
			require.NoError(t, err)
			require.Equal(t, alone, verdict, "what was listed while it was written is what is there")
			require.Empty(t, verdict.Problems)
			require.True(t, verdict.OK)
			require.Equal(t, verdict.Frames, verdict.Decoded)
			if s.fps == 0 {
				require.Equal(t, s.frames, verdict.Frames)
				sameTimes(t, in, src, out)
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
			if !src.Video.Variable {
				require.InDelta(t, cmp.Or(s.fps, src.Video.Rate.FPS()), done.Video.Rate.FPS(), 0.05)
			}
		})
	}
}

// sameTimes compares the frames that a player shows of two files.
func sameTimes(t *testing.T, in string, src Source, out string) {
	t.Helper()
	shown := func(path string, index int) []int64 {
		var frames frameList
		args, err := input(path)
		require.NoError(t, err)
		args = append(append([]string{"-nostdin", "-loglevel", "error", "-copyts"}, args...), "-map", fmt.Sprintf("0:%d", index))
		require.NoError(t, run(t.Context(), "ffmpeg", nil, &frames, append(args, frames.arguments("pipe:1")...)...))
		return frames.times()
	}
	want, got := shown(in, src.Video.Index), shown(out, 0)
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i]-want[0], got[i]-got[0], 1000, "frame %d", i)
	}
}

// padded looks at a prepared file: from near DTS 0, in order, segments that Mist cuts one by one,
// and behind the place where pushes stop as many as it may lose.
func padded(t *testing.T, prep Prepared) {
	t.Helper()
	data, err := os.ReadFile(prep.Path)
	require.NoError(t, err)
	require.EqualValues(t, len(data), prep.Bytes)
	c, err := loadClock(clockPath(prep))
	require.NoError(t, err)
	require.Len(t, c.ticks, int(prep.Frames))
	require.Len(t, c.segments, int(prep.Segments))
	var frames, cuts, pads, longest int64
	last, cut := int64(-1), int64(0)
	distance := map[int64]bool{}
	demux := &demuxer{each: func(p picture) error {
		require.Greater(t, p.dts, last)
		require.GreaterOrEqual(t, p.pts, p.dts)
		last = p.dts
		require.Zero(t, p.pts%c.grid())
		if lookAt("h264", p.data).key && (cuts+pads == 0 || p.dts/ticksPerMS-cut/ticksPerMS >= cutTicks/ticksPerMS) {
			require.True(t, lookAt("h264", p.data).idr)
			distance[p.pts-p.dts] = true
			if cuts > 0 {
				longest = max(longest, (p.dts-cut)/ticksPerMS)
			}
			if cut = p.dts; p.dts/ticksPerMS > prep.StopMS {
				pads++
			} else {
				cuts++
			}
		}
		if p.dts/ticksPerMS <= prep.StopMS {
			require.Zero(t, pads)
			frames++
		}
		return nil
	}}
	_, err = demux.Write(data)
	require.NoError(t, err)
	require.NoError(t, demux.end())
	require.Equal(t, prep.Frames, frames)
	require.Equal(t, prep.Segments, cuts)
	require.EqualValues(t, padSegments, pads)
	require.Len(t, distance, 1, "one distance from DTS to PTS")
	require.InDelta(t, prep.SegmentMS, longest, 1)
}

// A transcoder that takes HEVC gets it as it is, where that is set, and so it is with more bits.
func TestPrepareLetsPass(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{"hevc.mp4": {HEVC: true}, "odd.mp4": {HighDepth: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, prep := prepared(t, named(t, name), opts)
			require.Empty(t, prep.Reencoded)
			require.Equal(t, named(t, name).frames, prep.Frames)
		})
	}
}

// The encode shows how far it is.
func TestPrepareShowsProgress(t *testing.T) {
	t.Parallel()
	var parts []float64
	prepared(t, named(t, "rotated.mp4"), Options{Progress: func(part float64) { parts = append(parts, part) }})
	require.Len(t, parts, 3, "one for each segment")
	require.IsIncreasing(t, parts)
	require.Less(t, parts[2], 1.0)
}

// A picture that no decoder shows is left out, and that is told.
func TestPrepareWithoutAPicture(t *testing.T) {
	t.Parallel()
	path := named(t, "bframes.mp4").make(t)
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size", "-of", "csv=p=0", path).Output()
	require.NoError(t, err)
	var at, size int
	_, err = fmt.Sscanf(strings.ReplaceAll(strings.Fields(string(out))[70], ",", " "), "%d %d", &size, &at)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	const length = 4 // of the picture's one unit
	for i := at + length; i < at+size; i++ {
		data[i] = 0xff
	}
	tools := &Tools{}
	in := write(t, "x.mp4", data)
	src, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)
	prep, err := tools.Prepare(t.Context(), src, in, t.TempDir(), Options{})
	require.NoError(t, err)
	require.Equal(t, ReencodeDamaged, prep.Reencoded)
	require.EqualValues(t, 179, prep.Frames)
	require.Equal(t, WarningUndecodable, prep.Warnings[0].Code)

	// A copy of it is told from one that decodes.
	require.NoError(t, tools.CheckPictures(t.Context(), prep))

	// Where it was not decoded whole, the copy shows it.
	src.Video.Undecodable = 0
	prep, err = tools.Prepare(t.Context(), src, in, t.TempDir(), Options{})
	require.NoError(t, err)
	require.Equal(t, ReencodeDamaged, prep.Reencoded)
}

// Progress is told in the source's own time.
func TestTrueMS(t *testing.T) {
	t.Parallel()
	p := Prepared{StopMS: 80_000, DurationUS: 20 * second}
	for clock, want := range map[int64]int64{-5: 0, 0: 0, 20_000: 5000, 80_000: 20_000, 90_000: 20_000} {
		require.Equal(t, want, p.TrueMS(clock))
	}
	require.Zero(t, (&Prepared{}).TrueMS(5))
}

// Damage that only a decoder sees is found in the copy, and an encode leaves it out.
func TestCheckPictures(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	src, prep := prepared(t, named(t, "bframes.mp4"), Options{})
	require.NoError(t, tools.CheckPictures(t.Context(), prep))
	data, err := os.ReadFile(prep.Path)
	require.NoError(t, err)
	// Without its parameters nothing decodes.
	data = bytes.ReplaceAll(data, []byte{0, 0, 1, 0x67}, []byte{0, 0, 1, 0x6c})
	require.NoError(t, os.WriteFile(prep.Path, data, 0o600))
	require.Equal(t, CodePicturesDamaged, code(t, tools.CheckPictures(t.Context(), prep)))

	again, err := tools.Prepare(t.Context(), src, named(t, "bframes.mp4").make(t), t.TempDir(), Options{Encode: true})
	require.NoError(t, err)
	require.Equal(t, ReencodeDamaged, again.Reencoded)
	require.Equal(t, prep.Frames, again.Frames)
}

// What is stored as a row comes back as it was.
func TestRows(t *testing.T) {
	t.Parallel()
	src, prep := prepared(t, shapes()[0], Options{})
	src.line = nil
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
