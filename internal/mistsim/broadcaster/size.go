package broadcaster

import "math"

// What a hardware encoder takes, applied to every encoder (LPMS,
// nvidiaCodecSizeLimts).
const (
	minWidth, minHeight = 146, 50
	maxSide             = 4096
)

// size is what a source of iw x ih becomes when a profile asks for w x h. It
// keeps the source's shape in pixels and takes the profile's longer side only;
// where the shorter one would be too short for an encoder, it is what counts.
// It upscales. Both results are even.
func size(iw, ih, w, h int) (width, height int) {
	longer := max(clamp(w, minWidth), clamp(h, minHeight))
	if iw >= ih {
		if longer*ih >= minHeight*iw {
			return longer &^ 1, even(longer, ih, iw)
		}
		return even(minHeight, iw, ih), minHeight
	}
	if longer*iw >= minWidth*ih {
		return even(longer, iw, ih), longer &^ 1
	}
	return minWidth, even(minWidth, ih, iw)
}

func clamp(side, least int) int { return min(max(side, least), maxSide) }

// even is side*num/den as the scaler rounds a side that follows the other.
func even(side, num, den int) int {
	return 2 * int(math.Round(float64(side)*float64(num)/float64(2*den)))
}
