package media

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rendition is judged by what is in it. The prepared source stands for what Mist pushed.
func TestJudge(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	in := shapes()[1].make(t)
	src, prep := prepared(t, shapes()[1], Options{})
	finish := func(t *testing.T, src Source, path string) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out.ts")
		_, err := tools.Finish(t.Context(), Pushed{Path: path, From: in, Source: src, Prepared: prep}, out)
		require.NoError(t, err)
		return out
	}
	out := finish(t, src, prep.Path)
	want := Want{Width: 160, Height: 90, Source: src, Prepared: prep}

	all := allPictures(t, prep.Path)
	// with is a pushed file with other pictures.
	with := func(t *testing.T, pictures []picture) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "pushed.ts")
		require.NoError(t, os.WriteFile(path, muxed(t, pictures), 0o600))
		return path
	}
	// remade is a finished file that ffmpeg's arguments make of the good one.
	remade := func(t *testing.T, args string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "out.ts")
		require.NoError(t, ffmpeg(t.Context(), append(append([]string{"-i", out}, words(args)...), "-muxdelay", "0", "-muxpreload", "0", path)...))
		return path
	}
	silent := src
	silent.Audio = nil
	change := func(change func(*Want)) Want {
		w := want
		change(&w)
		return w
	}

	cases := []struct {
		name  string
		path  func(t *testing.T) string
		want  Want
		codes []string
	}{
		{"whole", func(*testing.T) string { return out }, want, nil},
		{"cut short", func(t *testing.T) string { return finish(t, src, with(t, all[:120])) }, want, []string{ProblemFramesMissing}},
		{"one frame short", func(t *testing.T) string { return finish(t, src, with(t, all[:179])) }, want, []string{ProblemFramesMissing}},
		{"without one frame", func(t *testing.T) string {
			return finish(t, src, with(t, slices.Delete(slices.Clone(all), 90, 91)))
		}, want, []string{ProblemFramesMissing}},
		{"a hole that padding must not fill", func(t *testing.T) string {
			return finish(t, src, with(t, slices.Delete(slices.Clone(all), 60, 120)))
		}, want, []string{ProblemFramesMissing}},
		{"without a keyframe", func(t *testing.T) string {
			return finish(t, src, with(t, slices.Delete(slices.Clone(all), 60, 61)))
		}, want, []string{ProblemFramesMissing}},
		{"padding left in", func(*testing.T) string { return prep.Path }, want, []string{ProblemAudioMissing, ProblemFramesExtra}},
		{"wrong size", func(*testing.T) string { return out }, change(func(w *Want) { w.Width, w.Height = 160, 80 }), []string{ProblemWrongSize}},
		{"more bits than asked for", func(*testing.T) string { return out }, change(func(w *Want) { w.BitRate = 10_000 }), []string{ProblemBitRate}},
		{"no more bits than asked for", func(*testing.T) string { return out }, change(func(w *Want) { w.BitRate = 5_000_000 }), nil},
		{"all frames, too fast", func(t *testing.T) string { return remade(t, "-c copy -bsf:v setts=pts=PTS*0.99:dts=DTS*0.99") }, want, []string{ProblemFramesMoved}},
		{"frames where others were", func(t *testing.T) string {
			return remade(t, "-c:a copy -c:v libx264 -bf 0 -vf select=not(eq(n\\,50)),tpad=stop=1 -fps_mode passthrough -force_key_frames 2,4")
		}, want, []string{ProblemFramesMoved, ProblemKeysMissing}},
		{"other keyframes", func(t *testing.T) string { return remade(t, "-c:a copy -c:v libx264 -bf 0 -g 50 -keyint_min 50") }, want, []string{ProblemKeysMissing}},
		{"silent", func(t *testing.T) string { return finish(t, silent, prep.Path) }, want, []string{ProblemAudioMissing}},
		{"sound too late", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "out.ts")
			require.NoError(t, ffmpeg(t.Context(), "-i", out, "-itsoffset", "0.1", "-i", out, "-map", "0:v", "-map", "1:a", "-c", "copy", "-muxdelay", "0", "-muxpreload", "0", path))
			return path
		}, want, []string{ProblemAudioMoved}},
		{"short of sound", func(*testing.T) string { return out }, change(func(w *Want) {
			longer := *src.Audio
			longer.DurationUS += second
			w.Source.Audio = &longer
		}), []string{ProblemAudioShort}},
		{"garbage", func(t *testing.T) string { return write(t, "x.ts", []byte("no video")) }, want, []string{ProblemUnplayable}},
		{"empty", func(t *testing.T) string { return write(t, "x.ts", nil) }, want, []string{ProblemUnplayable}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			verdict, err := tools.Judge(t.Context(), c.path(t), c.want)
			require.NoError(t, err)
			var codes []string
			for _, p := range verdict.Problems {
				codes = append(codes, p.Code)
			}
			slices.Sort(codes)
			require.Equal(t, c.codes, codes, "%+v", verdict.Problems)
			require.Equal(t, len(c.codes) == 0, verdict.OK)
			again(t, verdict)
		})
	}

	t.Run("pictures that do not decode", func(t *testing.T) {
		t.Parallel()
		broken := slices.Clone(all)
		for i := 150; i < 180; i++ {
			data := slices.Clone(broken[i].data)
			for j := len(data) / 2; j < len(data); j++ {
				data[j] = 0xff
			}
			broken[i].data = data
		}
		verdict, err := tools.Judge(t.Context(), finish(t, src, with(t, broken)), want)
		require.NoError(t, err)
		require.False(t, verdict.OK)
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		_, err := tools.Judge(t.Context(), filepath.Join(t.TempDir(), "gone.ts"), want)
		require.Equal(t, CodeSpoolUnreadable, code(t, err))
	})
	t.Run("nothing was pushed", func(t *testing.T) {
		t.Parallel()
		for name, path := range map[string]string{
			"empty": write(t, "x.ts", nil), "garbage": write(t, "x.ts", make([]byte, 4*tsPacket)), "padding only": with(t, all[180:]),
		} {
			_, err := tools.Finish(t.Context(), Pushed{Path: path, From: in, Source: src, Prepared: prep}, filepath.Join(t.TempDir(), "out.ts"))
			require.Equal(t, CodePushEmpty, code(t, err), name)
		}
	})
}
