package mpegts

import "encoding/binary"

const (
	// Clock is how many ticks of timestamps there are in a second.
	Clock = 90_000

	// Wrap is where timestamps start again from 0.
	Wrap = 1 << 33

	// pesTimes is how much of a PES packet is needed: start code, length and flags (9),
	// PTS (5), DTS (5).
	pesTimes = 19
)

// TimedPES is the payload of a packet that starts a PES packet with a timestamp, else nil.
func TimedPES(p []byte) []byte {
	if !Starts(p) {
		return nil
	}
	pes := Payload(p)
	if len(pes) < pesTimes || pes[0] != 0 || pes[1] != 0 || pes[2] != 1 || pes[6]&0xc0 != 0x80 || pes[7]&0x80 == 0 {
		return nil
	}
	return pes
}

// VideoPES is the payload of a packet that starts a video picture with a timestamp, else nil.
func VideoPES(p []byte) []byte {
	pes := TimedPES(p)
	if pes == nil || pes[3]&0xf0 != 0xe0 {
		return nil
	}
	return pes
}

// Held is what a PES packet's first packet has of its data.
func Held(pes []byte) []byte { return pes[min(len(pes), 9+int(pes[8])):] }

// Times is PTS and DTS of a PES packet that has them.
func Times(pes []byte) (pts, dts int64) {
	pts = Timestamp(pes[9:])
	if pes[7]&0x40 != 0 {
		return pts, Timestamp(pes[14:])
	}
	return pts, pts
}

// SetTimes gives a PES packet other times. One without a DTS gets none.
func SetTimes(pes []byte, pts, dts int64) {
	SetTimestamp(pes[9:], Wrapped(pts))
	if pes[7]&0x40 != 0 {
		SetTimestamp(pes[14:], Wrapped(dts))
	}
}

// Timestamp reads the 33 bits of a PTS or DTS from its five bytes.
func Timestamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(binary.BigEndian.Uint16(b[1:])>>1)<<15 | int64(binary.BigEndian.Uint16(b[3:])>>1)
}

// SetTimestamp writes them, and leaves the bits around.
func SetTimestamp(b []byte, t int64) {
	b[0] = b[0]&0xf0 | byte(t>>30&7)<<1 | 1
	binary.BigEndian.PutUint16(b[1:], uint16(t>>15&0x7fff)<<1|1)
	binary.BigEndian.PutUint16(b[3:], uint16(t&0x7fff)<<1|1)
}

// ProgramClock is the clock that a packet holds, in ticks: its extension is no matter here.
func ProgramClock(p []byte) (ticks int64, ok bool) {
	const withClock = 7
	if p[3]&0x20 == 0 || p[4] < withClock || p[5]&0x10 == 0 {
		return 0, false
	}
	return int64(p[6])<<25 | int64(p[7])<<17 | int64(p[8])<<9 | int64(p[9])<<1 | int64(p[10]>>7), true
}

// SetProgramClock changes the clock of a packet that holds one.
func SetProgramClock(p []byte, ticks int64) {
	ticks = Wrapped(ticks)
	p[6], p[7], p[8], p[9] = byte(ticks>>25), byte(ticks>>17), byte(ticks>>9), byte(ticks>>1)
	p[10] = p[10]&0x7f | byte(ticks&1)<<7
}

// Wrapped brings a time into the 33 bits that MPEG-TS has for it.
func Wrapped(ticks int64) int64 { return (ticks%Wrap + Wrap) % Wrap }
