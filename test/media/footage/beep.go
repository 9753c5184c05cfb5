package footage

import (
	"fmt"
	"math"
)

const (
	// BeepEvery and BeepLength are in seconds, from the start of one.
	BeepEvery, BeepLength = 0.5, 0.12
	// The pitch names the beep; after BeepCount of them the row begins again.
	beepLow, beepStep, BeepCount = 500, 100, 24

	// A beep begins where the sound passes beepLoud of its greatest level after beepQuiet seconds
	// below it. Codecs that transform blocks sound a little before; not as loud.
	beepLoud, beepQuiet = 0.3, 0.1
	// windowSeconds is over what the level is taken: a beep's place is known to that.
	windowSeconds = 0.001
	// the pitch is heard in the middle of a beep.
	pitchFrom, pitchTo = 0.02, 0.1
)

// beeps is the sound of content time from first on, for so many seconds.
func beeps(first, seconds float64, hertz int) string {
	// A millionth more, or rounding makes two beeps of the one at a half second.
	at := fmt.Sprintf("(t+%.6f+1e-6)", first)
	frequency := fmt.Sprintf("(%d+%d*mod(floor(%s/%g),%d))", beepLow, beepStep, at, BeepEvery, BeepCount)
	return fmt.Sprintf("aevalsrc=exprs='0.5*sin(2*PI*%s*%s)*lt(mod(%s,%g),%g)':s=%d:d=%.6f",
		frequency, at, at, BeepEvery, BeepLength, hertz, seconds)
}

// A Beep is one that was heard.
type Beep struct {
	At    float64 // seconds from the first sample
	Pitch int     // which of the row it is
}

// Content is the content time of a beep.
func Content(number int) float64 { return float64(number) * BeepEvery }

// Beeps finds all beeps in a sound.
func Beeps(samples []float32, hertz int) []Beep {
	window := max(1, int(windowSeconds*float64(hertz)))
	levels := make([]float64, len(samples)/window)
	loudest := 0.0
	for i := range levels {
		for _, s := range samples[i*window : (i+1)*window] {
			levels[i] = max(levels[i], math.Abs(float64(s)))
		}
		loudest = max(loudest, levels[i])
	}
	const silence = 0.01
	if loudest < silence {
		return nil
	}
	var found []Beep
	quiet := math.MaxInt / 2
	for i, level := range levels {
		if level < beepLoud*loudest {
			quiet++
			continue
		}
		if float64(quiet)*windowSeconds >= beepQuiet {
			start := i * window
			if pitch, ok := pitch(samples[start:], hertz); ok {
				found = append(found, Beep{At: float64(start) / float64(hertz), Pitch: pitch})
			}
		}
		quiet = 0
	}
	return found
}

// pitch counts how often a beep crosses zero.
func pitch(samples []float32, hertz int) (int, bool) {
	from, to := int(pitchFrom*float64(hertz)), int(pitchTo*float64(hertz))
	if to > len(samples) {
		return 0, false
	}
	crossings := 0
	for i := from + 1; i < to; i++ {
		if samples[i-1] < 0 != (samples[i] < 0) {
			crossings++
		}
	}
	frequency := float64(crossings) / 2 / (pitchTo - pitchFrom)
	n := int(math.Round((frequency - beepLow) / beepStep))
	return n, n >= 0 && n < BeepCount
}
