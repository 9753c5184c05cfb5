// Package ts reads and writes the part of MPEG-TS that a Mist host handles:
// one program, PES packets with timestamps, keyframes, and the sizes that a
// codec header announces.
package ts

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	// PacketSize is the fixed size of a transport stream packet.
	PacketSize = 188
	// Clock is the rate of PTS and DTS in Hz.
	Clock = 90_000
	// TicksPerMS converts between the 90 kHz clock and Mist's milliseconds.
	TicksPerMS = Clock / 1000

	syncByte = 0x47
	patPID   = 0
	// wrap is the range of a 33-bit timestamp.
	wrap = int64(1) << 33
	// readAhead is the reader's buffer: some hundred packets at a time.
	readAhead = 512 * PacketSize
	// maxPES bounds the memory that a broken stream can claim for one frame;
	// a 4K intra frame stays far below.
	maxPES = 64 << 20
)

// Codec names as Mist spells them.
const (
	H264  = "H264"
	HEVC  = "HEVC"
	MPEG2 = "MPEG2"
	AAC   = "AAC"
)

// Stream types of the program map table (ISO/IEC 13818-1, table 2-34).
var codecOf = map[byte]string{0x01: MPEG2, 0x02: MPEG2, 0x0f: AAC, 0x1b: H264, 0x24: HEVC}

// IsVideo says whether the codec is one of a picture track.
func IsVideo(codec string) bool { return codec == H264 || codec == HEVC || codec == MPEG2 }

// Frame is one packet as Mist sees it: for sound a PES packet, for H.264 and HEVC
// all neighbouring PES packets of one millisecond.
type Frame struct {
	PID   uint16
	Codec string
	// PTS and DTS are in 90 kHz ticks and unwrapped; DTS equals PTS where the
	// stream carries none, and where it is the later of the two. Both are 0 where
	// a PES packet carries no time (lib/ts_stream.cpp).
	PTS, DTS int64
	// Key is set where Mist takes the frame for a keyframe; the stream's own random
	// access flags are not asked.
	Key  bool
	Data []byte
}

// MS is the decoding time in Mist's unit, whole milliseconds.
func (f *Frame) MS() int64 { return f.DTS / TicksPerMS }

// OffsetMS is how much later than its decoding time the frame is shown.
func (f *Frame) OffsetMS() int64 { return f.PTS/TicksPerMS - f.DTS/TicksPerMS }

// Demuxer splits a transport stream into frames, in the order in which they end.
type Demuxer struct {
	r      *bufio.Reader
	pmtPID int
	codecs map[uint16]string
	types  []byte   // of the program map, by the order of pids
	pids   []uint16 // of the program map
	open   map[uint16]*pes
	order  []uint16
	last   map[uint16]int64 // time of the last PES packet, in ticks
	rolls  map[uint16]int64 // how often the time began anew
	built  map[uint16]*Frame
	ready  []*Frame
	taken  int // bytes of the last packet, still in the reader
	eof    bool
}

type pes struct{ data []byte }

// NewDemuxer reads from r until it ends. Bytes that are no packets are skipped.
func NewDemuxer(r io.Reader) *Demuxer {
	return &Demuxer{
		r: bufio.NewReaderSize(r, readAhead), pmtPID: -1,
		codecs: map[uint16]string{}, open: map[uint16]*pes{}, last: map[uint16]int64{}, rolls: map[uint16]int64{}, built: map[uint16]*Frame{},
	}
}

