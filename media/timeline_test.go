package media

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// packets makes a track of PTS in file order, the first of them a keyframe.
func packets(pts ...int64) *track {
	t := &track{startUS: noTime, endUS: noTime, firstUS: noTime, nextUS: noTime}
	for i, us := range pts {
		flags := byte(0)
		if i == 0 {
			flags = flagKey
		}
		t.add(us, noTime, 0, 1, flags)
	}
	return t
}

func TestTimelineRanks(t *testing.T) {
	t.Parallel()
	const none = noTime
	cases := []struct {
		name  string
		pts   []int64
		us    []int64 // of the frames, from the first
		rank  []int32
		delay int64
	}{
		{"in order", []int64{1000, 41_000, 81_000}, []int64{0, 40_000, 80_000}, []int32{0, 1, 2}, 0},
		{"B-frames", []int64{0, 120_000, 40_000, 80_000, 160_000}, []int64{0, 40_000, 80_000, 120_000, 160_000}, []int32{0, 3, 1, 2, 4}, 1},
		{"a pyramid", []int64{0, 160_000, 80_000, 40_000, 120_000}, []int64{0, 40_000, 80_000, 120_000, 160_000}, []int32{0, 4, 2, 1, 3}, 2},
		{"one without a time", []int64{0, 40_000, none, 120_000}, []int64{0, 40_000, 80_000, 120_000}, []int32{0, 1, 2, 3}, 0},
		{"two without a time, and the last", []int64{0, 40_000, none, none, 160_000, none}, []int64{0, 40_000, 80_000, 120_000, 160_000, 200_000}, []int32{0, 1, 2, 3, 4, 5}, 0},
		{"one of B-frames without a time", []int64{0, 120_000, none, 80_000, 160_000}, []int64{0, 40_000, 80_000, 120_000, 160_000}, nil, 0},
		{"two at one time", []int64{0, 40_000, 40_000, 80_000}, []int64{0, 40_000, 40_000, 80_000}, []int32{0, 1, 2, 3}, 0},
		{"one", []int64{5}, []int64{0}, []int32{0}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			line := packets(c.pts...).timeline(Rate{25, 1})
			require.Len(t, line.ticks, len(c.us))
			for i, us := range c.us {
				require.InDelta(t, toTicks(us), line.ticks[i], 1)
				require.True(t, i == 0 || line.ticks[i] > line.ticks[i-1])
			}
			require.Equal(t, c.rank, line.rank)
			require.Equal(t, c.delay, line.delay)
			require.Equal(t, c.pts[0], line.startUS)
		})
	}
}

// What an edit list hides is no frame.
func TestTimelineHidden(t *testing.T) {
	t.Parallel()
	track := packets()
	for i := range int64(6) {
		flags := byte(flagHidden)
		if i == 0 {
			flags |= flagKey
		}
		if i > 2 {
			flags = 0
		}
		track.add((i-3)*40_000, noTime, 0, 1, flags)
	}
	line := track.timeline(Rate{})
	require.Equal(t, []int32{notShown, notShown, notShown, 0, 1, 2}, line.rank)
	require.Zero(t, line.startUS)
}

func TestTimelineRate(t *testing.T) {
	t.Parallel()
	grid := func(n int, fps float64) []int64 {
		us := make([]int64, n)
		for i := range us {
			us[i] = int64(float64(i) * second / fps)
		}
		return us
	}
	ms := func(us []int64) []int64 {
		us = slices.Clone(us)
		for i := range us {
			us[i] = (us[i] + 500) / 1000 * 1000
		}
		return us
	}
	gap := grid(300, 30)
	for i := 150; i < 300; i++ {
		gap[i] += 400_000
	}
	cases := []struct {
		name  string
		us    []int64
		said  Rate
		rate  float64
		even  bool
		dense float64
		clock int64
	}{
		{"as the header says", grid(100, 25), Rate{25, 1}, 25, true, 25, 25},
		{"the header is wrong", grid(150, 30), Rate{600, 1}, 30, true, 30, 30},
		{"NTSC", grid(1000, 30000.0/1001), Rate{}, 30000.0 / 1001, true, 30000.0 / 1001, 30},
		{"NTSC film, in whole milliseconds", ms(grid(1000, 24000.0/1001)), Rate{24, 1}, 24000.0 / 1001, true, 24000.0 / 1001, 24},
		{"a rate that nobody has", grid(300, 13.37), Rate{}, 13.37, true, 13.37, 15},
		{"an hour of 30 that is 29.97", grid(108_000, 30000.0/1001), Rate{30, 1}, 30000.0 / 1001, true, 30000.0 / 1001, 30},
		{"one gap", gap, Rate{30, 1}, 299 / (299/30.0 + 0.4), false, 30, 30},
		{"screen recording", append(grid(120, 30), 6*second, 8*second), Rate{30, 1}, 121 / 8.0, false, 30, 30},
		{"a minute a frame", []int64{0, 60 * second, 120 * second}, Rate{}, 1 / 60.0, true, 1 / 60.0, 10},
		{"slow motion", grid(240, 240), Rate{240, 1}, 240, true, 240, 60},
		{"one frame", []int64{0}, Rate{24, 1}, 24, true, 24, 24},
		{"one frame, and nothing known", []int64{0}, Rate{}, 25, true, 25, 25},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			line := &timeline{}
			line.set(c.us, c.said)
			require.InDelta(t, c.rate, line.rate.FPS(), c.rate/10_000)
			require.Equal(t, c.even, line.even)
			require.InDelta(t, c.dense, line.dense, c.dense/100)
			require.Equal(t, c.clock, clockFPS(line.dense))
		})
	}
}

// Rates in turn: the clock has that of the densest second, so that no second of it holds more
// than its frames.
func TestTimelineDensest(t *testing.T) {
	t.Parallel()
	var us []int64
	at := int64(0)
	for i := range 300 {
		us = append(us, at)
		at += second / 30
		if i >= 100 && i < 200 {
			at -= second / 60
		}
	}
	line := &timeline{}
	line.set(us, Rate{30, 1})
	require.False(t, line.even)
	require.InDelta(t, 60, line.dense, 1)
	require.EqualValues(t, 60, clockFPS(line.dense))
}
