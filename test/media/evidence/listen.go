package evidence

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"weir/test/media/footage"
)

// Sound is a file's audio, decoded.
type Sound struct {
	At       float64 // of the first sample, as the file counts
	Hertz    int
	Channels int
	// Samples are the mean of all channels; where times have a hole, silence.
	Samples []float32
}

// Beep is one that was heard, at the file's time.
type Beep struct {
	At   float64
	Beep footage.Beep
}

// Beeps are all that is to be heard.
func (s *Sound) Beeps() []Beep {
	if s == nil {
		return nil
	}
	var found []Beep
	for _, b := range footage.Beeps(s.Samples, s.Hertz) {
		found = append(found, Beep{At: s.At + b.At, Beep: b})
	}
	return found
}

// heard are ashowinfo's lines, as of ffmpeg 5 to 8.
var heard = regexp.MustCompile(`pts:(-?\d+|NOPTS) .*channels:(\d+) .*rate:(\d+) nb_samples:(\d+)`)

const (
	sampleBytes = 4
	// holeSeconds is from what on a step in the times of sound is a hole, and not rounding.
	holeSeconds = 0.003
	// holeMost bounds what is filled with silence.
	holeMost = 3600
)

// Listen decodes a file's sound, nil where it has none. Each sample is at the place of its own
// timestamp.
func Listen(ctx context.Context, path, stream string) (*Sound, error) {
	raw, log, err := decode(ctx, path, "-map", "0:"+stream+"?", "-af", "ashowinfo", "-c:a", "pcm_f32le", "-f", "f32le", "-")
	if err != nil {
		if strings.Contains(err.Error(), "does not contain any stream") {
			return nil, nil
		}
		return nil, err
	}
	var s *Sound
	for line := range strings.Lines(log) {
		m := heard.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		channels, _ := strconv.Atoi(m[2])
		hertz, _ := strconv.Atoi(m[3])
		count, _ := strconv.Atoi(m[4])
		ticks, err := strconv.ParseInt(m[1], 10, 64)
		at := float64(ticks) / float64(hertz)
		if s == nil {
			if err != nil {
				return nil, fmt.Errorf("%s: sound without a time", path)
			}
			s = &Sound{At: at, Hertz: hertz, Channels: channels}
		}
		if err == nil {
			s.place(at)
		}
		if len(raw) < count*channels*sampleBytes {
			return nil, fmt.Errorf("%s: fewer samples than times", path)
		}
		for range count {
			sum := float32(0)
			for range channels {
				sum += math.Float32frombits(binary.LittleEndian.Uint32(raw))
				raw = raw[sampleBytes:]
			}
			s.Samples = append(s.Samples, sum/float32(channels))
		}
	}
	return s, nil
}

// place makes the next sample one of time at.
func (s *Sound) place(at float64) {
	next := s.At + float64(len(s.Samples))/float64(s.Hertz)
	switch step := at - next; {
	case step > holeSeconds && step < holeMost:
		s.Samples = append(s.Samples, make([]float32, int(math.Round(step*float64(s.Hertz))))...)
	case step < -holeSeconds:
		s.Samples = s.Samples[:max(0, int(math.Round((at-s.At)*float64(s.Hertz))))]
	}
}
