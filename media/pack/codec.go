package pack

import "fmt"

const (
	// H264's parameter sets: behind the first byte of a sequence's are profile, constraints and level.
	unitSPS       = 7
	unitPPS       = 8
	unitDelimiter = 9
	spsProfile    = 1

	adtsHeader  = 7
	adtsSamples = 1024 // of a block; a frame has up to four
)

// adtsRates are the sample rates that a header names by number.
var adtsRates = [...]int64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// codecs is what browsers are asked by whether they play it (RFC 6381). HE-AAC says in ADTS that it
// is AAC-LC, which all decoders begin with; players look further by themselves.
func (t *tracks) codecs() string {
	if t.sound == 0 {
		return t.videoCodec()
	}
	return t.videoCodec() + "," + t.soundCodec()
}

func (t *tracks) videoCodec() string {
	return fmt.Sprintf("avc1.%02x%02x%02x", t.sps[spsProfile], t.sps[spsProfile+1], t.sps[spsProfile+2])
}

func (t *tracks) soundCodec() string { return fmt.Sprintf("mp4a.40.%d", t.adts[2]>>6+1) }

// adtsFrames gives the frames in a PES packet, without their headers.
func adtsFrames(data []byte) func(yield func([]byte) bool) {
	const checked = 2 // bytes of check sum, where the header says so
	return func(yield func([]byte) bool) {
		for header, frame := range adts(data) {
			after := adtsHeader
			if header[1]&1 == 0 {
				after += checked
			}
			if len(frame) < after || !yield(frame[after:]) {
				return
			}
		}
	}
}

// adts gives the headers of the frames in a PES packet, and the frames with them.
func adts(data []byte) func(yield func(header, frame []byte) bool) {
	return func(yield func(header, frame []byte) bool) {
		for len(data) >= adtsHeader && data[0] == 0xff && data[1]&0xf6 == 0xf0 {
			length := int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5]>>5)
			if length < adtsHeader || !yield(data[:adtsHeader], data[:min(len(data), length)]) {
				return
			}
			data = data[min(len(data), length):]
		}
	}
}

// adtsHertz is the sample rate, 0 where the header has none.
func adtsHertz(header []byte) int64 {
	if n := int(header[2] >> 2 & 0xf); n < len(adtsRates) {
		return adtsRates[n]
	}
	return 0
}
