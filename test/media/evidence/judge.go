package evidence

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/test/media/footage"
)

const (
	// timeSlack is how far a frame may be from its time, in seconds; the millisecond itself is fine.
	timeSlack = 0.00105
	// SoundSlack is how far sound may be from its picture.
	SoundSlack = 0.020
	// beepReach is how far a beep is looked for.
	beepReach = 2.0
	// aspectSlack is on top of what even sizes round away.
	aspectSlack = 0.01
	// cutFrames may be missing at the end of a file that was cut off.
	cutFrames = 3
	// CombedMost is the share of frames that a detector may hold for interlaced in a picture that is not.
	CombedMost = 0.1
)

// A Want is what a rendition has to be.
type Want struct {
	footage.Truth
	// Shown are the times of the truth's frames, in seconds from the first.
	Shown []float64
	// SourceSync is what a decode of the source has for the worst distance of its sound to the picture.
	SourceSync float64
	// FPS is the profile's own rate, 0 for the source's.
	FPS float64
	// Width and Height are the box that was asked for, 0 for none.
	Width, Height int
}

// Result is what a look at a rendition says.
type Result struct {
	Frames int
	Aspect float64
	// Sync is the worst distance of sound to its picture, in seconds; Beeps is how many were compared.
	Sync     float64
	Beeps    int
	Problems []string
}

