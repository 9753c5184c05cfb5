package mist

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReturnedSize: what a real Broadcaster (go-livepeer 176aa415) returned.
func TestReturnedSize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, profile, want Size }{
		{Size{1280, 720}, Size{640, 352}, Size{640, 360}},
		{Size{1280, 720}, Size{848, 480}, Size{848, 478}},
		{Size{1280, 720}, Size{352, 640}, Size{640, 360}},
		{Size{1280, 720}, Size{96, 48}, Size{146, 82}},
		{Size{720, 1280}, Size{640, 352}, Size{360, 640}},
		{Size{720, 1280}, Size{256, 144}, Size{146, 260}},
		{Size{640, 480}, Size{640, 352}, Size{640, 480}},
		{Size{640, 480}, Size{1280, 720}, Size{1280, 960}},
		{Size{1998, 1080}, Size{1280, 720}, Size{1280, 692}},
		{Size{1920, 1080}, Size{1920, 1072}, Size{1920, 1080}},
		{Size{320, 180}, Size{5000, 5000}, Size{4096, 2304}},
		// Too wide and too tall for the least height and the least width.
		{Size{1920, 100}, Size{640, 352}, Size{960, 50}},
		{Size{100, 1920}, Size{640, 352}, Size{146, 2804}},
	} {
		require.Equal(t, test.want, ReturnedSize(test.source, test.profile), "%v of %v", test.profile, test.source)
	}
}

func TestPlanSize(t *testing.T) {
	t.Parallel()
	hd, upright, old := Size{1280, 720}, Size{720, 1280}, Size{640, 480}
	for _, test := range []struct {
		source, box Size
		ask, got    Size
		why         string
	}{
		{hd, Size{640, 360}, Size{640, 352}, Size{640, 360}, ""},
		{hd, Size{1280, 720}, Size{1280, 720}, Size{1280, 720}, ""},
		{hd, Size{1920, 1080}, Size{1920, 1072}, Size{1920, 1080}, ""},
		{hd, Size{854, 480}, Size{848, 464}, Size{848, 478}, "stepped"},
		{hd, Size{641, 361}, Size{640, 352}, Size{640, 360}, "stepped"},
		{hd, Size{360, 640}, Size{640, 352}, Size{640, 360}, "turned"},
		{hd, Size{640, 640}, Size{640, 352}, Size{640, 360}, "aspect"},
		{hd, Size{640, 300}, Size{528, 288}, Size{528, 298}, "aspect stepped"},
		{hd, Size{96, 48}, Size{144, 80}, Size{146, 82}, "aspect clamped"},
		{hd, Size{96, 54}, Size{144, 80}, Size{146, 82}, "clamped"},
		{hd, Size{1, 1}, Size{144, 80}, Size{146, 82}, "clamped"},
		{hd, Size{4096, 2304}, Size{4096, 2304}, Size{4096, 2304}, ""},
		{hd, Size{7680, 4320}, Size{4096, 2304}, Size{4096, 2304}, "clamped"},
		{hd, Size{5000, 5000}, Size{4096, 2304}, Size{4096, 2304}, "aspect clamped"},
		{old, Size{640, 360}, Size{480, 352}, Size{480, 360}, "aspect"},
		{upright, Size{640, 360}, Size{352, 640}, Size{360, 640}, "turned"},
		{upright, Size{360, 640}, Size{352, 640}, Size{360, 640}, ""},
		{upright, Size{96, 54}, Size{80, 144}, Size{146, 260}, "turned clamped"},
		{Size{1998, 1080}, hd, Size{1280, 688}, Size{1280, 692}, "aspect"},
		{Size{500, 500}, Size{640, 360}, Size{352, 352}, Size{352, 352}, "aspect stepped"},
		{Size{1920, 100}, Size{640, 360}, Size{144, 16}, Size{960, 50}, "aspect clamped"},
	} {
		p := PlanSize(test.source, test.box)
		require.Equal(t, []Size{test.ask, test.got}, []Size{p.Ask, p.Got}, "%v of %v", test.box, test.source)
		require.Equal(t, test.why, p.why(), "%v of %v", test.box, test.source)
	}
}

// why is the reasons by name.
func (p *SizePlan) why() string {
	text := ""
	for _, reason := range []struct {
		is   bool
		name string
	}{{p.Turned, " turned"}, {p.Aspect, " aspect"}, {p.Stepped, " stepped"}, {p.Clamped, " clamped"}} {
		if reason.is {
			text += reason.name
		}
	}
	return text[min(len(text), 1):]
}

// FuzzPlanSize: what is planned comes back, lies in the box, and nothing larger does.
func FuzzPlanSize(f *testing.F) {
	for _, source := range []Size{{1280, 720}, {720, 1280}, {640, 480}, {1998, 1080}, {1, 1}, {7, 9000}, {9000, 7}, {320, 180}} {
		for _, box := range []Size{{640, 360}, {854, 480}, {360, 640}, {1, 1}, {1, 9000}, {146, 146}, {160, 159}, {9000, 9000}, {640, 300}, {641, 361}} {
			f.Add(uint16(source.Width), uint16(source.Height), uint16(box.Width), uint16(box.Height))
		}
	}
	f.Fuzz(func(t *testing.T, sw, sh, bw, bh uint16) {
		source, box := Size{int(sw), int(sh)}, Size{int(bw), int(bh)}
		if min(source.shorter(), box.shorter()) < 1 {
			return
		}
		p := PlanSize(source, box)
		say := fmt.Sprintf("%v of %v: %+v", box, source, p)
		require.Equal(t, p.Got, ReturnedSize(source, p.Ask.Floored()), say)
		require.Equal(t, p.Ask, p.Ask.Floored(), say)
		require.Positive(t, p.Ask.shorter(), say)
		require.Zero(t, p.Got.Width%2+p.Got.Height%2, say)
		require.Contains(t, []Size{box, box.turned()}, p.Box, say)
		require.Equal(t, p.Turned, p.Box != box, say)
		require.False(t, p.Box.upright() && !source.upright() && source.Width != source.Height, say)
		require.True(t, p.Clamped || p.Got.within(p.Box), say)
		require.True(t, p.Got == box || p.Turned || p.Aspect || p.Stepped || p.Clamped, "%s", say+": no reason given")
		if larger := ReturnedSize(source, sided(source, p.Ask.longer()+sizeStep)); p.Got.within(p.Box) && p.Ask.longer() < maxSide {
			require.False(t, larger.within(p.Box), say)
		}
	})
}
