package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

const (
	// draftExt follows a finished file's name while it is drafted.
	draftExt = ".draft"

	// draftBuffer is what a draft reads and writes at once: there may be hundreds on a host, and each
	// has three.
	draftBuffer = 64 << 10
)

// A drafted file is finished: at path, of a pushed one that had so many bytes.
type drafted struct {
	path   string
	bytes  int64
	listed *Listed
}

// of says whether it is of a pushed file, as it is now.
func (d *drafted) of(pushed string) bool {
	if d == nil {
		return false
	}
	info, err := os.Stat(pushed)
	return err == nil && info.Size() == d.bytes
}

// errNoDraft: it is not what Finish would make of the whole file.
var errNoDraft = errors.New("the draft does not fit to the whole")

// reorderedMore: pictures are reordered by more than those that are written already were.
type reorderedMore struct{ delay int }

func (r *reorderedMore) Error() string {
	return fmt.Sprintf("its pictures are reordered by %d places, which is more than before", r.delay)
}

// A drafting finishes a file that grows. It runs through the file twice, a segment apart: when a
// segment is over, its pictures' times are known, and it is written. That all were as Finish
// would find them is looked at in the end.
type drafting struct {
	ctx    context.Context //nolint:containedctx // of the one run that it is made for
	file   *os.File
	times  *retimed
	made   *making
	reads  *demuxer // gives pictures to times
	writes *demuxer // gives them to made

	segment int     // of the last picture
	began   int64   // where in the file the picture at hand is known to have begun
	delay   int     // by how many places pictures are reordered at the most
	before  []int64 // what is shown last of what is ordered, in order
	wrote   int64   // bytes that writes was given
	buffer  []byte
}

// draft makes the finished file of a push while it is written; nil: it could not. Where a later
// segment shows that all of it has to be decoded earlier, it begins anew.
func (t *Tools) draft(ctx context.Context, p *Pushed, out string, over <-chan struct{}) *drafted {
	for delay := 0; ; {
		d, err := t.drafting(ctx, p, out, delay, over)
		more, ok := errors.AsType[*reorderedMore](err)
		if !ok {
			return d
		}
		delay = more.delay
	}
}

func (t *Tools) drafting(ctx context.Context, p *Pushed, out string, delay int, over <-chan struct{}) (made *drafted, err error) {
	c, err := loadClock(clockPath(p.Prepared))
	if err != nil {
		return nil, err
	}
	if err := t.Sound(ctx, p.From, p.Source, p.Prepared); err != nil {
		return nil, err
	}
	file, err := os.Open(p.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	d := &drafting{ctx: ctx, file: file, times: newRetimed(c, p), segment: -1, delay: delay, buffer: make([]byte, draftBuffer)}
	if d.made, err = t.make(ctx, p, d.times, out+draftExt, draftBuffer); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.made.drop()
		}
	}()
	d.reads, d.writes = &demuxer{each: d.picture}, &demuxer{each: d.made.picture}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	grown := &growing{file: file, ctx: ctx, over: over, look: tick.C}
	bytes, err := io.CopyBuffer(struct{ io.Writer }{d.reads}, grown, make([]byte, draftBuffer))
	if err != nil {
		return nil, err
	}
	listed, err := d.end(bytes)
	if err != nil {
		return nil, err
	}
	return &drafted{path: d.made.part.Name(), bytes: bytes, listed: listed}, nil
}

// picture takes the next one of the file. The first of a segment has all before it written.
func (d *drafting) picture(p picture) error {
	if err := d.times.add(p); err != nil {
		return err
	}
	fresh := d.times.segment != d.segment && d.segment >= 0
	d.segment = d.times.segment
	at := d.began
	d.began = d.reads.pos // with the packet that begins the next
	if !fresh {
		return nil
	}
	return d.write(len(d.times.pts)-1, at)
}

// write orders the pictures up to a place, and writes those that lie before a byte of the file.
func (d *drafting) write(pictures int, to int64) error {
	t := d.times
	places, pts := t.kept(len(t.dts), pictures)
	t.dts = append(t.dts, make([]int64, pictures-len(t.dts))...)
	first := t.frames == 0 && len(pts) > 0
	switch delay := reordered(pts); {
	case first:
		d.delay = max(d.delay, delay)
	case delay > d.delay:
		return &reorderedMore{delay}
	}
	for i, dts := range decodeTimes(pts, d.before, d.delay, t.gap) {
		t.dts[places[i]] = dts
	}
	t.frames += int64(len(pts))
	d.before = append(d.before, slices.Sorted(slices.Values(pts))...)
	d.before = slices.Clone(d.before[max(0, len(d.before)-d.delay):])
	var err error
	if first {
		t.start = t.dts[places[0]]
		err = d.made.begin(d.ctx)
	} else if len(pts) > 0 {
		err = d.made.state(d.ctx)
	}
	if err != nil || t.frames == 0 {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{d.writes}, io.NewSectionReader(d.file, d.wrote, to-d.wrote), d.buffer)
	if d.wrote += n; err != nil {
		return err
	}
	if d.wrote < to {
		return fmt.Errorf("%s has become shorter", d.file.Name())
	}
	return d.made.w.Flush() // to the listing
}

// end writes what is left of a file that has so many bytes, and looks whether all is as it would be
// if it was finished at once.
func (d *drafting) end(bytes int64) (*Listed, error) {
	if err := d.reads.end(); err != nil {
		return nil, err
	}
	if err := d.write(len(d.times.pts), bytes); err != nil {
		return nil, err
	}
	if err := d.writes.end(); err != nil {
		return nil, err
	}
	whole := *d.times
	if whole.order(); whole.frames == 0 || whole.start != d.times.start || !slices.Equal(whole.dts, d.times.dts) {
		return nil, errNoDraft
	}
	return d.made.end()
}
