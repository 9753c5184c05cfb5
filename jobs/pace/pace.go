// Package pace tells from how something went so far how fast it goes, and when it will be
// done.
package pace

import (
	"slices"
	"time"
)

// A Sample is how much was done at a time.
type Sample struct {
	At   time.Time
	Done float64
}

// Samples are those of one stage, oldest first, bounded: the longer it lasts, the farther
// they lie apart.
type Samples []Sample

const (
	// samplesMost bounds them; half are dropped then, every other.
	samplesMost = 256
	// samplesAfter is how long a new one takes the last one's place: callbacks come by
	// the kilobyte.
	samplesAfter = 250 * time.Millisecond

	// recent is the part of the time so far that an estimate is made from: a start is
	// slow, and what was long ago tells less of what comes. A longer part is better where a
	// speed only varies, a shorter one where it changes for good: of this one neither is far
	// off (TestOfSpeedsThatChange).
	recent = 0.5
	// windowLeast is the shortest time that says anything: media comes back by segments
	// of some seconds.
	windowLeast = 2 * time.Second
	// samplesLeast are needed in it.
	samplesLeast = 3
	// late, in the longest time that there was between two changes, is when it is taken for
	// one that there is none.
	late = 2
)

// Add notes how much is done at now. Only changes count: media comes back by segments, and
// what counts is the moments that they come at.
func (s Samples) Add(now time.Time, done float64) Samples {
	if len(s) > 0 && s[len(s)-1].Done == done {
		return s
	}
	if n := len(s); n > 1 && now.Sub(s[n-2].At) < samplesAfter {
		s[n-1] = Sample{At: now, Done: done}
		return s
	}
	s = append(s, Sample{At: now, Done: done})
	if len(s) > samplesMost {
		kept := s[:0]
		for i := 0; i < len(s); i += 2 {
			kept = append(kept, s[i])
		}
		s = kept
	}
	return s
}

// An Estimate is how something goes on if it goes on as it did lately.
type Estimate struct {
	// Rate is what is done in a second.
	Rate float64
	// Left is the time until the whole is done.
	Left time.Duration
}

// Of estimates, at now, when whole will be done: by what was done in the later part of the
// time since the first sample. Of what comes by pieces, each some time after the one
// before, the first and the last of them tell most. known is false while the samples say
// nothing yet.
func Of(samples Samples, whole float64, now time.Time) (e Estimate, known bool) {
	if len(samples) == 0 || whole <= 0 {
		return e, false
	}
	last := samples[len(samples)-1]
	if now.Sub(last.At) > late*samples.gap() { // nothing since then is news too
		samples = append(slices.Clip(samples), Sample{At: now, Done: last.Done})
	}
	window := samples[samples.from(now):]
	if len(window) < samplesLeast || now.Sub(window[0].At) < windowLeast {
		return e, false
	}
	first, last := window[0], window[len(window)-1]
	rate := (last.Done - first.Done) / last.At.Sub(first.At).Seconds()
	if !(rate > 0) {
		return e, false
	}
	done := min(last.Done+rate*now.Sub(last.At).Seconds(), whole)
	return Estimate{Rate: rate, Left: time.Duration((whole - done) / rate * float64(time.Second))}, true
}

// from is the first of the samples to be looked at: those of late, or the last few.
func (s Samples) from(now time.Time) int {
	since := now.Add(-max(time.Duration(recent*float64(now.Sub(s[0].At))), windowLeast))
	few := max(len(s)-samplesLeast, 0)
	for i := range s[:few] {
		if !s[i].At.Before(since) {
			return i
		}
	}
	return few
}

// gap is the longest time between two of the later half.
func (s Samples) gap() (longest time.Duration) {
	for i := len(s)/2 + 1; i < len(s); i++ {
		longest = max(longest, s[i].At.Sub(s[i-1].At))
	}
	return longest
}
