package broadcaster

import (
	"bytes"
	"math"
	"slices"

	"weir/internal/mistsim/ts"
)

const (
	// snapRange is the error of a rate measured over a second of milliseconds;
	// it is smaller than the distance between a whole and an NTSC rate.
	snapRange = 0.0005
	// fallbackRate is for a single frame of a stream that names no rate.
	fallbackRate = 25
	// wrapAt is where timestamps start again, and wrapNear is how close to it a
	// stream that starts there is taken to start below 0 (libavformat).
	wrapAt   = int64(1) << 33
	wrapNear = 60 * ts.Clock
	// fpks is frames per so many seconds, in which headers tell rates.
	fpks = 1000
)

// source is what a segment holds, as far as a transcoder looks before it starts.
type source struct {
	// codec is the picture's, empty without one.
	codec  string
	header ts.Header
	// sound is the first sound's codec, empty without one.
	sound string
	// times are the frames' PTS from the first keyframe on, in rising order.
	times []int64
	// rate is frames a second: as the stream says, else as measured.
	rate float64
}

// look reads a segment of MPEG-TS; of anything else it says that nothing is in
// it, though the real one would take MP4 too.
func look(segment []byte) *source {
	s := &source{}
	for _, codec := range ts.Codecs(segment) {
		switch {
		case ts.IsVideo(codec) && s.codec == "":
			s.codec = codec
		case !ts.IsVideo(codec) && s.sound == "":
			s.sound = codec
		}
	}
	keyed := false
	for d := ts.NewDemuxer(bytes.NewReader(segment)); ; {
		f, err := d.Next()
		if err != nil {
			break
		}
		if f.Codec != s.codec {
			continue
		}
		if !keyed && f.Key {
			s.header, keyed = ts.ParseHeader(f.Codec, f.Data)
		}
		if keyed {
			s.times = append(s.times, f.PTS)
		}
	}
	if len(s.times) == 0 {
		return s
	}
	slices.Sort(s.times)
	if s.times[0] >= wrapAt-wrapNear {
		for i := range s.times {
			s.times[i] -= wrapAt
		}
	}
	s.rate = s.measure()
	return s
}

// frameTicks is how long a frame lasts.
func (s *source) frameTicks() int64 { return int64(math.Round(ts.Clock / s.rate)) }

func (s *source) measure() float64 {
	if s.header.FPKS > 0 {
		return float64(s.header.FPKS) / fpks
	}
	first, last := s.times[0], s.times[len(s.times)-1]
	if last <= first {
		return fallbackRate
	}
	return snap(float64(len(s.times)-1) * ts.Clock / float64(last-first))
}

// snap takes a rate measured over whole milliseconds to the whole or NTSC rate
// that it stands for.
func snap(rate float64) float64 {
	const ntsc = 1000.0 / 1001
	whole := math.Round(rate)
	for _, near := range []float64{whole, math.Round(rate/ntsc) * ntsc} {
		if math.Abs(rate-near) < snapRange*rate {
			return near
		}
	}
	return rate
}
