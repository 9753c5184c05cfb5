package devstack

import "time"

const (
	// pauseTimes is how many times longer than its look who polls waits: looking takes a tenth.
	pauseTimes = 9
	// pauseMost is enough for the dearest look, and keeps one that hung from delaying the next.
	pauseMost = time.Second
)

// Pause is how long to wait after a look that took so long: the least, or more where a look is
// dear, so that it does not slow down what it waits for.
func Pause(least, took time.Duration) time.Duration {
	return max(least, min(pauseTimes*took, pauseMost))
}
