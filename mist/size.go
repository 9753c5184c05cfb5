package mist

const (
	// sizeStep is what MistProcLivepeer floors width and height to.
	sizeStep = 16

	// What a Broadcaster clamps a profile's sides to before it looks at the longer
	// one (lpms, ffmpeg.go, nvidiaCodecSizeLimts; software encoders have the same).
	minWidth, minHeight, maxSide = 146, 50, 4096
)

// A Size is of upright pictures with square pixels.
type Size struct{ Width, Height int }

func (s Size) longer() int  { return max(s.Width, s.Height) }
func (s Size) shorter() int { return min(s.Width, s.Height) }

// upright says whether it is taller than wide.
func (s Size) upright() bool { return s.Width < s.Height }

func (s Size) turned() Size { return Size{s.Height, s.Width} }

func (s Size) within(box Size) bool { return s.Width <= box.Width && s.Height <= box.Height }

// Floored is what MistProcLivepeer makes of a profile's size.
func (s Size) Floored() Size { return Size{s.Width - s.Width%sizeStep, s.Height - s.Height%sizeStep} }

// ReturnedSize is the size of the pictures that a Broadcaster returns for a profile
// of this size, of pictures of the source's: it keeps the source's aspect and takes
// the profile's longer side only, even above the source's.
func ReturnedSize(source, profile Size) Size {
	longer := max(clamp(profile.Width, minWidth), clamp(profile.Height, minHeight))
	w, h := source.Width, source.Height
	if w >= h {
		if longer*h >= minHeight*w {
			return Size{longer &^ 1, scaledEven(longer, h, w)}
		}
		return Size{scaledEven(minHeight, w, h), minHeight}
	}
	if longer*w >= minWidth*h {
		return Size{scaledEven(longer, w, h), longer &^ 1}
	}
	return Size{minWidth, scaledEven(minWidth, h, w)}
}

func clamp(side, least int) int { return min(max(side, least), maxSide) }

// scaledEven is the even number next to n*a/b, the greater one of two.
func scaledEven(n, a, b int) int { return 2 * ((n*a + b) / (2 * b)) }

// A SizePlan is how a rendition of a source comes as near to the size that was asked
// for as it can.
type SizePlan struct {
	Ask Size // of MistProcLivepeer; it floors no more of it
	Got Size // of what comes back
	Box Size // what was asked for, its longer side along the source's

	// Why Got is not what was asked for.
	Turned  bool // the box lay across the source
	Aspect  bool // the source has another aspect than the box
	Stepped bool // the longer side has to be a multiple of 16
	Clamped bool // a Broadcaster makes no picture that small, or none that large
}

// PlanSize plans the largest size in the source's aspect that lies in the box and
// can be had. Where none lies in it, as in a tiny box, the smallest that there is
// is planned, and Clamped is set. All sides given are above 0.
func PlanSize(source, box Size) SizePlan {
	p := SizePlan{Box: box}
	if box.upright() != source.upright() && box.Width != box.Height && source.Width != source.Height {
		p.Box, p.Turned = box.turned(), true
	}
	longer := min(p.Box.longer(), maxSide) / sizeStep * sizeStep
	for ; longer > minWidth; longer -= sizeStep {
		if p.Got = ReturnedSize(source, sided(source, longer)); p.Got.within(p.Box) {
			break
		}
	}
	longer = max(longer, minWidth/sizeStep*sizeStep)
	p.Ask = sided(source, longer)
	p.Got = ReturnedSize(source, p.Ask)

	fit := fitted(source, p.Box)
	p.Aspect = fit != (Size{p.Box.Width &^ 1, p.Box.Height &^ 1})
	p.Clamped = !p.Got.within(p.Box) || longer == maxSide && fit.longer() >= maxSide+sizeStep
	p.Stepped = !p.Clamped && (p.Got.longer() != fit.longer() || p.Got != p.Box && !p.Aspect)
	return p
}

// sided is a profile's size with this longer side, in about the source's aspect.
func sided(source Size, longer int) Size {
	shorter := max((longer*source.shorter()/source.longer())/sizeStep*sizeStep, sizeStep)
	if source.upright() {
		return Size{shorter, longer}
	}
	return Size{longer, shorter}
}

// fitted is the largest size in the source's aspect that lies in the box, by even
// numbers, if sizes had no limits.
func fitted(source, box Size) Size {
	w, h := box.Width, scaledEven(box.Width, source.Height, source.Width)
	if box.Width*source.Height > box.Height*source.Width {
		w, h = scaledEven(box.Height, source.Width, source.Height), box.Height
	}
	return Size{w &^ 1, h &^ 1}
}

// ordinalShift: MistProcLivepeer puts a profile's place above the 16 bits that
// hold the transport stream's PID.
const ordinalShift = 16

// OrdinalOfTrack is the place in the target profiles of the rendition that a
// track holds, counted from 0. It alone tells renditions of one size apart.
func OrdinalOfTrack(trackID int64) int { return int(trackID >> ordinalShift) }
