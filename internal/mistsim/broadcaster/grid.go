package broadcaster

import "weir/internal/mistsim/ts"

// maxPerFrame is how many frames may come out per frame that went in, at any
// moment of a segment (LPMS, lpms_ERR_ENC_RUNAWAY).
const maxPerFrame = 25

// grid is a profile's rate as a fraction: with one, every frame lies at a whole
// number of frames since time 0, wherever it came from.
type grid struct{ num, den int64 }

// at is the place of a time: the nearest, and the farther from 0 of two.
func (g grid) at(ticks int64) int64 {
	n, d := ticks*g.num, ts.Clock*g.den
	if n < 0 {
		return -((-n*2 + d) / (2 * d))
	}
	return (n*2 + d) / (2 * d)
}

// frames is how many places the frames at these times fill, the last of which
// lasts so long. Places are filled with the frame before, and of several frames
// at one place the last one stays. It says no where that would be too many.
func (g grid) frames(times []int64, last int64) (n int64, ok bool) {
	first := g.at(times[0])
	for i, t := range times {
		if g.at(t)-first > maxPerFrame*int64(i+1) {
			return 0, false
		}
	}
	n = max(1, g.at(times[len(times)-1]+last)-first)
	return n, n <= maxPerFrame*int64(len(times))
}