// Next returns the next frame, io.EOF after the last one, or a read error.
// A stream that is no TS at all has no frames.
func (d *Demuxer) Next() (*Frame, error) {
	for len(d.ready) == 0 {
		if d.eof {
			return nil, io.EOF
		}
		pkt, err := d.packet()
		if errors.Is(err, io.EOF) {
			d.eof = true
			for _, pid := range d.order {
				d.finish(pid)
				d.emit(pid)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		d.consume(pkt)
	}
	f := d.ready[0]
	d.ready = d.ready[1:]
	return f, nil
}

// packet returns the next 188 bytes that start with a sync byte and are followed
// by one. They are valid until the next call.
func (d *Demuxer) packet() ([]byte, error) {
	if _, err := d.r.Discard(d.taken); err != nil {
		return nil, err
	}
	d.taken = 0
	for {
		head, err := d.r.Peek(PacketSize + 1)
		if len(head) >= PacketSize && head[0] == syncByte && (len(head) == PacketSize || head[PacketSize] == syncByte) {
			d.taken = PacketSize
			return head[:PacketSize], nil
		}
		if len(head) < PacketSize {
			if err == nil {
				err = io.EOF
			}
			return nil, err
		}
		skip := 1
		if i := bytes.IndexByte(head[1:], syncByte); i >= 0 {
			skip += i
		} else {
			skip = len(head)
		}
		if _, err := d.r.Discard(skip); err != nil {
			return nil, err
		}
	}
}

func (d *Demuxer) consume(pkt []byte) {
	pid := uint16(pkt[1]&0x1f)<<8 | uint16(pkt[2])
	start := pkt[1]&0x40 != 0
	payload := pkt[4:]
	if pkt[3]&0x20 != 0 {
		n := int(pkt[4])
		if 5+n > PacketSize {
			return
		}
		payload = pkt[5+n:]
	}
	if pkt[3]&0x10 == 0 {
		return
	}
	switch {
	case pid == patPID:
		d.pat(section(payload, start))
	case int(pid) == d.pmtPID:
		d.pmt(section(payload, start))
	default:
		if _, known := d.codecs[pid]; !known {
			return
		}
		if start {
			d.finish(pid)
			d.open[pid] = &pes{}
		}
		if p := d.open[pid]; p != nil && len(p.data)+len(payload) <= maxPES {
			p.data = append(p.data, payload...)
		}
	}
}

// section strips the pointer field; tables longer than a packet do not occur
// for one program and are dropped.
func section(p []byte, start bool) []byte {
	if !start || len(p) == 0 || int(p[0])+1 >= len(p) {
		return nil
	}
	p = p[1+int(p[0]):]
	if len(p) < 8 {
		return nil
	}
	n := 3 + int(p[1]&0x0f)<<8 + int(p[2])
	if n > len(p) || n < 12 {
		return nil
	}
	return p[:n-4] // without the CRC
}

func (d *Demuxer) pat(s []byte) {
	for i := 8; i+4 <= len(s); i += 4 {
		if program := uint16(s[i])<<8 | uint16(s[i+1]); program != 0 {
			d.pmtPID = int(s[i+2]&0x1f)<<8 | int(s[i+3])
			return
		}
	}
}

func (d *Demuxer) pmt(s []byte) {
	types, pids := programMap(s)
	if len(pids) > 0 {
		d.types, d.pids = types, pids
	}
	for i, pid := range pids {
		if codec, ok := codecOf[types[i]]; ok {
			if _, known := d.codecs[pid]; !known {
				d.codecs[pid] = codec
				d.order = append(d.order, pid)
			}
		}
	}
}

// programMap reads a section of a program map table.
func programMap(s []byte) (types []byte, pids []uint16) {
	if len(s) < 12 {
		return nil, nil
	}
	for i := 12 + int(s[10]&0x0f)<<8 + int(s[11]); i+5 <= len(s); {
		types = append(types, s[i])
		pids = append(pids, uint16(s[i+1]&0x1f)<<8|uint16(s[i+2]))
		i += 5 + int(s[i+3]&0x0f)<<8 + int(s[i+4])
	}
	return types, pids
}

// Mist counts a new round of the 33-bit clock where the time falls from the last
// tenth of its range to the first.
const (
	rollFrom = wrap / 10 * 9
	rollTo   = wrap / 10
)

// finish reads the collected bytes of a PID as a PES packet. A packet without a
// time, or whose DTS is later than its PTS, is as odd to Mist as it looks: the
// first gets time 0, the second loses its DTS.
func (d *Demuxer) finish(pid uint16) {
	p := d.open[pid]
	delete(d.open, pid)
	if p == nil || len(p.data) < 9 || p.data[0] != 0 || p.data[1] != 0 || p.data[2] != 1 {
		return
	}
	flags, head := p.data[7]>>6, 9+int(p.data[8])
	if head > len(p.data) {
		return
	}
	dts, shift := int64(0), int64(0)
	if flags&2 != 0 && head >= 14 {
		pts := stamp(p.data[9:])
		dts = pts
		if flags&1 != 0 && head >= 19 {
			dts = min(stamp(p.data[14:]), pts)
		}
		shift = pts - dts
	}
	last := d.last[pid]
	dts += d.rolls[pid] * wrap
	if dts < last && dts%wrap < rollTo && last%wrap > rollFrom {
		d.rolls[pid]++
		dts += wrap
	}
	d.last[pid] = dts
	d.build(&Frame{PID: pid, Codec: d.codecs[pid], PTS: dts + shift, DTS: dts, Data: p.data[head:]})
}

// build makes packets of PES packets as Mist's parser does. Its order of steps is
// kept: a picture whose first NAL unit is an intra slice marks the packet before it.
func (d *Demuxer) build(f *Frame) {
	if !IsVideo(f.Codec) {
		d.ready = append(d.ready, f)
		return
	}
	units := nals(f.Data)
	if f.Codec == MPEG2 {
		f.Key = startsGroup(units)
		if len(units) > 0 {
			d.ready = append(d.ready, f)
		}
		return
	}
	for _, nal := range units {
		current := d.built[f.PID]
		key := isIntra(f.Codec, nal)
		if current == nil {
			f.Key = key
			d.built[f.PID] = f
			continue
		}
		current.Key = current.Key || key
		if current != f && current.MS() != f.MS() {
			d.emit(f.PID)
			d.built[f.PID] = f
		}
	}
	if current := d.built[f.PID]; current != nil && current != f {
		current.Data = append(current.Data, f.Data...)
	}
}

// emit hands out the packet that is being built.
func (d *Demuxer) emit(pid uint16) {
	if f := d.built[pid]; f != nil {
		d.ready = append(d.ready, f)
		delete(d.built, pid)
	}
}

func stamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4])>>1
}
