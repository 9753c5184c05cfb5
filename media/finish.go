package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"weir/media/mpegts"
)

// sameRate is how near two frame rates are when they are one: nobody sees the frame that 30 has
// more than 29.97 in half a minute.
const sameRate = 0.002

// A Pushed is a file that a push left, and what it belongs to.
type Pushed struct {
	Path     string
	From     string // the file that Source was probed from
	Source   Source
	Prepared Prepared
	FPS      float64 // the profile's; 0: the source's
}

// own reports whether the rendition has the source's own rate.
func (p *Pushed) own() bool { return ownRate(p.FPS, p.Prepared) }

func ownRate(fps float64, prep Prepared) bool {
	return fps == 0 || !prep.Variable && near(fps, prep.Rate.FPS(), sameRate)
}

// Ask is what MistProcLivepeer has to be asked for so that a rendition of fps frames a second (0:
// the source's) comes back: the prepared file runs on a clock of its own.
func (p *Prepared) Ask(fps float64) (num, den int64) {
	if ownRate(fps, *p) {
		return p.ClockFPS, 1
	}
	ask := fps * float64(p.ClockFPS) / max(p.Rate.FPS(), 1)
	if whole := math.Round(ask); near(ask, whole, sameRate) {
		return int64(whole), 1
	}
	inexact := thousandths(ask)
	return inexact.Num, inexact.Den
}

// Finish makes the rendition's file from the one that a push left: without the padding, every frame
// at its true time again, with the best audio track of the source as far from the picture as it
// was there, from timestamp 0. The picture is not touched; audio is encoded (AAC) only where MPEG-TS
// cannot carry it or where it has gaps.
//
// pushed and source stay as they are; out appears whole or not at all, and is replaced when Finish
// is repeated. A pushed file without a frame of the source is CodePushEmpty; what misses only some
// frames is finished all the same, and Judge says so. The file is listed as it is written, which
// spares Judge that.
func (t *Tools) Finish(ctx context.Context, pushed Pushed, out string) (*Listed, error) {
	empty := &Error{
		Code: CodePushEmpty, Op: "finish", Path: pushed.Path,
		Text: "Mist pushed no frame of this rendition",
	}
	c, err := loadClock(clockPath(pushed.Prepared))
	if err != nil {
		return nil, blame(err, empty)
	}
	file, err := os.Open(pushed.Path)
	if err != nil {
		return nil, blame(err, empty)
	}
	defer file.Close()
	times, err := retime(file, c, pushed.own())
	if errors.Is(err, mpegts.ErrNotTS) {
		empty.Err = err
		return nil, empty
	}
	if err != nil {
		return nil, blame(err, empty)
	}
	if times.frames == 0 {
		return nil, empty
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, blame(err, empty)
	}

	failed := &Error{
		Code: CodeFinishFailed, Op: "finish", Path: pushed.Path,
		Text: "the rendition's video and the source's audio could not be put into one file",
	}
	if times.stating, err = t.stating(ctx, &times.sets, pushed.rate()); err != nil {
		return nil, blame(err, failed)
	}
	if err := t.Sound(ctx, pushed.From, pushed.Source, pushed.Prepared); err != nil {
		return nil, blame(err, failed)
	}
	listed, err := t.write(ctx, &pushed, file, times, out)
	return listed, blame(err, failed)
}

// write makes the file, and has it listed meanwhile.
func (t *Tools) write(ctx context.Context, p *Pushed, file io.Reader, times *retimed, out string) (*Listed, error) {
	part, err := os.Create(out + ".part")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = part.Close()           // closed below where it matters
		_ = os.Remove(part.Name()) // renamed away when all went well
	}()
	listing := t.listBeside(ctx, beginUS(&p.Source, &p.Prepared))
	defer listing.stop()
	w := bufio.NewWriterSize(io.MultiWriter(part, listing), writeBuffer)
	mux := newMuxer(w, "h264")
	var with *soundTrack
	zero := times.start
	if p.Source.Audio != nil {
		if with, err = openSound(soundPath(p.Prepared)); err != nil {
			return nil, err
		}
		defer with.close()
		mux.more = with.entry
		// Its first frame is as far from the picture's as it was.
		with.shift = toTicks(p.Source.Audio.StartUS-p.Prepared.StartUS) - soundLead
		zero = min(zero, with.at+with.shift)
		with.shift -= zero
	}
	if err := times.write(file, mux, with, zero); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Flush(), part.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", part.Name(), err)
	}
	if err := os.Rename(part.Name(), out); err != nil {
		return nil, err
	}
	return listing.end(), nil
}

func clockPath(p Prepared) string { return filepath.Join(filepath.Dir(p.Path), clockName) }

