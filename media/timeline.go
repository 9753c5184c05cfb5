package media

import (
	"cmp"
	"math"
	"slices"
)

const (
	// evenTicks is by how much a frame may be off an even grid and the rate still count as even:
	// containers that count milliseconds round by half of one, both ways.
	evenTicks = 135

	// denseTicks is over how much time a rate is measured where it varies.
	denseTicks = tsClock

	// holeRatio is from how many usual distances on a missing frame is looked for between two.
	holeRatio = 1.5
)

// commonRates are tried before a rate that has to be made up. Most files have one of them.
var commonRates = []Rate{
	{30000, 1001}, {24000, 1001}, {60000, 1001}, {30, 1}, {25, 1}, {24, 1}, {60, 1}, {50, 1}, {15, 1}, {48, 1}, {12, 1}, {10, 1},
}

// A timeline is when a source's frames are shown.
type timeline struct {
	// ticks are the frames in the order in which they are shown, in 90 kHz from the first, rising.
	ticks []int64
	// rank is, for each packet from the first keyframe on and in file order, which frame it is, and
	// notShown for those that a player decodes and does not show. It is nil where that can't be
	// told without decoding.
	rank []int32
	// flags are the packets'.
	flags []byte
	// startUS is the first frame's time in the file.
	startUS int64
	// rate is the even one, or where it varies the mean.
	rate Rate
	even bool
	// dense is the rate, in frames a second, of the densest second.
	dense float64
	// delay is by how many frames decoding has to be ahead.
	delay int64
	// cut is where it is cut out of its track; nil: it is all of it.
	cut *lineCut
}

// notShown is the rank of a packet that an edit list hides, or that a clip has not.
const notShown = -1

// timeline finds when the frames of a track are shown. said is the rate by the header.
func (t *track) timeline(said Rate) *timeline {
	var shown []int32
	last := int64(noTime)
	missing, ordered := 0, true
	for i, pts := range t.pts {
		if t.flags[i]&flagHidden != 0 {
			continue
		}
		shown = append(shown, int32(i))
		if pts == noTime {
			missing++
			continue
		}
		ordered = ordered && pts > last
		last = pts
	}
	line := &timeline{flags: t.flags}
	if len(shown) == 0 || missing == len(shown) {
		return line
	}
	times := make([]int64, len(shown))
	for i, packet := range shown {
		times[i] = t.pts[packet]
	}
	switch {
	case missing > 0 && ordered:
		interpolate(times)
	case missing > 0:
		times = fillHoles(times)
	}
	if missing == 0 || ordered {
		line.ranks(t, shown, times)
	}
	slices.Sort(times)
	line.startUS = times[0]
	line.set(times, said)
	return line
}

// ranks says which frame each packet is.
func (l *timeline) ranks(t *track, shown []int32, times []int64) {
	order := make([]int32, len(shown))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(times[a], times[b]) })
	l.rank = make([]int32, len(t.pts))
	for i := range l.rank {
		l.rank[i] = notShown
	}
	for rank, i := range order {
		l.rank[shown[i]] = int32(rank)
		l.delay = max(l.delay, int64(i)-int64(rank))
	}
}

// set takes sorted microseconds.
func (l *timeline) set(times []int64, said Rate) {
	l.ticks = make([]int64, len(times))
	for i, us := range times {
		l.ticks[i] = toTicks(us - times[0])
		if i > 0 && l.ticks[i] <= l.ticks[i-1] {
			l.ticks[i] = l.ticks[i-1] + 1 // two frames at one time: no player shows both, and MPEG-TS has no place for it
		}
	}
	l.measure(said)
}

