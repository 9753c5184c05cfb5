package pack

import "fmt"

const (
	// unitSPS is H264's sequence parameter set: behind its first byte are profile, constraints and
	// level.
	unitSPS    = 7
	spsProfile = 1

	adtsHeader  = 7
	adtsSamples = 1024 // of a block; a frame has up to four
)

// adtsRates are the sample rates that a header names by number.
var adtsRates = [...]int64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// codecs is what browsers are asked by whether they play it (RFC 6381). HE-AAC says in ADTS that it
// is AAC-LC, which all decoders begin with; players look further by themselves.
func (t *tracks) codecs() string {
	video := fmt.Sprintf("avc1.%02x%02x%02x", t.sps[spsProfile], t.sps[spsProfile+1], t.sps[spsProfile+2])
	if t.sound == 0 {
		return video
	}
	return video + "," + t.soundCodec()
}

func (t *tracks) soundCodec() string { return fmt.Sprintf("mp4a.40.%d", t.adts[2]>>6+1) }

// adtsHeaders gives the headers of the frames in a PES packet.
func adtsHeaders(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) >= adtsHeader && data[0] == 0xff && data[1]&0xf6 == 0xf0 {
			length := int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5]>>5)
			if length < adtsHeader || !yield(data[:adtsHeader]) {
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
