package broadcaster_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
)

// TestSize: what a real one returned; profiles as Mist floored them.
func TestSize(t *testing.T) {
	t.Parallel()
	type wh = [2]int
	cases := []struct{ source, profile, want wh }{
		{wh{1280, 720}, wh{640, 352}, wh{640, 360}},
		{wh{1280, 720}, wh{848, 480}, wh{848, 478}},
		{wh{1280, 720}, wh{352, 640}, wh{640, 360}},
		{wh{1280, 720}, wh{96, 48}, wh{146, 82}},
		{wh{720, 1280}, wh{640, 352}, wh{360, 640}},
		{wh{720, 1280}, wh{256, 144}, wh{146, 260}},
		{wh{640, 480}, wh{640, 352}, wh{640, 480}},
		{wh{640, 480}, wh{1280, 720}, wh{1280, 960}},
		{wh{1998, 1080}, wh{1280, 720}, wh{1280, 692}},
		{wh{1920, 1080}, wh{1920, 1072}, wh{1920, 1080}},
		{wh{320, 180}, wh{5000, 5000}, wh{4096, 2304}},
		{wh{1280, 100}, wh{160, 96}, wh{640, 50}}, // so flat that its height decides
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.source, c.profile), func(t *testing.T) {
			t.Parallel()
			w, h := broadcaster.Size(c.source[0], c.source[1], c.profile[0], c.profile[1])
			require.Equal(t, c.want, wh{w, h})
		})
	}
}

// TestSizeOfRendition: the formula holds for what is encoded, of the size that was
// decoded, whatever Content-Resolution says; pixels come back square.
func TestSizeOfRendition(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		size, more    string
		width, height int
	}{
		"wide":            {"320x180", "", 160, 90},
		"portrait":        {"180x320", "", 146, 260},
		"4:3":             {"160x120", "", 160, 120},
		"4:3, anamorphic": {"320x180", " -vf setsar=3/4", 160, 90},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			got := b.one(t, segment(t, picture(c.size, "30", 10)+c.more+h264, 1000), nil).codec
			require.Equal(t, [2]int{c.width, c.height}, [2]int{got.Width, got.Height})
			require.Equal(t, c.height, got.DisplayHeight(), "square pixels")
		})
	}
}
