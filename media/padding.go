package media

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
)

const (
	// padGOPs is how many GOPs are put behind the source. MistProcLivepeer never sends what follows
	// its last cut and drops the two segments in flight; two more give the push time to see the
	// first padding packet, at which it stops, before the process ends.
	padGOPs = 5

	// cutTicks is the least distance between two keyframes at which MistProcLivepeer surely cuts:
	// it asks for 1000 ms, counted in whole milliseconds.
	cutTicks = 1050 * ticksPerMS

	// padTicks is how much of the last GOP a copy takes. A cut needs no more than 1 s, and what is
	// sent costs a transcode. The start of a GOP decodes without its end.
	padTicks = 1000 * ticksPerMS

	// holeTicks and holeFrames are the hole between source and padding: wide enough that the frames
	// by which a transcoder may shift its DTS, either way, fit in half of it.
	holeTicks  = 500 * ticksPerMS
	holeFrames = 8
)

// A timeline is what is learnt of a prepared file while it is written. Times are 90 kHz ticks.
type timeline struct {
	frames, keys     int64
	first, last      int64  // DTS
	start, end       int64  // first PTS; last PTS
	key              frame  // the last keyframe
	leastKeyGap      int64  // between two keyframes
	copied           frames // what padding takes of the last GOP
	demux            demuxer
	cuts             cutter
	unordered, early bool
}

// frames are the first of a GOP, up to padTicks of them.
type frames struct {
	end      int64 // byte where the first frame beyond them starts, 0 while there is none
	dts, pts int64 // the greatest
}

func newTimeline(codec string) *timeline {
	t := &timeline{cuts: cutter{codec: codec}, demux: demuxer{counters: counters{}}}
	t.demux.each = t.frame
	return t
}

func (t *timeline) frame(f frame, head []byte) {
	t.cuts.frame(f, head)
	switch {
	case t.frames == 0:
		t.first, t.start, t.end = f.dts, f.pts, f.pts
		t.early = !f.key
	case f.dts <= t.last:
		t.unordered = true
	}
	t.frames++
	t.last = f.dts
	t.start, t.end = min(t.start, f.pts), max(t.end, f.pts)
	if f.key {
		if gap := f.dts - t.key.dts; t.keys > 0 && (t.leastKeyGap == 0 || gap < t.leastKeyGap) {
			t.leastKeyGap = gap
		}
		t.keys++
		t.key = f
		t.copied = frames{dts: f.dts, pts: f.pts}
	}
	switch {
	case t.copied.end > 0:
	case f.dts-t.key.dts >= padTicks:
		t.copied.end = f.pos
	default:
		t.copied.dts, t.copied.pts = f.dts, max(t.copied.pts, f.pts)
	}
}

// Write passes the file through the demuxer.
func (t *timeline) Write(p []byte) (int, error) { return t.demux.Write(p) }

// A pad is where the padding goes.
type pad struct {
	from, to int64 // the bytes of the last GOP that are copied
	base     int64 // DTS of their keyframe
	at       int64 // DTS of the first copy's keyframe
	stride   int64 // from one copy to the next
	stop     int64 // the middle of the hole
}

// plan lays the padding behind the source. frameTicks is how long its last frame is shown.
func (t *timeline) plan(frameTicks int64) pad {
	p := pad{from: t.key.pos, to: cmp.Or(t.copied.end, t.demux.pos), base: t.key.dts}
	end := t.end + frameTicks
	p.at = max(end+max(holeTicks, holeFrames*frameTicks), t.key.dts+cutTicks)
	p.stride = max(cutTicks, t.copied.dts-t.key.dts+frameTicks, t.copied.pts-t.key.pts+frameTicks)
	p.stop = end + (p.at-end)/2
	return p
}

// write appends the copies to a file whose last GOP lies in it, through w, and checks what it wrote.
func (p pad) write(file io.ReaderAt, w io.Writer, c counters) (*timeline, error) {
	written := newTimeline("")
	out := io.MultiWriter(w, written)
	gop := bufio.NewReaderSize(nil, writeBuffer)
	packet := make([]byte, tsPacket)
	for i := range int64(padGOPs) {
		later := p.at + i*p.stride - p.base
		// It is read anew for each copy, as one second of a source can be of any size.
		gop.Reset(io.NewSectionReader(file, p.from, p.to-p.from))
		for range (p.to - p.from) / tsPacket {
			if _, err := io.ReadFull(gop, packet); err != nil {
				return nil, fmt.Errorf("read the last GOP: %w", err)
			}
			shift(packet, later)
			c.number(packet)
			if _, err := out.Write(packet); err != nil {
				return nil, fmt.Errorf("write padding: %w", err)
			}
		}
	}
	return written, nil
}
