package media

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
)

// clockRates are the rates that a clock may have: whole ones that divide 90,000, as Mist announces
// thousandths and MPEG-TS counts in 90 kHz. Higher ones than 60 not every transcoder takes.
var clockRates = []int64{10, 12, 15, 20, 24, 25, 30, 40, 50, 60}

const (
	// rateSlack is by how much a source may be denser than its clock: 30.02 frames a second that
	// were measured over milliseconds are 30.
	rateSlack = 0.01

	// holeFrames lie between two segments. A transcoder moves DTS by two frames (B-frames), so that
	// no frame of one can be taken for the other's, or be older than it. Where a source is so long
	// that its clock would be full, leastHole has to do.
	holeFrames = 8
	leastHole  = 4

	// leadFrames come before the first frame, at least: a Broadcaster moves a part whose first DTS
	// would be below 0, which is two frames below its first PTS.
	leadFrames = 3

	// minStride is the least distance of two segments on the clock. Mist cuts from 1 s on, and
	// gives a segment that distance plus 2 s; a Broadcaster answers 503 when the oldest in flight is
	// older than twice that.
	minStride = 4 * tsClock

	// stretch is how much more time than it lasts a segment gets on the clock, for the same reason:
	// two are in flight and one is worked on at a time, so that a Broadcaster which needs twice a
	// segment's length answers the second one after four lengths.
	stretch = 4

	// maxClock keeps clear of 26.5 hours, where the 33 bits of an MPEG-TS timestamp wrap; longTicks
	// is from where on a source's segments get no more room than they need.
	maxClock  = 26 * 3600 * tsClock
	longTicks = 4 * 3600 * tsClock

	// cutTicks: from one second on Mist cuts at every keyframe.
	cutTicks = 1000 * ticksPerMS
)

// A clock is the even time that a prepared file's frames were put on, and their own times beside
// it. Mist and Broadcasters keep frame by frame only what lies on an even grid at the announced
// rate, so the true times never reach them: Prepare writes them beside the file and Finish gives
// them back.
type clock struct {
	fps   int64 // whole frames a second
	delay int64 // frames from a picture's DTS to its PTS, of those in order
	ticks []int64
	// segments are the parts that Mist cuts the file into, in order; the last is followed by pads.
	segments []segment
	stop     int64 // clock tick behind the last segment and before the pads
}

// A segment starts with a picture that needs none before it.
type segment struct {
	first int64 // rank of its first frame
	start int64 // clock tick of its first frame's PTS
}

// clockFPS is the rate of the clock for frames as dense as these.
func clockFPS(dense float64) int64 {
	for _, fps := range clockRates {
		if float64(fps) >= dense*(1-rateSlack) {
			return fps
		}
	}
	return clockRates[len(clockRates)-1]
}

// grid is the distance of two frames on the clock.
func (c *clock) grid() int64 { return tsClock / c.fps }

// frames is how many frames a segment has.
func (c *clock) frames(segment int) int64 {
	if segment+1 < len(c.segments) {
		return c.segments[segment+1].first - c.segments[segment].first
	}
	return int64(len(c.ticks)) - c.segments[segment].first
}

// begin lays out a segment whose first frame has a rank, behind the last one, which has n frames.
// Unless the source is long it lies on a whole second. A transcoder that changes the rate puts
// frames on places counted from time 0, and moves a segment that begins between two of them.
func (c *clock) begin(first, n int64) {
	grid := c.grid()
	start := upTo((max(c.delay, 0)+leadFrames)*grid, tsClock)
	if len(c.segments) > 0 {
		last := c.segments[len(c.segments)-1]
		start = last.start + c.stride(n)
	}
	c.segments = append(c.segments, segment{first: first, start: start})
}

// stride is the distance from a segment of n frames to the next.
func (c *clock) stride(n int64) int64 {
	grid := c.grid()
	if int64(len(c.ticks))*grid > longTicks {
		return (n + leastHole) * grid
	}
	return upTo(max((n+holeFrames)*grid, minStride, stretch*n*grid), tsClock)
}

// upTo is the next multiple.
func upTo(ticks, of int64) int64 { return (ticks + of - 1) / of * of }

// dts is where a segment starts on the clock in decoding order.
func (c *clock) dts(segment int) int64 {
	return c.segments[segment].start - c.delay*c.grid()
}

// end is the DTS of the last frame.
func (c *clock) end() int64 {
	last := len(c.segments) - 1
	return c.dts(last) + (c.frames(last)-1)*c.grid()
}

// find is the segment that a DTS of a rendition belongs to. Mist starts each part at its source's
// DTS, in whole milliseconds.
func (c *clock) find(dts int64) int {
	early := leastHole / 2 * c.grid()
	return max(0, sort.Search(len(c.segments), func(k int) bool { return c.dts(k)-early > dts })-1)
}

// at is the true time of a place on the clock, in frames from the start of all: fractions lie
// between two frames.
func (c *clock) at(frame float64) int64 {
	i := int64(math.Floor(frame))
	n := int64(len(c.ticks))
	switch {
	case i < 0:
		return 0
	case i >= n-1:
		last := c.ticks[n-1]
		return last + int64(math.Round((frame-float64(n-1))*float64(c.lastGap())))
	}
	return c.ticks[i] + int64(math.Round((frame-float64(i))*float64(c.ticks[i+1]-c.ticks[i])))
}

func (c *clock) lastGap() int64 {
	if n := len(c.ticks); n > 1 {
		return c.ticks[n-1] - c.ticks[n-2]
	}
	return c.grid()
}

// meanGap is the distance of two frames in true time, on the average.
func (c *clock) meanGap() int64 {
	n := len(c.ticks)
	if n < 2 { //nolint:mnd // one has no gap
		return c.grid()
	}
	return max(1, (c.ticks[n-1]-c.ticks[0])/int64(n-1))
}

// The file of a clock: a mark with a version, six numbers, the segments, the ticks, all in 8 bytes
// (little endian): 41 MB for a day at 60 frames a second.
const clockMark = uint64(0x31_6b636f6c6372_77) // "wrclock1"

func (c *clock) save(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	put := func(n int64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		_, _ = w.Write(b[:]) // told by Flush
	}
	for _, n := range []int64{int64(clockMark), c.fps, c.delay, c.stop, int64(len(c.segments)), int64(len(c.ticks))} {
		put(n)
	}
	for _, s := range c.segments {
		put(s.first)
		put(s.start)
	}
	for _, t := range c.ticks {
		put(t)
	}
	return errors.Join(w.Flush(), file.Close())
}

var errNoClock = errors.New("not a clock's file")

func loadClock(path string) (*clock, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(file, writeBuffer)
	var failed error
	get := func() int64 {
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			failed = errors.Join(failed, err)
		}
		return int64(binary.LittleEndian.Uint64(b[:]))
	}
	mark := get()
	c := &clock{fps: get(), delay: get(), stop: get()}
	segments, ticks := get(), get()
	const head, each = 6 * 8, 8
	if failed != nil || uint64(mark) != clockMark || segments < 1 || ticks < segments || c.fps < 1 ||
		info.Size() != head+each*(2*segments+ticks) {
		return nil, fmt.Errorf("read %s: %w", path, errors.Join(errNoClock, failed))
	}
	c.segments, c.ticks = make([]segment, segments), make([]int64, ticks)
	for i := range c.segments {
		c.segments[i] = segment{first: get(), start: get()}
	}
	for i := range c.ticks {
		c.ticks[i] = get()
	}
	if failed != nil {
		return nil, fmt.Errorf("read %s: %w", path, failed)
	}
	return c, nil
}