// A retimed file is a pushed one with the true times of its pictures. Times are ticks.
type retimed struct {
	pts, dts []int64 // of each picture in the file's order; noTime: it is left out
	frames   int64   // that are kept
	start    int64   // the first DTS; the first frame is shown at 0
	sets     sets
	stating  map[string][]byte // what each of the sets is written as
}

// retime finds, for each picture of a pushed file, which frame it is and when it is shown.
func retime(file io.Reader, c *clock, own bool) (*retimed, error) {
	r := &retimed{}
	at, origin := -1, int64(0)
	over := false
	taken := map[int64]bool{}
	demux := &demuxer{each: func(p picture) error {
		over = over || p.dts > c.stop
		if over {
			r.pts = append(r.pts, noTime)
			return nil
		}
		if err := r.sets.add(p.data); err != nil {
			return err
		}
		if k := c.find(p.dts); k != at {
			at, origin = k, p.pts
			clear(taken)
		}
		place := float64(p.pts-origin) / float64(c.grid())
		if !own {
			r.pts = append(r.pts, r.between(c, at, place))
			return nil
		}
		n := int64(math.Round(place))
		if n < 0 || n >= c.frames(at) || taken[n] {
			r.pts = append(r.pts, noTime) // no frame of the source; Judge counts what is left
			return nil
		}
		taken[n] = true
		r.pts = append(r.pts, c.ticks[c.segments[at].first+n])
		return nil
	}}
	if _, err := io.CopyBuffer(struct{ io.Writer }{demux}, file, make([]byte, writeBuffer)); err != nil {
		return nil, fmt.Errorf("read pictures: %w", err)
	}
	if err := demux.end(); err != nil {
		return nil, err
	}
	r.order()
	return r, nil
}

// between is the true time of a frame at a rate of the rendition's own, noTime for one that the next
// segment begins with.
func (r *retimed) between(c *clock, segment int, place float64) int64 {
	const nearly = 0.5
	if place > float64(c.frames(segment))-nearly && segment+1 < len(c.segments) {
		return noTime
	}
	return c.at(float64(c.segments[segment].first) + place)
}

// order finds a DTS for every picture: by as many frames before the PTS as they are out of order,
// but no earlier than it need be, or a decoder would hold a picture through a still of minutes.
func (r *retimed) order() {
	var kept []int // places in the file
	for i, pts := range r.pts {
		if pts != noTime {
			kept = append(kept, i)
		}
	}
	r.frames = int64(len(kept))
	r.dts = make([]int64, len(r.pts))
	if len(kept) == 0 {
		return
	}
	shown := make([]int64, len(kept))
	for i, at := range kept {
		shown[i] = r.pts[at]
	}
	slices.Sort(shown)
	delay := 0
	for i, at := range kept {
		rank, _ := slices.BinarySearch(shown, r.pts[at])
		delay = max(delay, i-rank)
	}
	gap := int64(tsClock / 25)
	if len(shown) > 1 {
		gap = max(1, (shown[len(shown)-1]-shown[0])/int64(len(shown)-1))
	}
	latest, next := int64(math.MaxInt64), int64(math.MaxInt64)
	for i, at := range slices.Backward(kept) {
		latest = min(latest, r.pts[at])
		even := shown[0] - int64(delay-i)*gap
		if i >= delay {
			even = shown[i-delay]
		}
		next = min(max(even, latest-int64(delay)*gap), latest, next-1)
		r.dts[at] = next
	}
	r.start = next
}

// write copies a pushed file's pictures with their new times, moved so that zero is at 0, and the
// sound between them.
func (r *retimed) write(file io.Reader, mux *muxer, with *soundTrack, zero int64) error {
	i := 0
	demux := &demuxer{each: func(p picture) error {
		pts, dts := r.pts[i], r.dts[i]
		i++
		if pts == noTime {
			return nil
		}
		p.pts, p.dts = pts-zero, dts-zero
		if with != nil {
			if err := with.writeUntil(mux, p.dts); err != nil {
				return err
			}
		}
		key := lookAt("h264", p.data).idr
		p.data = stated(p.data, r.stating)
		return mux.write(p, key)
	}}
	if _, err := io.CopyBuffer(struct{ io.Writer }{demux}, file, make([]byte, writeBuffer)); err != nil {
		return err
	}
	if err := demux.end(); err != nil || with == nil {
		return err
	}
	return with.writeUntil(mux, math.MaxInt64)
}

// rate is the true one, which the picture states instead of the clock's.
func (p *Pushed) rate() Rate {
	if p.own() {
		return p.Prepared.Rate.bounded()
	}
	return thousandths(p.FPS)
}
