package pack

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"weir/media/mpegts"
)

const (
	playlistName = "index.m3u8"

	// zeroAt is where a rung's zero lies in its segments, whole seconds: room for the DTS before it.
	zeroAt = 10 * clock

	// program is the number of the only one.
	program = 1

	// openSegments may be written to at once: sound comes some pictures after the cut.
	openSegments = 2

	// segmentBuffer spares the disk small writes.
	segmentBuffer = 256 << 10
)

// HLS cuts a rung into segments, dir/0.ts, dir/1.ts and on, and lists them in dir/index.m3u8. The
// segments one after the other are the rung again: every packet of picture and sound, in order, at
// its time. Sound goes to the segment that it is played in.
func (p Packer) HLS(ctx context.Context, rung Rung, dir string, segment time.Duration) (Playlist, error) {
	list, err := segments(ctx, rung, dir, segment)
	return list, failed("HLS", rung, err)
}

func segments(ctx context.Context, rung Rung, dir string, length time.Duration) (Playlist, error) {
	t, err := look(ctx, rung)
	if err != nil {
		return Playlist{}, err
	}
	c := &cutter{tracks: t, dir: dir, spans: t.plan(length, "%d.ts"), open: map[int]*segmentFile{}, last: -1}
	if err := c.cut(ctx, rung.File); err != nil {
		return Playlist{}, err
	}
	list := Playlist{
		File: playlistName, Codecs: t.codecs(), FrameRate: t.fps,
		Seconds: float64(t.end()-t.zero()) / clock,
	}
	for _, s := range c.spans {
		list.Segments = append(list.Segments, s.name)
		list.Bytes += s.bytes
	}
	list.PeakBitRate, list.MeanBitRate = bitRates(c.spans)
	return list, os.WriteFile(filepath.Join(dir, playlistName), mediaPlaylist(c.spans, ""), 0o644)
}

// A cutter writes a file's packets to its segments.
type cutter struct {
	*tracks
	dir   string
	spans []span
	open  map[int]*segmentFile
	begun int // segments that were opened

	picture, heard int  // the segments that both are in
	seen           bool // the first keyframe has come
	begins         bool // the sound at hand has begun
	last           int64
	counter        byte // of tables
}

// A segmentFile is a segment that is written.
type segmentFile struct {
	file *os.File
	w    *bufio.Writer
}

func (s *segmentFile) close() error { return errors.Join(s.w.Flush(), s.file.Close()) }

func (c *cutter) cut(ctx context.Context, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.closeBefore(len(c.spans))) }()
	return mpegts.Each(ctx, file, func(_ int64, p []byte) error {
		switch mpegts.PID(p) {
		case c.video:
			return c.videoPacket(p)
		case c.sound:
			if c.sound != 0 {
				return c.soundPacket(p)
			}
		}
		return nil // tables are written anew
	})
}

func (c *cutter) videoPacket(p []byte) error {
	if pes := mpegts.TimedPES(p); pes != nil {
		pts, dts := mpegts.Times(pes)
		key := mpegts.RandomAccess(p)
		c.seen = c.seen || key
		for key && c.picture+1 < len(c.spans) && pts-c.zero() >= c.spans[c.picture+1].from {
			c.picture++
		}
		// A DTS that would lie before 0, behind pictures that last for seconds, comes as soon as it can.
		c.last = max(dts+c.shift(), c.last+1)
		mpegts.SetTimes(pes, pts+c.shift(), c.last)
		if key && c.open[c.picture] != nil { // others begin with them
			if err := c.writeTables(c.picture); err != nil {
				return err
			}
		}
	}
	if !c.seen {
		return nil
	}
	if ticks, ok := mpegts.ProgramClock(p); ok {
		mpegts.SetProgramClock(p, max(0, ticks+c.shift()))
	}
	return c.write(c.picture, p)
}

func (c *cutter) soundPacket(p []byte) error {
	if pes := mpegts.TimedPES(p); pes != nil {
		c.begins = true
		pts, dts := mpegts.Times(pes)
		for c.heard+1 < len(c.spans) && pts-c.zero() >= c.spans[c.heard+1].from {
			c.heard++
		}
		mpegts.SetTimes(pes, pts+c.shift(), dts+c.shift())
	}
	if !c.begins {
		return nil
	}
	return c.write(c.heard, p)
}

// shift is what is added to the times of the file.
func (c *cutter) shift() int64 { return zeroAt - c.zero() }

// write adds a packet to a segment.
func (c *cutter) write(i int, p []byte) error {
	s := c.open[i]
	if s == nil {
		var err error
		if s, err = c.openSegment(i); err != nil {
			return err
		}
	}
	n, err := s.w.Write(p)
	c.spans[i].bytes += int64(n)
	return err
}

// openSegment opens a segment, once more where it was closed and sound comes late.
func (c *cutter) openSegment(i int) (*segmentFile, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	fresh := i >= c.begun
	if fresh {
		flags |= os.O_TRUNC
		c.begun = i + 1
	}
	if err := c.closeBefore(i + 1 - openSegments); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(c.dir, c.spans[i].name), flags, 0o644)
	if err != nil {
		return nil, err
	}
	s := &segmentFile{file: file, w: bufio.NewWriterSize(file, segmentBuffer)}
	c.open[i] = s
	if !fresh {
		return s, nil
	}
	return s, c.writeTables(i)
}

// closeBefore closes the segments below n.
func (c *cutter) closeBefore(n int) error {
	var errs []error
	for i, s := range c.open {
		if i < n {
			errs = append(errs, s.close())
			delete(c.open, i)
		}
	}
	return errors.Join(errs...)
}

// writeTables says what the tracks are.
func (c *cutter) writeTables(i int) error {
	var packet [mpegts.PacketBytes]byte
	pat := []byte{0, 0xb0, 0, 0, program, 0xc1, 0, 0, 0, program, 0xe0 | byte(c.tables>>8), byte(c.tables)}
	mpegts.Section(packet[:], 0, c.counter, pat)
	if err := c.write(i, packet[:]); err != nil {
		return err
	}
	pmt := []byte{2, 0xb0, 0, 0, program, 0xc1, 0, 0, 0xe0 | byte(c.video>>8), byte(c.video), 0xf0, 0}
	mpegts.Section(packet[:], c.tables, c.counter, append(pmt, c.entries...))
	c.counter++
	return c.write(i, packet[:])
}
