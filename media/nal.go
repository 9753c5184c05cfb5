package media

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"weir/media/mpegts"
)

// A look is what one coded picture says of itself, without being decoded.
type look struct {
	idr    bool // a decoder can start here and needs nothing before
	key    bool // Mist takes it for a keyframe
	broken bool // no decoder will make a picture of it
	// params is its first sequence parameter set, nil when it has none; mixed: others follow it.
	params []byte
	mixed  bool
}

// NAL unit types of H264.
const (
	h264Slice = 1
	h264IDR   = 5
	h264SPS   = 7
	h264PPS   = 8
	h264AUD   = 9
)

// NAL unit types of HEVC.
const (
	hevcFirstIRAP = 16
	hevcIDRWRADL  = 19
	hevcIDRNLP    = 20
	hevcLastIRAP  = 21
	hevcSlices    = 32 // all below are slices
	hevcSPS       = 33
)

// lookAt reads the units of one picture, in the form with start codes.
func lookAt(codec string, data []byte) look {
	l := look{broken: true}
	first := true // of the slices
	for unit := range mpegts.Units(data) {
		if len(unit) < 2 || unit[0]&0x80 != 0 { // the bit that must be 0
			continue
		}
		if codec == "hevc" {
			kind := int(unit[0] >> 1 & 0x3f)
			switch {
			case kind == hevcSPS:
				l.parameters(unit)
			case kind < hevcSlices && first:
				first, l.broken = false, false
				l.idr = kind == hevcIDRWRADL || kind == hevcIDRNLP
				// Mist takes types 2 to 9 for keyframes too.
				l.key = kind >= 2 && kind <= 9 || kind >= hevcFirstIRAP && kind <= hevcLastIRAP
			}
			continue
		}
		switch kind := unit[0] & 0x1f; {
		case kind == h264SPS:
			l.parameters(unit)
		case (kind == h264IDR || kind == h264Slice) && first:
			first = false
			slice, ok := sliceType(unit[1:])
			l.broken = !ok
			l.idr = kind == h264IDR
			l.key = l.idr || ok && (slice%5 == 2 || slice%5 == 4) // I and SI; 5 to 9 say that all slices are so
		}
	}
	return l
}

func (l *look) parameters(unit []byte) {
	unit = bytes.TrimRight(unit, "\x00") // of the next start code
	l.mixed = l.mixed || l.params != nil && !bytes.Equal(l.params, unit)
	if l.params == nil {
		l.params = bytes.Clone(unit)
	}
}

// sliceType reads the type of an H264 slice: the second number of its header.
func sliceType(header []byte) (kind uint64, ok bool) {
	var first [8]byte
	// A byte of 3 behind two of 0 only keeps them from being a start code.
	for n, from := 0, header; n < len(first) && len(from) > 0; from = from[1:] {
		if len(header)-len(from) >= 2 && from[0] == 3 && header[len(header)-len(from)-1] == 0 && header[len(header)-len(from)-2] == 0 {
			continue
		}
		first[n] = from[0]
		n++
	}
	stream := binary.BigEndian.Uint64(first[:])
	_, stream, ok = golomb(stream) // the slice's first macroblock
	if !ok {
		return 0, false
	}
	kind, _, ok = golomb(stream)
	const types = 10
	return kind, ok && kind < types
}

// golomb reads an exponential Golomb number from the top of a bit stream, and gives what follows.
func golomb(stream uint64) (value, rest uint64, ok bool) {
	zeros := bits.LeadingZeros64(stream)
	if zeros > 20 { // more macroblocks than a picture has
		return 0, 0, false
	}
	return stream>>(63-2*zeros) - 1, stream << (2*zeros + 1), true
}