// measure finds the rate.
func (l *timeline) measure(said Rate) {
	n := int64(len(l.ticks))
	if n < 2 {
		l.rate, l.even = said, true
		if said.FPS() == 0 {
			l.rate = Rate{25, 1}
		}
		l.dense = l.rate.FPS()
		return
	}
	mean := Rate{Num: (n - 1) * tsClock, Den: l.ticks[n-1]}
	for _, rate := range append([]Rate{said}, append(commonRates, mean)...) {
		if fits(l.ticks, rate) {
			l.rate, l.even, l.dense = rate, true, rate.FPS()
			return
		}
	}
	l.rate = mean
	for i, j := 0, 0; i < len(l.ticks); i++ {
		for j < len(l.ticks) && l.ticks[j]-l.ticks[i] < denseTicks {
			j++
		}
		if j < len(l.ticks) {
			l.dense = max(l.dense, float64(j-i)*tsClock/float64(l.ticks[j]-l.ticks[i]))
		}
	}
	if l.dense == 0 { // shorter than what is measured over
		l.dense = mean.FPS()
	}
}

// fits reports whether all frames lie on a rate's grid.
func fits(ticks []int64, rate Rate) bool {
	fps := rate.FPS()
	if fps == 0 {
		return false
	}
	for i, at := range ticks {
		if math.Abs(float64(at)-float64(i)*tsClock/fps) > evenTicks {
			return false
		}
	}
	return true
}

// frame is how long the frame of a rank is shown.
func (l *timeline) frame(rank int) int64 {
	if rank+1 < len(l.ticks) {
		return l.ticks[rank+1] - l.ticks[rank]
	}
	return int64(tsClock / max(l.dense, 1))
}

// end is when the last frame is over.
func (l *timeline) end() int64 {
	if len(l.ticks) == 0 {
		return 0
	}
	return l.ticks[len(l.ticks)-1] + l.frame(len(l.ticks)-1)
}

// interpolate gives the frames without a time one between their neighbours'.
func interpolate(times []int64) {
	usual := usualGap(times)
	last := -1
	for i, us := range times {
		if us == noTime {
			continue
		}
		switch {
		case last < 0:
			for j := range i {
				times[j] = us - int64(i-j)*usual
			}
		default:
			for j := last + 1; j < i; j++ {
				times[j] = times[last] + (us-times[last])*int64(j-last)/int64(i-last)
			}
		}
		last = i
	}
	for j := last + 1; j < len(times); j++ {
		times[j] = times[last] + int64(j-last)*usual
	}
}

// fillHoles puts as many frames as have no time where times are missing in the others.
func fillHoles(times []int64) []int64 {
	known := slices.DeleteFunc(slices.Clone(times), func(us int64) bool { return us == noTime })
	slices.Sort(known)
	missing := len(times) - len(known)
	usual := usualGap(known)
	filled := known[:1:1]
	for i := 1; i < len(known); i++ {
		from, gap := known[i-1], known[i]-known[i-1]
		if float64(gap) > holeRatio*float64(usual) && missing > 0 {
			n := min(int64(missing), max(1, (gap+usual/2)/usual-1))
			for j := int64(1); j <= n; j++ {
				filled = append(filled, from+gap*j/(n+1))
			}
			missing -= int(n)
		}
		filled = append(filled, known[i])
	}
	for range missing {
		filled = append(filled, filled[len(filled)-1]+usual)
	}
	return filled
}

// usualGap is the median distance of neighbours that both have a time.
func usualGap(times []int64) int64 {
	var gaps []int64
	for i := 1; i < len(times); i++ {
		if times[i] != noTime && times[i-1] != noTime && times[i] > times[i-1] {
			gaps = append(gaps, times[i]-times[i-1])
		}
	}
	if len(gaps) == 0 {
		const whenUnknown = second / 25
		return whenUnknown
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// toTicks brings microseconds to 90 kHz.
func toTicks(us int64) int64 {
	const num, den = tsClock / 10_000, second / 10_000
	if us < 0 {
		return -((-us*num + den/2) / den)
	}
	return (us*num + den/2) / den
}

func toUS(ticks int64) int64 { return ticks * (second / 10_000) / (tsClock / 10_000) }
