package footage

// A Rate is num/den in a second.
type Rate struct{ Num, Den int }

// FPS is the rate as a number.
func (r Rate) FPS() float64 { return float64(r.Num) / float64(r.Den) }

// What has to become of a file.
const (
	OutcomeOK     = "ok"
	OutcomeFailed = "failed" // for good, at the first attempt
)

// A Truth is what is right for a file.
type Truth struct {
	Outcome string
	// Rate is how many numbers there are in a second of content.
	Rate Rate
	// Numbers are the frames that a player shows, in order.
	Numbers []int
	// Steps are where content is shown later than the one before: seconds, by the number of the first
	// frame.
	Steps map[int]float64
	// Aspect is the picture's, as shown.
	Aspect float64
	// Sound is nil where there is none.
	Sound *Sound
	// Decodes tells that ffmpeg's own decode of the file shows the truth. It does not where times were
	// broken on purpose.
	Decodes bool
	// Loose tells that a cut between two frames may show one more or less at either end: players
	// differ, and the file's own decode decides.
	Loose bool
	// Cut tells that some of the end is missing: nobody can say how much.
	Cut bool
	// Fields tells that the file's pictures are of two times.
	Fields bool
	// Stream and Listen are the good picture's and the good sound's, as ffmpeg names them: v:0 and a:0
	// where empty.
	Stream, Listen string
}

// A Sound is what is heard, in content time.
type Sound struct {
	From, To float64
	// Late is how much later than the picture of the same content it is heard.
	Late float64
	// Through tells that the sound knows nothing of the picture's steps.
	Through bool
}

// Variable tells whether frames come unevenly.
func (t *Truth) Variable() bool {
	last := len(t.Numbers) - 1
	return len(t.Steps) > 0 || last > 0 && t.Numbers[last]-t.Numbers[0] != last
}

// Times are when each frame is shown, in seconds from the first.
func (t *Truth) Times() []float64 {
	times := make([]float64, len(t.Numbers))
	step := 0.0
	for i, n := range t.Numbers {
		step += t.Steps[n]
		times[i] = float64(n-t.Numbers[0])/t.Rate.FPS() + step
	}
	return times
}
