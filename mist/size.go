package mist

// sizeStep is what MistProcLivepeer floors width and height to.
const sizeStep = 16

// PlannedSize is the size that a rendition really gets when w x h is asked for:
// both floored to multiples of 16, 16 at least.
func PlannedSize(w, h int) (int, int) {
	return plannedLength(w), plannedLength(h)
}

func plannedLength(n int) int { return max(n-n%sizeStep, sizeStep) }

// ordinalShift: MistProcLivepeer puts a profile's place above the 16 bits that
// hold the transport stream's PID.
const ordinalShift = 16

// OrdinalOfTrack is the place in the target profiles of the rendition that a
// track holds, counted from 0. It alone tells renditions of one size apart.
func OrdinalOfTrack(trackID int64) int { return int(trackID >> ordinalShift) }
