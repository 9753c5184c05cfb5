package evidence

import (
	"fmt"
	"math"
)

const (
	// pictureReach is among how many neighbours a frame is looked for.
	pictureReach = 3
	// pictureMargin is by how much a neighbour has to look more alike before a frame is the wrong
	// one: neighbours of a still are alike.
	pictureMargin = 0.03
	// syncReach is how far sound is looked for, syncWindow how much of it is compared at each place.
	syncReach, syncWindow = 0.3, 3.0
	// levelSeconds is over what sound's level is taken.
	levelSeconds = 0.001
	// alike is from which correlation on two sounds are the same.
	alike = 0.5
)

// A Wanted is what the rendition of any file has to be, as far as it is known.
type Wanted struct {
	// Frames is how many a player shows, 0 where nobody has counted.
	Frames int
	// Aspect is the picture's, as shown.
	Aspect float64
}

// Compare compares a rendition at the source's own rate with the source's own decode.
func Compare(source, got *Picture, sourceSound, gotSound *Sound, want Wanted) *Result {
	r := &Result{Frames: len(got.Frames), Aspect: got.Aspect}
	if len(got.Frames) == 0 {
		r.problemf("no frames")
		return r
	}
	frames := want.Frames
	if frames == 0 {
		frames = len(source.Frames)
	}
	if len(got.Frames) != frames {
		r.problemf("%d frames of %d", len(got.Frames), frames)
	}
	slack := aspectSlack + 1/float64(min(got.Width, got.Height))
	if !got.Square || math.Abs(got.Aspect/want.Aspect-1) > slack {
		r.problemf("aspect %.3f instead of %.3f", got.Aspect, want.Aspect)
	}
	// Where the source's decode has other frames than a player shows, it tells nothing of each.
	same := len(source.Frames) == len(got.Frames) && source.runsOn()
	if same {
		r.alike(source, got)
	}
	switch {
	case sourceSound == nil && gotSound != nil:
		r.problemf("sound, where the source has none")
	case sourceSound != nil && gotSound == nil:
		r.problemf("no sound")
	case sourceSound != nil && same:
		r.together(source, got, sourceSound, gotSound)
	}
	return r
}

// runsOn tells whether times can be believed: they rise, and not by more than a hole in a recording.
func (p *Picture) runsOn() bool {
	const longestHole = 30.0
	for i := 1; i < len(p.Frames); i++ {
		if step := p.Frames[i].At - p.Frames[i-1].At; step <= 0 || step > longestHole {
			return false
		}
	}
	return true
}

// alike compares every frame's time and picture.
func (r *Result) alike(source, got *Picture) {
	shown, times := source.Times(), got.Times()
	worst, at, wrong := 0.0, 0, []int{}
	for i := range times {
		if off := times[i] - shown[i]; math.Abs(off) > math.Abs(worst) {
			worst, at = off, i
		}
		own := correlation(got.Frames[i].Thumb, source.Frames[i].Thumb)
		for j := max(0, i-pictureReach); j <= min(len(source.Frames)-1, i+pictureReach); j++ {
			if correlation(got.Frames[i].Thumb, source.Frames[j].Thumb) > own+pictureMargin {
				wrong = append(wrong, i)
				break
			}
		}
	}
	if math.Abs(worst) > timeSlack {
		r.problemf("frame %d is %+.1f ms off", at, 1000*worst)
	}
	if len(wrong) > 0 {
		r.problemf("%d frames look like others (%v)", len(wrong), brief(wrong))
	}
}

// correlation of two pictures, 1 for the same, whatever their brightness.
func correlation(a, b []byte) float64 {
	var sumA, sumB float64
	for i := range a {
		sumA += float64(a[i])
		sumB += float64(b[i])
	}
	meanA, meanB := sumA/float64(len(a)), sumB/float64(len(b))
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-meanA, float64(b[i])-meanB
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 { // of one colour
		return 1
	}
	return ab / math.Sqrt(aa*bb)
}

// together compares where the sound is beside the picture, at the start, in the middle and at the end.
func (r *Result) together(source, got *Picture, sourceSound, gotSound *Sound) {
	was, is := levels(sourceSound, source.Frames[0].At), levels(gotSound, got.Frames[0].At)
	length := float64(len(was.level)) * levelSeconds
	for _, from := range []float64{0, (length - syncWindow) / 2, length - syncWindow} {
		off, ok := was.lag(is, was.at+max(from, 0))
		if !ok {
			continue
		}
		r.Beeps++
		if math.Abs(off) > math.Abs(r.Sync) {
			r.Sync = off
		}
	}
	if math.Abs(r.Sync) > SoundSlack {
		r.problemf("sound is up to %+.0f ms from where it was beside the picture", 1000*r.Sync)
	}
}

// loudness is a sound's level over time, counted from the first picture.
type loudness struct {
	at    float64
	level []float64
}

func levels(s *Sound, picture float64) *loudness {
	window := max(1, int(levelSeconds*float64(s.Hertz)))
	l := &loudness{at: s.At - picture}
	count := int(float64(len(s.Samples)) / float64(s.Hertz) / levelSeconds)
	for i := range count {
		from := int(float64(i) * levelSeconds * float64(s.Hertz))
		sum := 0.0
		for _, x := range s.Samples[from:min(from+window, len(s.Samples))] {
			sum += float64(x) * float64(x)
		}
		l.level = append(l.level, math.Sqrt(sum/float64(window)))
	}
	return l
}

// lag is how much later another sound is than this one about a time; ok is false where it can't be
// told: in silence, and in a tone that never changes.
func (l *loudness) lag(other *loudness, at float64) (seconds float64, ok bool) {
	const steady = 0.05 // of the mean
	reach := int(syncReach / levelSeconds)
	from := int(math.Round((at - l.at) / levelSeconds))
	window := l.level[max(0, from):max(0, min(len(l.level), from+int(syncWindow/levelSeconds)))]
	mean, spread := spreadOf(window)
	if len(window) == 0 || spread < steady*mean || mean == 0 {
		return 0, false
	}
	best, bestLag := 0.0, 0
	start := int(math.Round((l.at + float64(max(0, from))*levelSeconds - other.at) / levelSeconds))
	for distance := range reach {
		for _, lag := range []int{distance, -distance} {
			if c := other.match(window, start+lag); c > best+1e-3 { // the nearest of equals
				best, bestLag = c, lag
			}
		}
	}
	return float64(bestLag) * levelSeconds, best > alike
}

func spreadOf(values []float64) (mean, spread float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		spread += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(spread)
}

// match correlates a window with what begins at a place; beyond the ends it is silent.
func (l *loudness) match(window []float64, start int) float64 {
	var sumA, sumB, ab, aa, bb float64
	for i, a := range window {
		b := 0.0
		if j := start + i; j >= 0 && j < len(l.level) {
			b = l.level[j]
		}
		sumA, sumB, ab, aa, bb = sumA+a, sumB+b, ab+a*b, aa+a*a, bb+b*b
	}
	n := float64(len(window))
	ab, aa, bb = ab-sumA*sumB/n, aa-sumA*sumA/n, bb-sumB*sumB/n
	if aa <= 0 || bb <= 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// String says a result in few words.
func (r *Result) String() string { return fmt.Sprintf("%d frames, %v", r.Frames, r.Problems) }
