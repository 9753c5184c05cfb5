package media

import (
	"encoding/binary"
	"fmt"
	"io"

	"weir/media/mpegts"
)

const (
	tsPacket = mpegts.PacketBytes
	tsSync   = mpegts.Sync

	// tsClock is the unit of MPEG-TS timestamps; ticksPerMS of them are a millisecond, which is how
	// Mist counts.
	tsClock    = mpegts.Clock
	ticksPerMS = tsClock / 1000

	// tsWrap is where timestamps start again from 0.
	tsWrap = mpegts.Wrap

	// maxPicture bounds one coded picture. H264's largest level allows some 30 MB of raw macroblocks.
	maxPicture = 64 << 20
)

var errHugePicture = fmt.Errorf("a picture of more than %d bytes", maxPicture)

// A picture is one PES packet of the video track: one coded picture.
type picture struct {
	pts, dts int64 // 90 kHz ticks
	data     []byte
}

// A demuxer gathers the pictures of MPEG-TS with one video track, as ffmpeg and Mist write it,
// while it passes by. It is the io.Writer that the file goes through, and holds one picture.
type demuxer struct {
	// each is called for every picture, in file order; its data is valid during the call. An error
	// ends the reading.
	each func(p picture) error

	pos  int64
	rest []byte
	open bool // a picture has begun
	now  picture
	pid  uint16
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

// end hands over the last picture: nothing in MPEG-TS says that it is over.
func (d *demuxer) end() error {
	if !d.open {
		return nil
	}
	d.open = false
	return d.each(d.now)
}

func (d *demuxer) packet(p []byte) error {
	if p[0] != tsSync {
		return fmt.Errorf("%w at byte %d", mpegts.ErrNotTS, d.pos)
	}
	d.pos += tsPacket
	if pes := mpegts.VideoPES(p); pes != nil {
		if err := d.end(); err != nil {
			return err
		}
		d.open, d.pid = true, mpegts.PID(p)
		d.now.pts, d.now.dts = mpegts.Times(pes)
		d.now.data = append(d.now.data[:0], mpegts.Held(pes)...)
		return nil
	}
	if !d.open || mpegts.PID(p) != d.pid || mpegts.Starts(p) {
		return nil
	}
	if len(d.now.data) > maxPicture {
		return errHugePicture
	}
	d.now.data = append(d.now.data, mpegts.Payload(p)...)
	return nil
}

// The tables of a muxer's file.
const (
	patPID    = 0
	pmtPID    = 0x1000
	videoPID  = 0x100
	program   = 1
	videoID   = 0xe0
	typeH264  = 0x1b
	typeHEVC  = 0x24
	pesHeader = 19 // start code to DTS
	pcrBytes  = 8  // an adaptation field with a program clock: length, flags, 6 bytes of clock
)

// A muxer writes pictures as MPEG-TS with one video track. Its times are those that it is given,
// which ffmpeg's muxer would mend.
type muxer struct {
	w        io.Writer
	kind     byte   // stream type
	more     []byte // the entry of a second track, whose packets are passed on
	counters map[uint16]byte
	packet   [tsPacket]byte
	bytes    int64
}

func newMuxer(w io.Writer, codec string) *muxer {
	kind := byte(typeH264)
	if codec == "hevc" {
		kind = typeHEVC
	}
	return &muxer{w: w, kind: kind, counters: map[uint16]byte{}}
}

// write adds one picture. A keyframe has the tables before it.
func (m *muxer) write(p picture, key bool) error {
	if key {
		if err := m.tables(); err != nil {
			return err
		}
	}
	var header [pesHeader]byte
	copy(header[:], []byte{0, 0, 1, videoID, 0, 0, 0x80, 0xc0, pesHeader - 9})
	header[9], header[14] = 0x30, 0x10
	mpegts.SetTimestamp(header[9:], p.pts%tsWrap)
	mpegts.SetTimestamp(header[14:], p.dts%tsWrap)
	data := p.data
	for first := true; first || len(data) > 0; first = false {
		head := header[:0]
		if first {
			head = header[:]
		}
		n, err := m.payload(head, data, first, key, p.dts)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// payload writes one packet with as much of data as goes in, and says how much that was.
func (m *muxer) payload(head, data []byte, first, key bool, dts int64) (int, error) {
	b := m.packet[:]
	m.header(videoPID, first)
	adaptation := 0
	if first {
		adaptation = pcrBytes
	}
	room := tsPacket - 4 - adaptation - len(head)
	n := min(room, len(data))
	if stuff := room - n; stuff > 0 {
		adaptation += stuff
	}
	if adaptation > 0 {
		b[3] |= 0x20
		field := b[4 : 4+adaptation]
		field[0] = byte(adaptation - 1)
		if len(field) > 1 {
			field[1] = 0
			for i := range field[2:] {
				field[2+i] = 0xff
			}
		}
		if first {
			field[1] = 0x10
			if key {
				field[1] |= 0x40
			}
			clock := dts % tsWrap
			binary.BigEndian.PutUint32(field[2:], uint32(clock>>1))
			field[6], field[7] = byte(clock&1)<<7|0x7e, 0
		}
	}
	copy(b[4+adaptation:], head)
	copy(b[4+adaptation+len(head):], data[:n])
	return n, m.flush()
}

// header begins a packet with a payload.
func (m *muxer) header(pid uint16, first bool) {
	b := m.packet[:]
	b[0] = tsSync
	binary.BigEndian.PutUint16(b[1:], pid)
	if first {
		b[1] |= 0x40
	}
	b[3] = 0x10 | m.counters[pid]
	m.counters[pid] = (m.counters[pid] + 1) & 0x0f
}

func (m *muxer) flush() error {
	n, err := m.w.Write(m.packet[:])
	m.bytes += int64(n)
	return err
}

func (m *muxer) tables() error {
	pat := []byte{0, 0xb0, 0, 0, program, 0xc1, 0, 0, 0, program, 0xe0 | pmtPID>>8, pmtPID & 0xff}
	if err := m.table(patPID, pat); err != nil {
		return err
	}
	pmt := []byte{2, 0xb0, 0, 0, program, 0xc1, 0, 0, 0xe0 | videoPID>>8, videoPID & 0xff, 0xf0, 0,
		m.kind, 0xe0 | videoPID>>8, videoPID & 0xff, 0xf0, 0}
	return m.table(pmtPID, append(pmt, m.more...))
}

// pass writes a packet of another track. The clock that it may hold goes: the video has the
// program's.
func (m *muxer) pass(packet []byte) error {
	copy(m.packet[:], packet)
	b := m.packet[:]
	if field := b[4:]; b[3]&0x20 != 0 && field[0] > 0 && int(field[0]) < len(field) {
		field[1] &= 0xe0 // what says whether fields follow
		for i := range int(field[0]) - 1 {
			field[2+i] = 0xff
		}
	}
	return m.flush()
}

// table writes a section.
func (m *muxer) table(pid uint16, section []byte) error {
	mpegts.Section(m.packet[:], pid, m.counters[pid], section)
	m.counters[pid] = (m.counters[pid] + 1) & 0x0f
	return m.flush()
}
