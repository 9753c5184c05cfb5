package media

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	tsPacket = 188  // bytes of an MPEG-TS packet
	tsSync   = 0x47 // its first byte

	// tick is the unit of MPEG-TS timestamps: 90 of them are a millisecond, which is how Mist counts.
	ticksPerMS = 90
	tsClock    = 1000 * ticksPerMS

	// tsWrap is where timestamps start again from 0.
	tsWrap = 1 << 33

	// pesTimes is how much of a PES packet is needed: start code, length and flags (9),
	// PTS (5), DTS (5).
	pesTimes = 19
)

var errNotTS = errors.New("not MPEG-TS: a packet without its sync byte")

// A frame is one PES packet of the video track.
type frame struct {
	pos      int64 // byte where its first TS packet starts
	pts, dts int64 // 90 kHz ticks
	key      bool  // the muxer marked it as a random access point
}

// A demuxer finds the video frames in MPEG-TS with one video track, as ffmpeg and Mist write it,
// while it passes by. It is the io.Writer that the file goes through and keeps less than one packet.
type demuxer struct {
	// each is called for every frame, in file order, with as much of the picture as lies in its
	// first packet.
	each     func(f frame, head []byte)
	counters counters // the last of every PID, where wanted

	pos  int64
	rest []byte
}

// Write takes the file in pieces of any size.
func (d *demuxer) Write(p []byte) (int, error) {
	n := len(p)
	if len(d.rest) > 0 {
		take := min(tsPacket-len(d.rest), len(p))
		d.rest, p = append(d.rest, p[:take]...), p[take:]
		if len(d.rest) < tsPacket {
			return n, nil
		}
		if err := d.packet(d.rest); err != nil {
			return 0, err
		}
		d.rest = d.rest[:0]
	}
	for ; len(p) >= tsPacket; p = p[tsPacket:] {
		if err := d.packet(p[:tsPacket]); err != nil {
			return 0, err
		}
	}
	d.rest = append(d.rest, p...)
	return n, nil
}

func (d *demuxer) packet(p []byte) error {
	if p[0] != tsSync {
		return fmt.Errorf("%w at byte %d", errNotTS, d.pos)
	}
	if pes := videoPES(p); pes != nil {
		f := frame{pos: d.pos, pts: timestamp(pes[9:]), key: randomAccess(p)}
		f.dts = f.pts
		if pes[7]&0x40 != 0 {
			f.dts = timestamp(pes[14:])
		}
		d.each(f, pes[min(len(pes), 9+int(pes[8])):])
	}
	if d.counters != nil {
		d.counters[pid(p)] = p[3] & 0x0f
	}
	d.pos += tsPacket
	return nil
}

// payload is what follows a packet's header and adaptation field, empty when nothing does.
func payload(p []byte) []byte {
	start := 4
	if p[3]&0x20 != 0 {
		start += 1 + int(p[4])
	}
	if p[3]&0x10 == 0 || start >= len(p) {
		return nil
	}
	return p[start:]
}

// videoPES is the payload of a packet that starts a video frame with a timestamp, else nil.
func videoPES(p []byte) []byte {
	if p[1]&0x40 == 0 {
		return nil
	}
	pes := payload(p)
	if len(pes) < pesTimes || pes[0] != 0 || pes[1] != 0 || pes[2] != 1 || pes[3]&0xf0 != 0xe0 || pes[7]&0x80 == 0 {
		return nil
	}
	return pes
}

func randomAccess(p []byte) bool {
	return p[3]&0x20 != 0 && p[4] > 0 && p[5]&0x40 != 0
}

// timestamp reads the 33 bits of a PTS or DTS from its five bytes.
func timestamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(binary.BigEndian.Uint16(b[1:])>>1)<<15 | int64(binary.BigEndian.Uint16(b[3:])>>1)
}

func setTimestamp(b []byte, t int64) {
	b[0] = b[0]&0xf1 | byte(t>>30&7)<<1
	binary.BigEndian.PutUint16(b[1:], uint16(t>>15&0x7fff)<<1|1)
	binary.BigEndian.PutUint16(b[3:], uint16(t&0x7fff)<<1|1)
}

// shift moves every time in a packet (PTS, DTS, the program clock) later by some ticks, of which
// there may be as many as a timestamp holds.
func shift(p []byte, ticks int64) {
	// The program clock: 33 bits of ticks and an extension that stays.
	if p[3]&0x20 != 0 && p[4] >= 7 && p[5]&0x10 != 0 {
		clock := int64(binary.BigEndian.Uint32(p[6:]))<<1 | int64(p[10]>>7)
		clock = (clock + ticks) % tsWrap
		binary.BigEndian.PutUint32(p[6:], uint32(clock>>1))
		p[10] = p[10]&0x7f | byte(clock&1)<<7
	}
	if pes := videoPES(p); pes != nil {
		setTimestamp(pes[9:], (timestamp(pes[9:])+ticks)%tsWrap)
		if pes[7]&0x40 != 0 {
			setTimestamp(pes[14:], (timestamp(pes[14:])+ticks)%tsWrap)
		}
	}
}

// counters are the continuity counters of a file that is written piece by piece, by PID: without
// them a reader takes the copies for damage.
type counters map[uint16]byte

func pid(p []byte) uint16 { return binary.BigEndian.Uint16(p[1:]) & 0x1fff }

// number gives a packet the counter that comes next. A packet without payload repeats the last one.
func (c counters) number(p []byte) {
	next := c[pid(p)]
	if p[3]&0x10 != 0 {
		next = (next + 1) & 0x0f
	}
	c[pid(p)] = next
	p[3] = p[3]&0xf0 | next
}
