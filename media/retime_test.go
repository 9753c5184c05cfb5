package media

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// idr and slice are the shortest pictures that are taken for such.
var (
	idr   = []byte{0, 0, 0, 1, 0x65, 0x88, 0x80}
	slice = []byte{0, 0, 0, 1, 0x41, 0x9a, 0x80}
)

// returned is what a Broadcaster makes of a clock's segments: B-frames, DTS two frames before the
// PTS, each segment from its source's DTS in whole milliseconds.
func returned(c *clock) []picture {
	var all []picture
	grid := c.grid()
	for k := range c.segments {
		start := c.dts(k) / ticksPerMS * ticksPerMS
		n := c.frames(k)
		reorder := int64(2)
		if n <= 2 {
			reorder = 0
		}
		place := int64(0)
		for shown := int64(0); shown < n; {
			// I or P, and up to two B-frames before it.
			b := min(2, n-1-shown)
			if shown == 0 || reorder == 0 {
				b = 0
			}
			for i := int64(0); i <= b; i++ {
				at := shown + b
				if i > 0 {
					at = shown + i - 1
				}
				data := slice
				if place == 0 {
					data = idr
				}
				all = append(all, picture{pts: start + (at+reorder)*grid, dts: start + place*grid, data: data})
				place++
			}
			shown += b + 1
		}
	}
	return all
}

func file(t *testing.T, pictures []picture) *bytes.Reader {
	t.Helper()
	var b bytes.Buffer
	mux := newMuxer(&b, "h264")
	for _, p := range pictures {
		require.NoError(t, mux.write(p, lookAt("h264", p.data).idr))
	}
	return bytes.NewReader(b.Bytes())
}

// retime is a whole file's times; fps is the rendition's own rate, 0: it has the source's.
func retime(file *bytes.Reader, c *clock, fps float64) (*retimed, error) {
	r := newRetimed(c, &Pushed{FPS: fps})
	if err := r.read(file); err != nil {
		return nil, err
	}
	r.order()
	return r, nil
}

// random is a clock of segments of any length, with true times of any distance.
func random(seed uint64) *clock {
	r := rand.New(rand.NewPCG(seed, 0))
	fps := clockRates[r.IntN(len(clockRates))]
	var frames []int64
	for range 1 + r.IntN(5) {
		frames = append(frames, 1+r.Int64N(80))
	}
	c := laid(fps, r.Int64N(4), frames...)
	at := int64(0)
	for i := range c.ticks {
		c.ticks[i] = at
		at += 90 + r.Int64N(9000)
		if r.IntN(20) == 0 {
			at += r.Int64N(20 * tsClock)
		}
	}
	return c
}

// Every frame gets its own time back, and a DTS that rises, is not above its PTS and not long
// before it.
func TestRetime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		c := random(seed)
		pictures := returned(c)
		r, err := retime(file(t, pictures), c, 0)
		require.NoError(t, err)
		require.EqualValues(t, len(c.ticks), r.frames)
		shown := slices.Clone(r.pts)
		slices.Sort(shown)
		require.Equal(t, c.ticks, shown)
		for i := range r.pts {
			require.LessOrEqual(t, r.dts[i], r.pts[i])
			require.GreaterOrEqual(t, r.dts[i], r.start)
			require.True(t, i == 0 || r.dts[i] > r.dts[i-1])
			for j := range i { // nothing shown before a picture is decoded behind it
				require.True(t, r.pts[j] > r.dts[i] || r.dts[j] < r.dts[i])
			}
		}
		again, err := retime(file(t, pictures), c, 0)
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
}

// Even frames get the even DTS that every muxer would give them.
func TestRetimeEven(t *testing.T) {
	t.Parallel()
	c := laid(30, 2, 60, 60)
	r, err := retime(file(t, returned(c)), c, 0)
	require.NoError(t, err)
	for i := 1; i < len(r.dts); i++ {
		require.Equal(t, c.grid(), r.dts[i]-r.dts[i-1])
	}
}

// A still of ten seconds is not decoded ten seconds early.
func TestRetimeStill(t *testing.T) {
	t.Parallel()
	c := laid(30, 0, 30, 30)
	for i := range c.ticks {
		c.ticks[i] = int64(i) * 10 * tsClock
	}
	r, err := retime(file(t, returned(c)), c, 0)
	require.NoError(t, err)
	for i := range r.pts {
		latest := slices.Min(r.pts[i:])
		require.LessOrEqual(t, latest-r.dts[i], int64(20*tsClock))
	}
}

// What is lost is missing, and nothing takes its place.
func TestRetimeLosses(t *testing.T) {
	t.Parallel()
	c := laid(30, 0, 60, 45, 60)
	whole := returned(c)
	for name, test := range map[string]struct {
		pictures []picture
		frames   int64
	}{
		"a frame":              {slices.Delete(slices.Clone(whole), 70, 71), 164},
		"a segment":            {slices.Delete(slices.Clone(whole), 60, 105), 120},
		"the end":              {whole[:len(whole)-10], 155},
		"one twice":            {slices.Insert(slices.Clone(whole), 11, picture{pts: whole[10].pts, dts: whole[10].dts + 1, data: slice}), 165},
		"one between two":      {slices.Insert(slices.Clone(whole), 60, picture{pts: whole[59].pts + 100*c.grid(), dts: whole[59].dts + 1, data: slice}), 165},
		"padding behind":       {append(slices.Clone(whole), picture{pts: c.stop + 9000, dts: c.stop + 1, data: idr}), 165},
		"nothing but padding":  {[]picture{{pts: c.stop + 9000, dts: c.stop + 1, data: idr}}, 0},
		"nothing at all":       {nil, 0},
		"the last, off by one": {append(slices.Clone(whole[:len(whole)-1]), picture{pts: whole[164].pts + c.grid(), dts: whole[164].dts, data: slice}), 164},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := retime(file(t, test.pictures), c, 0)
			require.NoError(t, err)
			require.Equal(t, test.frames, r.frames)
			seen := map[int64]bool{}
			for _, pts := range r.pts {
				require.False(t, pts != noTime && seen[pts], "two at one time")
				seen[pts] = true
			}
		})
	}
}

// At a rate of its own a rendition's frames lie between the source's by the clock.
func TestRetimeAnotherRate(t *testing.T) {
	t.Parallel()
	c := laid(60, 0, 120, 120)
	for i := range c.ticks {
		c.ticks[i] = int64(i) * tsClock * 1001 / 60_000
	}
	var pictures []picture
	for k := range c.segments {
		for i := range int64(60) {
			pictures = append(pictures, picture{pts: c.dts(k) + i*3000, dts: c.dts(k) + i*3000, data: slice})
		}
	}
	r, err := retime(file(t, pictures), c, 30)
	require.NoError(t, err)
	require.EqualValues(t, 120, r.frames)
	for i, pts := range r.pts {
		require.InDelta(t, float64(i)*tsClock*1001/30_000, pts, 91)
	}
}
