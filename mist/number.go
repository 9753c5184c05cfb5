package mist

import (
	"math"
	"strconv"
)

// number reads Mist's numbers: they may be null, and unsigned ones underflow
// beyond int64. What is no number counts as 0, what is too large as the limit.
type number int64

func (n *number) UnmarshalJSON(b []byte) error {
	if v, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*n = number(v)
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	switch {
	case err != nil && f == 0:
		*n = 0
	case f >= math.MaxInt64:
		*n = math.MaxInt64
	case f <= math.MinInt64:
		*n = math.MinInt64
	default:
		*n = number(f)
	}
	return nil
}
