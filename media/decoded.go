package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"os"

	"weir/media/mpegts"
)

// A Decoded is the evidence that a run of coded pictures decodes, each of them to a frame. It is no
// word on a file: another file with the same pictures has the same evidence, whatever its times are.
type Decoded struct {
	pictures int64
	coded    [sha256.Size]byte
}

// A codedSum adds up what a decoder reads of H264 pictures, as a sum that only the same pictures in
// the same order have. Parameter sets are written anew where a file is given another rate: of those
// it counts which of the file's each one is.
type codedSum struct {
	pictures int64
	sum      hash.Hash
	sets     map[string]uint64
}

func newCodedSum() *codedSum {
	return &codedSum{sum: sha256.New(), sets: map[string]uint64{}}
}

// add takes the next picture. What is no slice or parameter set, a decoder can do without.
func (c *codedSum) add(p picture) error {
	c.pictures++
	for unit := range mpegts.Units(p.data) {
		unit = bytes.TrimRight(unit, "\x00") // of the next start code
		if len(unit) == 0 {
			continue
		}
		switch kind := unit[0] & 0x1f; {
		case kind == h264SPS:
			set, known := c.sets[string(unit)]
			if !known {
				set = uint64(len(c.sets))
				c.sets[string(unit)] = set
			}
			c.number(h264SPS)
			c.number(set)
		case kind >= h264Slice && kind <= h264IDR, kind == h264PPS:
			c.number(uint64(len(unit)))
			c.sum.Write(unit)
		}
	}
	c.number(0) // no unit is empty: here a picture ends
	return nil
}

func (c *codedSum) number(n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	c.sum.Write(b[:])
}

func (c *codedSum) decoded() *Decoded {
	d := &Decoded{pictures: c.pictures}
	c.sum.Sum(d.coded[:0])
	return d
}

// holdsOf says whether a file has these pictures and no others.
func (d *Decoded) holdsOf(ctx context.Context, path string) (bool, error) {
	if d == nil {
		return false, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	sum := newCodedSum()
	demux := &demuxer{each: sum.add}
	_, err = io.CopyBuffer(struct{ io.Writer }{demux}, &until{ctx, file}, make([]byte, writeBuffer))
	switch {
	case errors.Is(err, mpegts.ErrNotTS), errors.Is(err, errHugePicture):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := demux.end(); err != nil {
		return false, err
	}
	return *sum.decoded() == *d, nil
}

// until reads until a context ends.
type until struct {
	ctx context.Context //nolint:containedctx // of the one read that it is made for
	r   io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
