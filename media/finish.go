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
	// Followed is what was made of it while it was written, and is over; nil: nothing.
	Followed *Following
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
// spares Judge that; where it was drafted while it was pushed, it is the draft.
func (t *Tools) Finish(ctx context.Context, pushed Pushed, out string) (*Listed, error) {
	empty := &Error{
		Code: CodePushEmpty, Op: "finish", Path: pushed.Path,
		Text: "Mist pushed no frame of this rendition",
	}
	failed := &Error{
		Code: CodeFinishFailed, Op: "finish", Path: pushed.Path,
		Text: "the rendition's video and the source's audio could not be put into one file",
	}
	// A draft is there once, and what it lacks is made anew.
	if made := pushed.Followed.drafted(ctx); made.of(pushed.Path) && os.Rename(made.path, out) == nil {
		return made.listed, nil
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
	times := newRetimed(c, &pushed)
	err = times.read(file)
	if errors.Is(err, mpegts.ErrNotTS) {
		empty.Err = err
		return nil, empty
	}
	if err != nil {
		return nil, blame(err, empty)
	}
	if times.order(); times.frames == 0 {
		return nil, empty
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, blame(err, empty)
	}
	if err := t.Sound(ctx, pushed.From, pushed.Source, pushed.Prepared); err != nil {
		return nil, blame(err, failed)
	}
	listed, err := t.write(ctx, &pushed, file, times, out)
	return listed, blame(err, failed)
}

// write makes the file, and has it listed meanwhile.
func (t *Tools) write(ctx context.Context, p *Pushed, file io.Reader, times *retimed, out string) (*Listed, error) {
	m, err := t.make(ctx, p, times, out+".part", writeBuffer)
	if err != nil {
		return nil, err
	}
	defer m.drop()
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	demux := &demuxer{each: m.picture}
	if _, err := io.CopyBuffer(struct{ io.Writer }{demux}, file, make([]byte, writeBuffer)); err != nil {
		return nil, err
	}
	if err := demux.end(); err != nil {
		return nil, err
	}
	listed, err := m.end()
	if err != nil {
		return nil, err
	}
	return listed, os.Rename(m.part.Name(), out)
}

// A making is a finished file on its way: it takes a pushed file's pictures, and writes them with
// their new times and the sound between them.
type making struct {
	tools   *Tools
	pushed  *Pushed
	times   *retimed
	part    *os.File
	listing *besideListing
	w       *bufio.Writer
	mux     *muxer
	with    *soundTrack // nil: it is silent
	zero    int64       // what is shown at 0
	at      int         // pictures that it was given
	// stating is what each of the sets is written as.
	stating map[string][]byte
}

// make begins a file, which it writes in pieces of so many bytes. Who has it drops it in the end.
func (t *Tools) make(ctx context.Context, p *Pushed, times *retimed, path string, buffer int) (*making, error) {
	part, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	m := &making{tools: t, pushed: p, times: times, part: part, listing: t.listBeside(ctx, beginUS(&p.Source, &p.Prepared))}
	m.w = bufio.NewWriterSize(io.MultiWriter(part, m.listing), buffer)
	m.mux = newMuxer(m.w, "h264")
	return m, nil
}

// begin is called once it is known when the first picture is decoded.
func (m *making) begin(ctx context.Context) error {
	m.zero = m.times.start
	if m.pushed.Source.Audio != nil {
		with, err := openSound(soundPath(m.pushed.Prepared))
		if err != nil {
			return err
		}
		m.with, m.mux.more = with, with.entry
		// Its first frame is as far from the picture's as it was.
		with.shift = toTicks(m.pushed.Source.Audio.StartUS-m.pushed.Prepared.StartUS) - soundLead
		m.zero = min(m.zero, with.at+with.shift)
		with.shift -= m.zero
	}
	return m.state(ctx)
}

// state finds how the sets that are known so far are written.
func (m *making) state(ctx context.Context) (err error) {
	m.stating, err = m.tools.stating(ctx, &m.times.sets, m.pushed.rate())
	return err
}

// errRewritten: the file holds more than when it was read before.
var errRewritten = errors.New("the pushed file was written to while it was finished")

// picture takes the next one, whose times are known.
func (m *making) picture(p picture) error {
	if m.at == len(m.times.dts) {
		return errRewritten
	}
	pts, dts := m.times.pts[m.at], m.times.dts[m.at]
	m.at++
	if pts == noTime {
		return nil
	}
	p.pts, p.dts = pts-m.zero, dts-m.zero
	if m.with != nil {
		if err := m.with.writeUntil(m.mux, p.dts); err != nil {
			return err
		}
	}
	key := lookAt("h264", p.data).idr
	p.data = stated(p.data, m.stating)
	return m.mux.write(p, key)
}

// end writes the rest of the sound, and waits for the listing.
func (m *making) end() (*Listed, error) {
	if m.with != nil {
		if err := m.with.writeUntil(m.mux, math.MaxInt64); err != nil {
			return nil, err
		}
		m.with.close()
	}
	if err := errors.Join(m.w.Flush(), m.part.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", m.part.Name(), err)
	}
	return m.listing.end(), nil
}

// drop removes the file, unless it has another name by now.
func (m *making) drop() {
	m.listing.stop()
	if m.with != nil {
		m.with.close()
	}
	_ = m.part.Close()           // closed before where it matters
	_ = os.Remove(m.part.Name()) // renamed away when all went well
}

func clockPath(p Prepared) string { return filepath.Join(filepath.Dir(p.Path), clockName) }

// A retimed file is a pushed one with the true times of its pictures. Times are ticks.
type retimed struct {
	clock *clock
	own   bool // at the source's own rate
	// gap is between two frames, on the average.
	gap int64

	pts, dts []int64 // of each picture in the file's order; noTime: it is left out
	frames   int64   // that are kept
	start    int64   // the first DTS; the first frame is shown at 0
	sets     sets

	segment int   // of the picture that was added last
	origin  int64 // the PTS with which it began
	over    bool  // the padding has begun
	taken   map[int64]bool
}

func newRetimed(c *clock, p *Pushed) *retimed {
	r := &retimed{clock: c, own: p.own(), gap: c.meanGap(), segment: -1, taken: map[int64]bool{}}
	if !r.own {
		r.gap = max(1, int64(math.Round(tsClock/p.FPS)))
	}
	return r
}

// read adds all pictures of a file.
func (r *retimed) read(file io.Reader) error {
	demux := &demuxer{each: r.add}
	if _, err := io.CopyBuffer(struct{ io.Writer }{demux}, file, make([]byte, writeBuffer)); err != nil {
		return fmt.Errorf("read pictures: %w", err)
	}
	return demux.end()
}

// add finds which frame a picture is, and when it is shown.
func (r *retimed) add(p picture) error {
	c := r.clock
	r.over = r.over || p.dts > c.stop
	if r.over {
		r.pts = append(r.pts, noTime)
		return nil
	}
	if err := r.sets.add(p.data); err != nil {
		return err
	}
	if k := c.find(p.dts); k != r.segment {
		r.segment, r.origin = k, p.pts
		clear(r.taken)
	}
	place := float64(p.pts-r.origin) / float64(c.grid())
	if !r.own {
		r.pts = append(r.pts, r.between(c, r.segment, place))
		return nil
	}
	n := int64(math.Round(place))
	if n < 0 || n >= c.frames(r.segment) || r.taken[n] {
		r.pts = append(r.pts, noTime) // no frame of the source; Judge counts what is left
		return nil
	}
	r.taken[n] = true
	r.pts = append(r.pts, c.ticks[c.segments[r.segment].first+n])
	return nil
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

// order finds a DTS for every picture.
func (r *retimed) order() {
	kept, pts := r.kept(0, len(r.pts))
	r.frames, r.dts = int64(len(kept)), make([]int64, len(r.pts))
	for i, dts := range decodeTimes(pts, nil, reordered(pts), r.gap) {
		r.dts[kept[i]] = dts
		if i == 0 {
			r.start = dts
		}
	}
}

// kept are the pictures between two places in the file that are not left out: their places, and
// their PTS.
func (r *retimed) kept(from, to int) (places []int, all []int64) {
	for i, pts := range r.pts[from:to] {
		if pts != noTime {
			places, all = append(places, from+i), append(all, pts)
		}
	}
	return places, all
}

// reordered is by how many frames pictures come before those that are shown before them.
func reordered(pts []int64) (delay int) {
	shown := slices.Sorted(slices.Values(pts))
	for i, at := range pts {
		rank, _ := slices.BinarySearch(shown, at)
		delay = max(delay, i-rank)
	}
	return delay
}

// decodeTimes are the DTS of pictures with these PTS, in the order of the file: by as many frames
// before the PTS as they are out of order, but no earlier than need be, or a decoder would hold a
// picture through a still of minutes. before are the times of what is shown before them, in
// order: the last delay of them, or all where they are fewer.
func decodeTimes(pts, before []int64, delay int, gap int64) []int64 {
	shown := append(slices.Clone(before), slices.Sorted(slices.Values(pts))...)
	all := make([]int64, len(pts))
	latest, next := int64(math.MaxInt64), int64(math.MaxInt64)
	for i, at := range slices.Backward(pts) {
		latest = min(latest, at)
		place := len(before) + i - delay
		even := shown[max(0, place)] + int64(min(0, place))*gap
		next = min(max(even, latest-int64(delay)*gap), latest, next-1)
		all[i] = next
	}
	return all
}

// rate is the true one, which the picture states instead of the clock's.
func (p *Pushed) rate() Rate {
	if p.own() {
		return p.Prepared.Rate.bounded()
	}
	return thousandths(p.FPS)
}
