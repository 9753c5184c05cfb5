package host

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/media"
	"weir/mist"
)

func TestSizeWarnings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source, box [2]int
		code, text  string
	}{
		{[2]int{1280, 720}, [2]int{640, 360}, "", ""},
		{[2]int{1280, 720}, [2]int{854, 480}, WarningSizeStep, "asked for 854x480, it is 848x478: its longer side has to be a multiple of 16"},
		{[2]int{640, 480}, [2]int{640, 360}, WarningSizeAspect, "asked for 640x360, it is 480x360: it keeps the source's aspect"},
		{[2]int{720, 1280}, [2]int{640, 360}, WarningSizeTurned, "asked for 640x360, it is 360x640: it lies as the source does"},
		{[2]int{720, 1280}, [2]int{700, 576}, WarningSizeTurned, "asked for 700x576, it is 388x688: it lies as the source does, it keeps the source's aspect, its longer side has to be a multiple of 16"},
		{[2]int{1280, 720}, [2]int{96, 54}, WarningSizeClamped, "asked for 96x54, it is 146x82: Broadcasters make pictures of 146x50 to 4096x4096"},
	} {
		r := dbsqlc.Rendition{Name: "r", Width: int32(test.box[0]), Height: int32(test.box[1])}
		prepared := media.Prepared{Width: test.source[0], Height: test.source[1]}
		want := []jobs.Warning{}
		if test.code != "" {
			want = append(want, jobs.Warning{Code: test.code, Text: test.text, Rendition: "r"})
		}
		require.Equal(t, want, (&Host{Engine: &mist.Engine{}}).warningsOf([]dbsqlc.Rendition{r}, &prepared), "%v of %v", test.box, test.source)
	}
}

func TestGOPWarnings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		gop      string
		fps, den int32
		void     bool
	}{
		{"", 0, 0, false},
		{"0.0", 0, 0, false},
		{"intra", 0, 0, false},
		{"2.0", 0, 0, false},
		{"2.0", 25, 0, false},
		{"2.0", 50, 1, false},
		{"2.0", 22500, 1001, true},
		{"", 22500, 1001, false},
	} {
		prepared := media.Prepared{ClockFPS: 25, Rate: media.Rate{Num: 25, Den: 1}}
		require.Equal(t, test.void, gopVoid(&dbsqlc.Rendition{GOP: test.gop, FPS: test.fps, FPSDen: test.den}, &prepared), "%+v", test)
	}
}

func TestWarningsAreDocumented(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/api.md")
	require.NoError(t, err)
	for _, code := range []string{WarningSizeClamped, WarningSizeTurned, WarningSizeAspect, WarningSizeStep, WarningGOPVoid, WarningQuality, media.WarningUndecodable,
		media.WarningHDR, media.WarningConstant, media.WarningResized, media.WarningJoined} {
		require.Contains(t, string(guide), "| `"+code+"` |")
	}
}
