// Package ladder makes the profiles of a request that brings none: the renditions that
// Studio's players have had of their sources so far, so that nothing changes for them.
package ladder

import (
	"strconv"

	"weir/jobs"
)

const (
	// quality is constant, as x264's CRF, below each bit rate.
	quality = 27
	// headroom is by how much a rendition may hold more bits than its share of the source's:
	// it is encoded once more.
	headroom = 1.2
	// mostBitrate is the highest of a rendition, in bits a second.
	mostBitrate = 288_000_000
	// lowBitrate is the least of a rung of its own below small sources, where they have more
	// than that; leastBitrate the least at all.
	lowBitrate, leastBitrate = 100_000, 5_000
)

// LongestName is the longest that a rung may have, for who has to know before the source
// is seen.
const LongestName = "low-bitrate"

// Source is what a ladder depends on.
type Source struct {
	// Width and Height as shown.
	Width, Height int
	// BitRate of the video, in bits a second.
	BitRate int64
}

// rungs are below every source that has more than they: more lines, and more bits.
func rungs() []jobs.Profile {
	return []jobs.Profile{
		{Name: "360p0", Width: 640, Height: 360, Bitrate: 1_000_000, Quality: quality},
		{Name: "720p0", Width: 1280, Height: 720, Bitrate: 4_000_000, Quality: quality},
	}
}

// Of is the default ladder of a source, lowest first; the last is of the source's own size.
// It is pure.
func Of(source Source) []jobs.Profile {
	bitrate := float64(min(source.BitRate, mostBitrate))
	area := float64(source.Width) * float64(source.Height)
	width, height := even(source.Width), even(source.Height)
	var profiles []jobs.Profile
	for _, p := range rungs() {
		if p.Height >= source.Height || p.Bitrate >= source.BitRate {
			continue
		}
		share := headroom * float64(p.Width*p.Height) * (bitrate / area)
		p.Bitrate = int64(min(share, float64(p.Bitrate)))
		profiles = append(profiles, p)
	}
	if len(profiles) == 0 {
		profiles = append(profiles, jobs.Profile{
			Name: LongestName, Width: width, Height: height, Bitrate: low(source.BitRate), Quality: quality,
		})
	}
	return append(profiles, jobs.Profile{
		Name: strconv.Itoa(height) + "p0", Width: width, Height: height,
		Bitrate: int64(min(headroom*bitrate, mostBitrate)), Quality: quality,
	})
}

// low is half of a source's bits, within its bounds.
func low(bitrate int64) int64 {
	half := bitrate / 2 //nolint:mnd // half
	switch {
	case half < lowBitrate && bitrate > lowBitrate:
		return lowBitrate
	case half < leastBitrate:
		return leastBitrate
	}
	return half
}

func even(side int) int { return side + side&1 }
