package media

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rendition is judged by what is in it. The prepared source, which holds padding, stands for
// what Mist pushed.
func TestJudge(t *testing.T) {
	t.Parallel()
	tools := &Tools{}
	in := shapes()[1].make(t)
	src, err := tools.Probe(t.Context(), in)
	require.NoError(t, err)
	prep, err := tools.Prepare(t.Context(), src, in, t.TempDir())
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "out.ts")
	require.NoError(t, tools.Finish(t.Context(), prep.Path, in, src, prep, out))
	want := Want{Width: 160, Height: 90, Source: src, Prepared: prep}

	pushed, err := os.ReadFile(prep.Path)
	require.NoError(t, err)
	var frames []frame
	demux := &demuxer{each: func(f frame, _ []byte) { frames = append(frames, f) }}
	_, err = demux.Write(pushed)
	require.NoError(t, err)
	finish := func(t *testing.T, src Source, data []byte) string {
		path := filepath.Join(t.TempDir(), "out.ts")
		require.NoError(t, tools.Finish(t.Context(), write(t, "pushed.ts", data), in, src, prep, path))
		return path
	}
	silent := src
	silent.Audio = nil
	with := func(change func(*Want)) Want {
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
		{"whole, and large", func(*testing.T) string { return out }, with(func(w *Want) { w.Width = 16_000 }), []string{ProblemWrongSize}},
		{"cut short", func(t *testing.T) string { return finish(t, src, pushed[:frames[120].pos]) }, want, []string{ProblemFramesMissing, ProblemTooShort}},
		{"one frame short", func(t *testing.T) string { return finish(t, src, pushed[:frames[179].pos]) }, want, []string{ProblemFramesMissing}},
		{"a hole that padding must not fill", func(t *testing.T) string {
			return finish(t, src, append(append([]byte{}, pushed[:frames[60].pos]...), pushed[frames[120].pos:]...))
		}, want, []string{ProblemFramesMissing, ProblemFramesMissing}},
		{"padding left in", func(*testing.T) string { return prep.Path }, want, []string{ProblemFramesExtra, ProblemFramesMissing, ProblemTooLong, ProblemAudioMissing}},
		{"wrong size", func(*testing.T) string { return out }, with(func(w *Want) { w.Width, w.Height = 160, 80 }), []string{ProblemWrongSize}},
		{"silent", func(t *testing.T) string { return finish(t, silent, pushed) }, want, []string{ProblemAudioMissing}},
		{"short of sound", func(*testing.T) string { return out }, with(func(w *Want) {
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
			require.Equal(t, c.codes, codes, "%+v", verdict.Problems)
			require.Equal(t, len(c.codes) == 0, verdict.OK)
			again(t, verdict)
		})
	}

	t.Run("pictures that do not decode", func(t *testing.T) {
		t.Parallel()
		data, err := os.ReadFile(out)
		require.NoError(t, err)
		broken := append([]byte{}, data...)
		var at []frame
		_, err = (&demuxer{each: func(f frame, _ []byte) { at = append(at, f) }}).Write(data)
		require.NoError(t, err)
		const header = 60 // of a packet: headers, delimiter and the start of the parameter sets stay
		for p := at[150].pos; p < int64(len(broken)); p += tsPacket {
			for i := p + header; i < p+tsPacket; i++ {
				broken[i] = 0xff
			}
		}
		verdict, err := tools.Judge(t.Context(), write(t, "x.ts", broken), want)
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
		for name, data := range map[string][]byte{"empty": nil, "no frame": pushed[:frames[0].pos], "garbage": make([]byte, 4*tsPacket), "padding only": pushed[frames[180].pos:]} {
			err := tools.Finish(t.Context(), write(t, "pushed.ts", data), in, src, prep, filepath.Join(t.TempDir(), "out.ts"))
			require.Equal(t, CodePushEmpty, code(t, err), name)
		}
	})
}
