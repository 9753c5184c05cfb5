package pack

import (
	"fmt"
	"time"
)

const (
	// segmentDefault is a segment's length where none is asked for.
	segmentDefault = 10 * time.Second

	// tieTicks is by how much a cut must be nearer to be preferred to the one before it. Keyframes
	// of rungs with rates of their own lie some milliseconds apart, and they have to be cut alike.
	tieTicks = clock / 4
)

// plan cuts at the keyframes: each segment ends at the one nearest to the length that is asked for.
// Times are ticks from the zero. Names are made by index.
func (t *tracks) plan(length time.Duration, name string) []span {
	if length <= 0 {
		length = segmentDefault
	}
	target := int64(length.Seconds() * clock)
	zero := t.zero()
	var cuts []int64
	from := int64(0)
	for i, key := range t.keys {
		at := key - zero
		if i == 0 {
			continue // what is heard before the first picture belongs to its segment
		}
		next := t.shown - zero
		if i+1 < len(t.keys) {
			next = t.keys[i+1] - zero
		}
		if over, under := next-from-target, target-(at-from); under <= over+tieTicks {
			cuts = append(cuts, at)
			from = at
		}
	}
	spans := make([]span, len(cuts)+1)
	from = 0
	for i := range spans {
		to := t.end() - zero
		if i < len(cuts) {
			to = cuts[i]
		}
		spans[i] = span{from: from, to: to, name: fmt.Sprintf(name, i)}
		from = to
	}
	return spans
}
