package broadcaster_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
	"weir/internal/mistsim/ts"
)

// TestGrid: frames go to whole multiples of the frame's length, which loses and
// doubles some of those whose times are whole milliseconds beside it. The counts are
// those of a real one.
func TestGrid(t *testing.T) {
	t.Parallel()
	cases := []struct {
		rate    string
		frames  int
		startMS float64
		fps     uint
		want    int
	}{
		{"30", 60, 2000, 30, 60},
		{"30", 60, 1017, 30, 59}, // half a frame off
		{"24", 48, 1021, 24, 47},
		{"60", 120, 1008 + 2.0/3, 60, 121},
		{"25", 50, 2000, 30, 60},
		{"50", 100, 2000, 30, 60},
		{"30", 1, 2000, 30, 1},
		{"30", 3, 2000, 30, 3},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.rate, " at ", c.startMS, " to ", c.fps), func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			got := b.one(t, segment(t, picture("160x90", c.rate, c.frames)+h264, c.startMS), object{"fps": c.fps, "profile": "H264Baseline"})
			require.Len(t, got.frames, c.want)
			frame := int64(ts.Clock / c.fps)
			first := (int64(c.startMS)*ts.TicksPerMS + frame/2) / frame
			for i, f := range got.frames {
				require.Equal(t, (first+int64(i))*frame, f.PTS, "frame %d is at its absolute place", i)
			}
			require.EqualValues(t, c.fps*1000, got.codec.FPKS)
		})
	}
}

// TestOwnTimes: without a rate, frames keep their times, those of a variable rate too;
// with its mean they are resampled.
func TestOwnTimes(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	const start = 7333
	data := segment(t, picture("320x180", "30", 30)+" -vf select='not(mod(n\\,3))+lt(n\\,20)' -vsync vfr"+h264, start)
	sent := frames(data)
	for name, fps := range map[string]any{"absent": nil, "0": 0} {
		got := b.post(t, data, with(object{"fps": fps, "profile": "H264Baseline"})).parts(t)[0].frames
		require.Len(t, got, len(sent), name)
		for i := range sent {
			require.Equal(t, sent[i].PTS, got[i].PTS, name)
		}
	}
	mean := 1000 * len(sent) * 1000 / int(sent[len(sent)-1].MS()-sent[0].MS())
	got := b.one(t, data, object{"fps": mean, "fpsDen": 1000})
	own := 0
	times := map[int64]bool{}
	for _, f := range sent {
		times[f.PTS] = true
	}
	for _, f := range got.frames {
		if times[f.PTS] {
			own++
		}
	}
	require.Less(t, own, len(sent)/2, "resampled")
}

// TestRunaway: a rate or a hole that makes more than 25 frames of each is refused.
func TestRunaway(t *testing.T) {
	t.Parallel()
	second := int64(ts.Clock)
	cases := map[string]struct {
		fps   uint
		times []int64
		want  int64
		ok    bool
	}{
		"25 of each":         {25, []int64{0, second, 2 * second}, 75, true},
		"26 of each":         {26, []int64{0, second, 2 * second}, 0, false},
		"a hole":             {30, []int64{0, second / 30, 4 * second, 4*second + second/30}, 0, false},
		"below 0":            {25, []int64{-second, 0}, 50, true},
		"several at a place": {1, []int64{0, 1, 2, 3}, 1, true},
	}
	for name, c := range cases {
		n, ok := broadcaster.Places(&broadcaster.Profile{FPS: c.fps}, c.times, second)
		if name == "several at a place" {
			n, ok = broadcaster.Places(&broadcaster.Profile{FPS: c.fps}, c.times, 1)
		}
		require.Equal(t, c.ok, ok, name)
		if c.ok {
			require.Equal(t, c.want, n, name)
		}
	}
	b := setup(t, broadcaster.Config{})
	data := segment(t, picture("160x90", "30", 10)+h264, 0)
	got := b.post(t, data, with(object{"fps": 2000}))
	require.Equal(t, 422, got.status)
	require.Contains(t, string(got.body), `err="Encoded frames runaway"`)
}
