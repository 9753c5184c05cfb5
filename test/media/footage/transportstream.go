package footage

import (
	"bytes"
	"errors"
)

// Of ISO 13818-1.
const (
	packetSize = 188
	// pictures are in ffmpeg's first track.
	picturePID = 0x100
)

// withoutPTS takes PTS and DTS from every n-th picture of a transport stream. That is legal: they
// need only come every 0.7 s.
func withoutPTS(n int) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		seen := 0
		for at := 0; at+packetSize <= len(data); at += packetSize {
			p := data[at : at+packetSize]
			if p[1]&0x40 == 0 || int(p[1]&0x1f)<<8|int(p[2]) != picturePID {
				continue
			}
			payload := 4
			if p[3]&0x20 != 0 {
				payload += 1 + int(p[4])
			}
			pes := p[payload:]
			if !bytes.HasPrefix(pes, []byte{0, 0, 1}) {
				continue
			}
			if seen++; seen%n != 0 {
				continue
			}
			pes[7] &= 0x3f // neither follows
			for i := range pes[9 : 9+pes[8]] {
				pes[9+i] = 0xff // stuffing
			}
		}
		if seen < n {
			return nil, errors.New("too few pictures in the transport stream")
		}
		return data, nil
	}
}
