package ladder_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/ladder"
)

// TestOf: the ladder of sources of every kind, by the figures of the service that Studio
// had before.
func TestOf(t *testing.T) {
	t.Parallel()
	rung := func(name string, width, height int, bitrate int64) jobs.Profile {
		return jobs.Profile{Name: name, Width: width, Height: height, Bitrate: bitrate, Quality: 27}
	}
	for name, test := range map[string]struct {
		source ladder.Source
		want   []jobs.Profile
	}{
		"1080p": {ladder.Source{Width: 1920, Height: 1080, BitRate: 10_000_000}, []jobs.Profile{
			rung("360p0", 640, 360, 1_000_000), rung("720p0", 1280, 720, 4_000_000), rung("1080p0", 1920, 1080, 12_000_000),
		}},
		"capped by the area's share": {ladder.Source{Width: 1920, Height: 1080, BitRate: 5_000_000}, []jobs.Profile{
			rung("360p0", 640, 360, 666_666), rung("720p0", 1280, 720, 2_666_666), rung("1080p0", 1920, 1080, 6_000_000),
		}},
		"too few bits for 720p": {ladder.Source{Width: 1920, Height: 1080, BitRate: 4_000_000}, []jobs.Profile{
			rung("360p0", 640, 360, 533_333), rung("1080p0", 1920, 1080, 4_800_000),
		}},
		"720p itself": {ladder.Source{Width: 1280, Height: 720, BitRate: 5_000_000}, []jobs.Profile{
			rung("360p0", 640, 360, 1_000_000), rung("720p0", 1280, 720, 6_000_000),
		}},
		"as low as 360p": {ladder.Source{Width: 640, Height: 360, BitRate: 900_001}, []jobs.Profile{
			rung("low-bitrate", 640, 360, 450_000), rung("360p0", 640, 360, 1_080_001),
		}},
		"large and with few bits": {ladder.Source{Width: 1920, Height: 1080, BitRate: 1_000_000}, []jobs.Profile{
			rung("low-bitrate", 1920, 1080, 500_000), rung("1080p0", 1920, 1080, 1_200_000),
		}},
		"half is below the least":    {ladder.Source{Width: 320, Height: 240, BitRate: 120_000}, []jobs.Profile{rung("low-bitrate", 320, 240, 100_000), rung("240p0", 320, 240, 144_000)}},
		"below the least":            {ladder.Source{Width: 320, Height: 240, BitRate: 100_000}, []jobs.Profile{rung("low-bitrate", 320, 240, 50_000), rung("240p0", 320, 240, 120_000)}},
		"hardly a bit":               {ladder.Source{Width: 320, Height: 240, BitRate: 2_000}, []jobs.Profile{rung("low-bitrate", 320, 240, 5_000), rung("240p0", 320, 240, 2_400)}},
		"odd sides":                  {ladder.Source{Width: 641, Height: 361, BitRate: 500_000}, []jobs.Profile{rung("low-bitrate", 642, 362, 250_000), rung("362p0", 642, 362, 600_000)}},
		"upright":                    {ladder.Source{Width: 720, Height: 1280, BitRate: 6_000_000}, []jobs.Profile{rung("360p0", 640, 360, 1_000_000), rung("720p0", 1280, 720, 4_000_000), rung("1280p0", 720, 1280, 7_200_000)}},
		"more bits than are allowed": {ladder.Source{Width: 3840, Height: 2160, BitRate: 400_000_000}, []jobs.Profile{rung("360p0", 640, 360, 1_000_000), rung("720p0", 1280, 720, 4_000_000), rung("2160p0", 3840, 2160, 288_000_000)}},
	} {
		require.Equal(t, test.want, ladder.Of(test.source), name)
	}
}

// TestLongestName: no rung of a source that can be has a longer one, two have the same, or
// one that is no name.
func TestLongestName(t *testing.T) {
	t.Parallel()
	for height := 1; height <= 8192; height++ {
		names := map[string]bool{}
		for _, p := range ladder.Of(ladder.Source{Width: 2 * height, Height: height, BitRate: int64(height) * 2000}) {
			require.LessOrEqual(t, len(p.Name), len(ladder.LongestName))
			require.False(t, names[p.Name], p.Name)
			names[p.Name] = true
			require.Positive(t, p.Bitrate)
		}
	}
}
