package media

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// laid is a clock with segments of so many frames each.
func laid(fps, delay int64, frames ...int64) *clock {
	c := &clock{fps: fps, delay: delay}
	n := int64(0)
	for _, of := range frames {
		n += of
	}
	for i := range n {
		c.ticks = append(c.ticks, i*tsClock/fps)
	}
	first, last := int64(0), int64(0)
	for _, of := range frames {
		c.begin(first, last)
		first, last = first+of, of
	}
	c.stop = c.dts(len(frames)-1) + c.stride(last) - leastHole/2*c.grid()
	return c
}

// Segments keep their distances: Mist cuts at each, no frame of one reaches the next's, a slow
// Broadcaster has its time, and all lies on the grid, not below 0.
func TestClockLaysSegments(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		fps := clockRates[random.IntN(len(clockRates))]
		var frames []int64
		for range 1 + random.IntN(6) {
			frames = append(frames, 1+random.Int64N(10*fps))
		}
		c := laid(fps, random.Int64N(5), frames...)
		require.GreaterOrEqual(t, c.dts(0), int64(2)*c.grid(), "a Broadcaster moves what would begin below 0")
		for i, s := range c.segments {
			require.Zero(t, s.start%c.grid())
			require.Equal(t, frames[i], c.frames(i))
			if i == 0 {
				continue
			}
			stride := s.start - c.segments[i-1].start
			require.GreaterOrEqual(t, stride, (frames[i-1]+holeFrames)*c.grid())
			require.GreaterOrEqual(t, stride, int64(minStride))
			require.GreaterOrEqual(t, stride, stretch*frames[i-1]*c.grid())
		}
		// Whatever a transcoder does to a segment's DTS, up to four frames, it is found again.
		for i := range c.segments {
			for _, frame := range []int64{0, frames[i] - 1} {
				for off := int64(-1); off <= 5; off++ {
					require.Equal(t, i, c.find(c.dts(i)+(frame+off)*c.grid()))
				}
			}
		}
		require.GreaterOrEqual(t, c.stop, c.dts(len(frames)-1)+(frames[len(frames)-1]+leastHole/2)*c.grid())
	}
}

// A day fits, with no more room than its segments need.
func TestClockOfADay(t *testing.T) {
	t.Parallel()
	const hours, fps, gop = 24, 25, 50
	c := &clock{fps: fps, ticks: make([]int64, hours*3600*fps)}
	last := int64(0)
	for first := int64(0); first < int64(len(c.ticks)); first += gop {
		c.begin(first, last)
		last = gop
	}
	require.Less(t, c.segments[len(c.segments)-1].start, int64(maxClock))
	require.Less(t, c.segments[len(c.segments)-1].start, int64(tsWrap))
}

func TestClockAt(t *testing.T) {
	t.Parallel()
	c := &clock{fps: 30, ticks: []int64{0, 3000, 6000, 96_000}}
	for _, test := range []struct {
		frame float64
		at    int64
	}{{-1, 0}, {0, 0}, {0.5, 1500}, {1, 3000}, {2.5, 51_000}, {3, 96_000}, {3.1, 105_000}} {
		require.Equal(t, test.at, c.at(test.frame), "%g", test.frame)
	}
}

func TestClockFile(t *testing.T) {
	t.Parallel()
	c := laid(30, 2, 60, 1, 45)
	path := filepath.Join(t.TempDir(), clockName)
	require.NoError(t, c.save(path))
	back, err := loadClock(path)
	require.NoError(t, err)
	require.Equal(t, c, back)

	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, broken := range [][]byte{nil, data[:40], data[:len(data)-1], append([]byte{1}, data...), make([]byte, len(data))} {
		_, err := loadClock(write(t, "x", broken))
		require.ErrorIs(t, err, errNoClock)
	}
}
