package livepeer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"weir/internal/mistsim/ts"
)

const (
	// minSegment is the shortest distance between two cuts, in media ms, but for
	// keyframes that bring parameter sets.
	minSegment = 1000
	// slotCount is how many segments exist at once: filling, in flight, or waiting
	// for their turn.
	slotCount = 2
)

// slot holds a piece of the source between two cuts. Its flags pass it between the
// source, which fills slots in a ring, and the slot's own uploader; slotMu guards
// them. Whose it is may touch the rest.
type slot struct {
	// read: its renditions were taken over, so it may be filled.
	read bool
	// written: it is filled, and not yet answered.
	written bool

	number     int
	timeMS     int64
	durationMS int64
	data       []byte
}

// readSource cuts the source into segments. A segment is only sent when the keyframe
// after it was seen, so what follows the last cut is never sent; and when the source
// ends, the caller stops the uploads in hand. Both lose the tail, as the real process
// does.
func (p *Process) readSource(active context.Context) error {
	f, err := os.Open(p.source.Path)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer f.Close()
	mux := ts.NewMuxer(p.track.Codec)
	current, number, started := 0, 0, false
	for d := ts.NewDemuxer(f); active.Err() == nil; {
		frame, err := d.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		started = started || frame.Key
		if int(frame.PID) != p.track.PID || !started {
			continue // nothing is kept before the first keyframe
		}
		ms := frame.MS()
		seg := &p.slots[current]
		if frame.Key && p.isCut(seg, ms, frame) {
			if len(seg.data) > 0 {
				seg.number, seg.durationMS = number, ms-seg.timeMS
				p.hand(seg)
				current = (current + 1) % slotCount
				seg = &p.slots[current]
			}
			if !p.until(active, func() bool { return seg.read }) {
				return nil
			}
			seg.data = nil
			number++
		}
		if len(seg.data) == 0 {
			seg.timeMS = ms
		}
		seg.data = mux.Append(seg.data, &ts.Frame{
			DTS: ms * ts.TicksPerMS, PTS: (ms + frame.OffsetMS()) * ts.TicksPerMS, Key: frame.Key, Data: frame.Data,
		})
		p.statsMu.Lock()
		p.sourceMS = max(p.sourceMS, uint64(ms))
		p.statsMu.Unlock()
	}
	return nil
}

// isCut says whether a keyframe begins a segment. Times are unsigned, so one that
// runs back cuts too. For the first keyframe the segment before it began at 0 and is
// empty: where this cuts, the first segment that is sent has number 1.
func (p *Process) isCut(seg *slot, ms int64, frame *ts.Frame) bool {
	if uint64(ms-seg.timeMS) >= minSegment { // the overflow is the point
		return true
	}
	if !ts.StartsWithInit(frame.Codec, frame.Data) {
		return false
	}
	if !p.upstream {
		p.log("INFO", "Switching to new segment since the current keyframe contains new init data")
	}
	return true
}

// hand gives a filled slot to its uploader.
func (p *Process) hand(seg *slot) {
	p.slotMu.Lock()
	defer p.slotMu.Unlock()
	seg.read, seg.written = false, true
}

// until looks, in the steps in which the real threads sleep, whether a condition on
// slots holds. It says no when the transcode stopped first.
func (p *Process) until(active context.Context, holds func() bool) bool {
	for active.Err() == nil {
		p.slotMu.Lock()
		ok := holds()
		p.slotMu.Unlock()
		if ok {
			return true
		}
		pause(active, p.source.Timing.Turn)
	}
	return false
}
