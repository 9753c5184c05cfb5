package media

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Segments begin on whole seconds of the clock, where every whole rate has a place, as long as there
// is room.
func TestSegmentsBeginOnSeconds(t *testing.T) {
	t.Parallel()
	for _, fps := range clockRates {
		for _, frames := range []int64{1, 7, 30, 301} {
			c := &clock{fps: fps, delay: 2, ticks: make([]int64, frames)}
			for first := int64(0); first < frames; first += 13 {
				c.begin(first, 13)
			}
			for k, s := range c.segments {
				require.Zero(t, s.start%tsClock, "segment %d at %d a second", k, fps)
			}
			require.GreaterOrEqual(t, c.dts(0), int64(0))
		}
	}
}
