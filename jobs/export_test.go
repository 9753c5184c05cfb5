package jobs

// For the tests of rows, which stand outside to share package jobstest.
const (
	MaxAttempts = maxAttempts
	LostMax     = lostMax
)

var FreeWait = freeWait