func (r *Result) problemf(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Judge compares a rendition of numbered footage with what it has to be.
func Judge(picture *Picture, sound *Sound, want *Want) *Result {
	r := &Result{Frames: len(picture.Frames), Aspect: picture.Aspect}
	if len(picture.Frames) == 0 {
		r.problemf("no frames")
		return r
	}
	r.shape(picture, want)
	if want.FPS > 0 {
		r.resampled(picture, want)
	} else {
		r.frames(picture, want)
	}
	r.sound(picture, sound, want)
	return r
}

func (r *Result) shape(picture *Picture, want *Want) {
	if !picture.Square {
		r.problemf("pixels are not square")
	}
	slack := aspectSlack + 1/float64(min(picture.Width, picture.Height))
	if math.Abs(picture.Aspect/want.Aspect-1) > slack {
		r.problemf("aspect %.3f instead of %.3f (%dx%d)", picture.Aspect, want.Aspect, picture.Width, picture.Height)
	}
	if !picture.Steady {
		r.problemf("the picture changes its size")
	}
	if !picture.Progressive {
		r.problemf("frames say that they are interlaced")
	}
	if picture.PixFmt != "yuv420p" && picture.PixFmt != "yuvj420p" {
		r.problemf("pixels are %s, not yuv420p", picture.PixFmt)
	}
	if want.Width > 0 {
		// The box is turned to the source's orientation.
		w, h := max(want.Width, want.Height), min(want.Width, want.Height)
		if max(picture.Width, picture.Height) > w || min(picture.Width, picture.Height) > h {
			r.problemf("%dx%d does not lie in %dx%d", picture.Width, picture.Height, want.Width, want.Height)
		}
	}
}

// frames wants every frame once, in order, at its time.
func (r *Result) frames(picture *Picture, want *Want) {
	got, numbers, shown := picture.Numbers(), want.Numbers, want.Shown
	if want.Cut && len(got) < len(numbers) && len(got) >= len(numbers)-cutFrames {
		numbers, shown = numbers[:len(got)], shown[:len(got)]
	}
	if len(got) != len(numbers) {
		r.problemf("%d frames of %d", len(got), len(numbers))
	}
	if wrong := differences(got, numbers); wrong != "" {
		r.problemf("%s", wrong)
		return
	}
	worst, at := 0.0, 0
	for i, t := range picture.Times() {
		if off := math.Abs(t - shown[i]); off > worst {
			worst, at = off, i
		}
	}
	if worst > timeSlack {
		r.problemf("frame %d is %.1f ms off", numbers[at], 1000*worst)
	}
}

// differences tells in which way numbers are others than wanted.
func differences(got, want []int) string {
	if slices.Equal(got, want) {
		return ""
	}
	seen, known := map[int]int{}, map[int]bool{}
	for _, n := range want {
		known[n] = true
	}
	unread, unknown := 0, []int{}
	for _, n := range got {
		switch {
		case n < 0:
			unread++
		case !known[n]:
			unknown = append(unknown, n)
		default:
			seen[n]++
		}
	}
	var missing, twice []int
	for _, n := range want {
		switch seen[n] {
		case 0:
			missing = append(missing, n)
		case 1:
		default:
			twice = append(twice, n)
		}
	}
	parts := []string{"frames by picture:"}
	for _, part := range []struct {
		what    string
		numbers []int
	}{{"missing", missing}, {"twice", twice}, {"not of the source", unknown}} {
		if len(part.numbers) > 0 {
			parts = append(parts, fmt.Sprintf("%s %d (%v)", part.what, len(part.numbers), brief(part.numbers)))
		}
	}
	if unread > 0 {
		parts = append(parts, fmt.Sprintf("unreadable %d", unread))
	}
	if len(missing)+len(twice)+len(unknown)+unread == 0 {
		parts = append(parts, "out of order")
	}
	return strings.Join(parts, " ")
}

func brief(numbers []int) []int {
	const most = 6
	return numbers[:min(most, len(numbers))]
}

// resampled wants at each time what the source shows then, half a period sooner or later.
func (r *Result) resampled(picture *Picture, want *Want) {
	period := 1 / want.FPS
	source := 1 / want.Rate.FPS()
	place := map[int]int{}
	for i, n := range want.Numbers {
		place[n] = i
	}
	last := len(want.Shown) - 1
	length := want.Shown[last] + source
	times, numbers := picture.Times(), picture.Numbers()
	wrong, worst := 0, 0.0
	for i, t := range times {
		j, ok := place[numbers[i]]
		if !ok {
			r.problemf("frame at %.3f s: no picture of the source (%d)", t, numbers[i])
			return
		}
		from, to := want.Shown[j], length
		if j < last {
			to = want.Shown[j+1]
		} else {
			to = max(to, t) // the last one stays
		}
		off := max(from-t, t-to, 0)
		worst = max(worst, off)
		if off > period/2+timeSlack {
			wrong++
		}
		// A segment is brought to the rate alone, and may lack a frame at its end.
		if step := t - times[max(0, i-1)]; i > 0 && (step < period/2 || step > 2*period+timeSlack) {
			r.problemf("%.0f ms from one frame to the next at %.3f s, at %g a second", 1000*(t-times[i-1]), t, want.FPS)
			return
		}
	}
	if wrong > 0 {
		r.problemf("%d frames are not what the source shows then, by up to %.0f ms", wrong, 1000*worst)
	}
	if off := times[len(times)-1] + period - length; math.Abs(off) > period+source {
		r.problemf("it lasts %+.0f ms more than the source", 1000*off)
	}
}

// sound wants every beep beside its picture.
func (r *Result) sound(picture *Picture, sound *Sound, want *Want) {
	switch {
	case want.Sound == nil && sound != nil:
		r.problemf("sound, where the source has none")
		return
	case want.Sound == nil:
		return
	case sound == nil:
		r.problemf("no sound")
		return
	}
	heard := sound.Beeps()
	to := want.Sound.To
	if want.Cut { // as far as there is a picture
		to = min(to, float64(want.Numbers[len(want.Numbers)-1])/want.Rate.FPS()-beepReach/2)
	}
	slack := SoundSlack
	if want.FPS > 0 { // the first frame may be one that began before
		slack += 1 / want.FPS
	}
	var missing []int
	for n := int(math.Ceil(want.Sound.From/footage.BeepEvery - 1e-6)); footage.Content(n)+footage.BeepLength <= to; n++ {
		expected := picture.Frames[0].At + want.shownAt(footage.Content(n)) + want.Sound.Late
		nearest := math.Inf(1)
		for _, b := range heard {
			if off := b.At - expected; b.Beep.Pitch == n%footage.BeepCount && math.Abs(off) < math.Abs(nearest) {
				nearest = off
			}
		}
		if math.Abs(nearest) > beepReach {
			missing = append(missing, n)
			continue
		}
		r.Beeps++
		if math.Abs(nearest) > math.Abs(r.Sync) {
			r.Sync = nearest
		}
	}
	if len(missing) > 0 {
		r.problemf("%d beeps are not heard: %v", len(missing), brief(missing))
	}
	if math.Abs(r.Sync) > slack {
		r.problemf("sound is up to %+.0f ms from its picture", 1000*r.Sync)
	}
}

// shownAt is when the picture of a content time is shown, in seconds from the first frame.
func (w *Want) shownAt(content float64) float64 {
	const sameFrame = 1e-6
	rate := w.Rate.FPS()
	i := 0
	if !w.Sound.Through {
		for i+1 < len(w.Numbers) && float64(w.Numbers[i+1]) <= content*rate+sameFrame {
			i++
		}
	}
	return w.Shown[i] + content - float64(w.Numbers[i])/rate
}
