package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"weir/media/mpegts"
)

const (
	// holeMaxTicks is the longest time without a picture that is a hole, and stays. A longer step
	// forward, or one back, is where two recordings were joined.
	holeMaxTicks = 30 * tsClock

	// backTicks is by how much a time may run back without being a join: careless muxers do it.
	backTicks = tsClock / 2

	// mendedStart is where a mended file begins: sound may start before the first picture.
	mendedStart = 10 * tsClock
)

// mendedPath is the copy of a file without its jumps.
func mendedPath(path string) string { return path + ".mended" }

// A piece is a part of a transport stream whose times run on.
type piece struct {
	packet int64 // of the file, at which it begins
	later  int64 // ticks to add to its times
}

// A track's times, followed over its joins.
type follower struct {
	seen   int64 // pictures
	raw    int64 // the last DTS, as it stands in the file
	now    int64 // the same, running on
	end    int64 // the greatest PTS, running on
	period int64
	pieces []piece
}

// follow takes the next picture.
func (f *follower) follow(packet, pts, dts int64) {
	f.seen++
	if f.seen == 1 {
		f.raw, f.now, f.end = dts, mendedStart, mendedStart+pts-dts
		f.pieces = []piece{{packet, f.now - dts}}
		return
	}
	step := signed33(dts - f.raw)
	f.raw = dts
	joined := step > holeMaxTicks || step < -backTicks
	if joined {
		f.now = f.end + max(f.period, 1) - signed33(pts-dts)
	} else {
		if step > 0 && step < tsClock {
			f.period = step
		}
		f.now += step
	}
	f.end = max(f.end, f.now+signed33(pts-dts))
	if later := f.now - dts; later != f.pieces[len(f.pieces)-1].later {
		f.pieces = append(f.pieces, piece{packet, later})
	}
}

// signed33 is the shorter way round between two timestamps.
func signed33(step int64) int64 {
	step &= tsWrap - 1
	if step >= tsWrap/2 {
		step -= tsWrap
	}
	return step
}

// mend looks whether a file is a transport stream whose timestamps jump or start again, as when
// recordings were joined end to end, and if so writes a copy whose times run on. Sound keeps its
// distance to the picture in each part. Other files pass.
func mend(ctx context.Context, path string) (bool, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	pieces, err := findPieces(ctx, file)
	if err != nil || len(pieces) < 2 {
		return false, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	part, err := os.Create(mendedPath(path) + ".part")
	if err != nil {
		return false, err
	}
	defer func() {
		_ = part.Close()           // closed below where it matters
		_ = os.Remove(part.Name()) // renamed away when all went well
	}()
	w := bufio.NewWriterSize(part, writeBuffer)
	if err := runOn(ctx, file, w, pieces); err != nil {
		return false, err
	}
	if err := errors.Join(w.Flush(), part.Close()); err != nil {
		return false, fmt.Errorf("write %s: %w", part.Name(), err)
	}
	return true, os.Rename(part.Name(), mendedPath(path))
}

// findPieces gives the parts of a transport stream by its busiest video track, nil where the file is
// no transport stream.
func findPieces(ctx context.Context, file io.Reader) ([]piece, error) {
	tracks := map[uint16]*follower{}
	err := mpegts.Each(ctx, file, func(n int64, p []byte) error {
		if pes := mpegts.VideoPES(p); pes != nil {
			f := tracks[mpegts.PID(p)]
			if f == nil {
				f = &follower{}
				tracks[mpegts.PID(p)] = f
			}
			pts, dts := mpegts.Times(pes)
			f.follow(n, pts, dts)
		}
		return nil
	})
	if errors.Is(err, mpegts.ErrNotTS) {
		return nil, nil
	}
	var best *follower
	for _, f := range tracks {
		if best == nil || f.seen > best.seen {
			best = f
		}
	}
	if err != nil || best == nil {
		return nil, err
	}
	return best.pieces, nil
}

// runOn copies a transport stream and moves every time by its part's.
func runOn(ctx context.Context, file io.Reader, w io.Writer, pieces []piece) error {
	at := 0 // the part that the picture is in
	now := int64(mendedStart)
	// Sound of one part lies among the pictures of the next: it belongs where it fits best.
	fit := func(raw int64) int64 {
		best := pieces[at].later
		for k := max(0, at-1); k <= min(len(pieces)-1, at+1); k++ {
			if abs(raw+pieces[k].later-now) < abs(raw+best-now) {
				best = pieces[k].later
			}
		}
		return best
	}
	return mpegts.Each(ctx, file, func(n int64, p []byte) error {
		for at+1 < len(pieces) && n >= pieces[at+1].packet {
			at++
		}
		if clock, ok := mpegts.ProgramClock(p); ok {
			mpegts.SetProgramClock(p, clock+fit(clock))
		}
		if pes := mpegts.TimedPES(p); pes != nil {
			pts, dts := mpegts.Times(pes)
			later := fit(dts)
			if n == pieces[at].packet {
				later = pieces[at].later
			}
			if pes[3]&0xf0 == videoID {
				now = dts + later
			}
			mpegts.SetTimes(pes, pts+later, dts+later)
		}
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write the mended file: %w", err)
		}
		return nil
	})
}

func abs(n int64) int64 { return max(n, -n) }
