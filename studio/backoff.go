package studio

import "time"

// GiveUpAfter is how long an undelivered callback is tried again: a receiver that
// is down over night, and is mended in the morning, still hears of it.
const GiveUpAfter = 24 * time.Hour

const (
	// backoffMin: a receiver that restarts is back within seconds.
	backoffMin = time.Second
	// backoffMax: one that comes back after hours hears within the hour.
	backoffMax = time.Hour
)

// Backoff is the wait before the next attempt after n that failed (n from 1): it
// doubles from 1 s to 1 h and is made up to half shorter by random, a number from
// 0 to 1, so that what failed together does not come again together.
func Backoff(n int, random float64) time.Duration {
	wait := backoffMin
	for i := 1; i < n && wait < backoffMax; i++ {
		wait *= 2
	}
	wait = min(wait, backoffMax)
	return max(wait-time.Duration(float64(wait)/2*random), backoffMin)
}
