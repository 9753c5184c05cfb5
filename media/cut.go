package media

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// segmentMS is the distance from the last cut at which MistProcLivepeer cuts at a keyframe.
const segmentMS = 1000

// A cutter follows where MistProcLivepeer cuts a file. Mist takes for a keyframe what begins with
// an intra slice (H264) or is no plain trailing picture (HEVC, types 2 to 9), whether or not a
// decoder can start there. A cut at one of those tears pictures from those that they need.
type cutter struct {
	codec string
	last  int64 // ms
	torn  bool  // a cut fell on a picture that is no keyframe
}

// frame follows one frame; head is the start of its picture.
func (c *cutter) frame(f frame, head []byte) {
	ms := f.dts / ticksPerMS
	if ms-c.last < segmentMS || !f.key && !looksKey(c.codec, head) {
		return
	}
	c.last = ms
	c.torn = c.torn || !f.key
}

// looksKey reports whether Mist takes a picture for a keyframe. Only its first slice is looked at,
// and only if it starts in the picture's first TS packet, as it does without long SEI messages.
func looksKey(codec string, head []byte) bool {
	start := []byte{0, 0, 1}
	for {
		i := bytes.Index(head, start)
		if i < 0 || i+len(start) >= len(head) {
			return false
		}
		head = head[i+len(start):]
		switch kind := head[0] & 0x1f; {
		case codec == "h264" && kind == 5:
			return true
		case codec == "h264" && kind == 1:
			return intraSlice(head[1:])
		case codec == "hevc":
			if kind := head[0] >> 1 & 0x3f; kind < 32 { // a slice; parameter sets and messages come before
				return kind >= 2 && kind <= 9 || kind >= 16 && kind <= 21
			}
		}
	}
}

// intraSlice reads the type of an H264 slice: the second number of its header.
func intraSlice(header []byte) bool {
	var first [8]byte
	copy(first[:], header)
	stream := binary.BigEndian.Uint64(first[:])
	_, stream = golomb(stream) // the slice's first macroblock
	kind, _ := golomb(stream)
	return kind%5 == 2 || kind%5 == 4 // I and SI; 5 to 9 say that all slices are so
}

// golomb reads an exponential Golomb number from the top of a bit stream, and gives what follows.
func golomb(stream uint64) (value, rest uint64) {
	zeros := bits.LeadingZeros64(stream)
	if zeros > 31 {
		return 0, 0
	}
	return stream>>(63-2*zeros) - 1, stream << (2*zeros + 1)
}
