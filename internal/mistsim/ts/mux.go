package ts

import "slices"

const (
	// VideoPID is the PID of the picture track in what a Muxer writes; Mist's
	// own TS output uses the same, hence track ids that end in 256.
	VideoPID = 256

	muxPMT      = 4096
	videoStream = 0xe0
	maxPayload  = PacketSize - 4
	// pesHead is the PES header with both timestamps.
	pesHead = 19
	// pcrField is the adaptation field with flags and clock, its length byte included.
	pcrField = 8
)

// Muxer writes one video track. The zero value is not usable; see NewMuxer.
type Muxer struct {
	streamType byte
	counter    map[uint16]byte
}

// NewMuxer returns a writer for a video codec.
func NewMuxer(codec string) *Muxer {
	m := &Muxer{streamType: 0x1b, counter: map[uint16]byte{}}
	switch codec {
	case HEVC:
		m.streamType = 0x24
	case MPEG2:
		m.streamType = 0x02
	}
	return m
}

// Append adds the packets of one frame to dst and returns it. Tables are
// repeated before every keyframe, so that a file may begin there.
func (m *Muxer) Append(dst []byte, f *Frame) []byte {
	if f.Key {
		dst = m.table(dst, patPID, []byte{0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | muxPMT>>8, muxPMT & 0xff})
		dst = m.table(dst, muxPMT, []byte{
			0x02, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe0 | VideoPID>>8, VideoPID & 0xff, 0xf0, 0,
			m.streamType, 0xe0 | VideoPID>>8, VideoPID & 0xff, 0xf0, 0,
		})
	}
	body := make([]byte, 0, pesHead+len(f.Data))
	body = append(body, 0, 0, 1, videoStream, 0, 0, 0x80, 0xc0, 10)
	body = appendStamp(body, 3, f.PTS)
	body = appendStamp(body, 1, f.DTS)
	body = append(body, f.Data...)

	for first := true; len(body) > 0; first = false {
		var field []byte
		if first {
			field = make([]byte, pcrField)
			field[0], field[1] = pcrField-1, 0x10
			if f.Key {
				field[1] |= 0x40
			}
			base := f.DTS & (wrap - 1)
			field[2], field[3], field[4], field[5] = byte(base>>25), byte(base>>17), byte(base>>9), byte(base>>1)
			field[6] = byte(base<<7) | 0x7e
		}
		room := maxPayload - len(field)
		if len(body) < room { // stuff the last packet
			pad := room - len(body)
			if len(field) == 0 {
				field, pad = []byte{0}, pad-1
				if pad > 0 {
					field, pad = []byte{1, 0}, pad-1
				}
				field[0] += byte(pad)
			} else {
				field[0] += byte(pad)
			}
			field = append(field, slices.Repeat([]byte{0xff}, pad)...)
			room = len(body)
		}
		dst = m.packet(dst, VideoPID, first, field, body[:room])
		body = body[room:]
	}
	return dst
}

func (m *Muxer) table(dst []byte, pid uint16, section []byte) []byte {
	section = append([]byte{0}, section...) // pointer field
	crc := crc32(section[1:])
	section = append(section, byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc))
	section = append(section, slices.Repeat([]byte{0xff}, maxPayload-len(section))...)
	return m.packet(dst, pid, true, nil, section)
}

func (m *Muxer) packet(dst []byte, pid uint16, start bool, field, payload []byte) []byte {
	head := [4]byte{syncByte, byte(pid >> 8), byte(pid), 0x10 | m.counter[pid]&0x0f}
	m.counter[pid]++
	if start {
		head[1] |= 0x40
	}
	if len(field) > 0 {
		head[3] |= 0x20
	}
	dst = append(dst, head[:]...)
	dst = append(dst, field...)
	return append(dst, payload...)
}

func appendStamp(b []byte, mark byte, t int64) []byte {
	t &= wrap - 1
	return append(b, mark<<4|byte(t>>29)&0x0e|1, byte(t>>22), byte(t>>14)|1, byte(t>>7), byte(t<<1)|1)
}

// crc32 is MPEG's: polynomial 0x04c11db7, not reflected.
func crc32(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
