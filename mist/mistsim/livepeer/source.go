package livepeer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"weir/mist/mistsim/ts"
)

const (
	// minSegment is the shortest distance between two cuts, in media ms.
	minSegment = 1000
	// slots is how many segments exist at once: filling, in flight, or waiting
	// for their turn.
	slots = 2
)

// segment is a piece of the source between two cuts.
type segment struct {
	number     int
	timeMS     int64
	durationMS int64
	data       []byte
	before     <-chan struct{} // closed when the segment before is done with
	after      chan struct{}   // closed when this one is
}

// readSource cuts the source into segments and starts the upload of each. A
// segment is only sent when the keyframe after it was seen, so what follows the
// last cut is never sent; and when the source ends, the caller stops the
// uploads in hand. Both lose the tail, as the real process does.
func (p *Process) readSource(active, ctx context.Context, stop context.CancelCauseFunc, all *sync.WaitGroup) error {
	f, err := os.Open(p.source.Path)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer f.Close()
	free := make(chan struct{}, slots)
	for range slots {
		free <- struct{}{}
	}
	mux := ts.NewMuxer(p.track.Codec)
	var current *segment
	number := 0
	turn := make(chan struct{})
	close(turn)
	for d := ts.NewDemuxer(f); ; {
		frame, err := d.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		if int(frame.PID) != p.track.PID {
			continue
		}
		ms := frame.MS()
		if frame.Key && current != nil && ms-current.timeMS >= minSegment {
			current.durationMS = ms - current.timeMS
			done := current
			all.Go(func() {
				if p.upload(active, ctx, stop, done) {
					free <- struct{}{}
				}
			})
			current, number = nil, number+1
		}
		if current == nil {
			if !frame.Key {
				continue // nothing can be decoded before the first keyframe
			}
			select {
			case <-free:
			case <-active.Done():
				return nil
			}
			current = &segment{number: number, timeMS: ms, before: turn, after: make(chan struct{})}
			turn = current.after
		}
		current.data = mux.Append(current.data, &ts.Frame{
			DTS: ms * ts.TicksPerMS, PTS: (ms + frame.OffsetMS()) * ts.TicksPerMS, Key: frame.Key, Data: frame.Data,
		})
		p.statsMu.Lock()
		p.sourceMS = max(p.sourceMS, uint64(ms))
		p.statsMu.Unlock()
		if active.Err() != nil {
			return nil
		}
	}
}
