package evidence_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/test/media/evidence"
	"weir/test/media/footage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// name is the case that the tests spoil: 16:9, 30 a second, with B-frames and sound.
const name = "plain_30.mp4"

func source(t *testing.T) (path string, want *evidence.Want) {
	t.Helper()
	for _, c := range footage.Cases() {
		if c.Name != name {
			continue
		}
		path, err := c.Make(t.Context(), t.TempDir())
		require.NoError(t, err)
		want, err := evidence.Expect(t.Context(), path, &c)
		require.NoError(t, err)
		want.Width, want.Height = 320, 240
		return path, want
	}
	require.FailNow(t, "there is no "+name)
	return "", nil
}

// rendition is the source as a careless transcoder would leave it.
func rendition(t *testing.T, source, args string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.ts")
	all := append([]string{"-nostdin", "-loglevel", "error", "-i", source}, strings.Fields(args)...)
	said, err := exec.CommandContext(t.Context(), "ffmpeg", append(all, out)...).CombinedOutput()
	require.NoError(t, err, string(said))
	return out
}

const encode = " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -fps_mode passthrough -enc_time_base 1/90000 "

// Whatever can be wrong with a rendition is seen, and nothing else.
func TestJudge(t *testing.T) {
	t.Parallel()
	path, want := source(t)
	for what, tc := range map[string]struct {
		args    string
		fps     float64
		problem string // empty: none
	}{
		"as it is":              {args: "-c copy"},
		"encoded":               {args: encode},
		"smaller":               {args: "-s 160x90 -b:v 60k" + encode},
		"at half the rate":      {args: "-r 15 -c:v libx264 -c:a aac", fps: 15},
		"at more than the rate": {args: "-r 50 -c:v libx264 -c:a aac", fps: 50},
		"a frame lost":          {args: "-vf select='not(eq(n,70))'" + encode, problem: "missing 1 ([70])"},
		"a frame twice":         {args: "-vf loop=loop=1:size=1:start=40" + encode, problem: "twice 1 ([39])"},
		"the end lost":          {args: "-frames:v 100" + encode, problem: "100 frames of 120"},
		"frames moved":          {args: "-vf setpts='PTS+0.002/TB*gte(N,60)'" + encode, problem: "2.0 ms off"},
		"out of order":          {args: "-vf shuffleframes=1|0" + encode, problem: "out of order"},
		"no pictures":           {args: "-vf drawbox=t=fill" + encode, problem: "unreadable 120"},
		"two in one":            {args: "-vf tmix=2" + encode, problem: "unreadable"},
		"upside down":           {args: "-vf vflip" + encode, problem: "missing"},
		"another shape":         {args: "-vf scale=240:180,setsar=1" + encode, problem: "aspect 1.333"},
		"pixels not square":     {args: "-aspect 16:9 -s 240x180" + encode, problem: "not square"},
		"too large":             {args: "-s 640x360" + encode, problem: "640x360 does not lie in 320x240"},
		"more colour":           {args: strings.Replace(encode, "yuv420p", "yuv444p", 1), problem: "yuv444p"},
		"interlaced":            {args: "-flags +ilme+ildct -x264opts tff=1" + encode, problem: "interlaced"},
		"silent":                {args: "-an" + encode, problem: "no sound"},
		"sound late":            {args: "-af adelay=30" + encode, problem: "sound is up to +3"},
		"sound early":           {args: "-af atrim=start=0.03,asetpts=PTS-STARTPTS" + encode, problem: "sound is up to -3"},
		"sound drifts":          {args: "-af asetrate=48480,aresample=48000" + encode, problem: "sound is up to -"},
		"sound breaks off":      {args: "-af atrim=end=2.2" + encode, problem: "beeps are not heard: [5 6 7]"},
		"another sound":         {args: "-af asetrate=53000,aresample=48000,atempo=0.9057" + encode, problem: "beeps are not heard"},
		"half rate, late":       {args: "-vf setpts='PTS+0.1/TB*gte(N,60)',fps=15 -c:v libx264 -c:a aac", fps: 15, problem: "not what the source shows then"},
		"half rate, stands":     {args: "-vf fps=15,select='lt(mod(n,30),25)' -fps_mode passthrough -c:v libx264 -c:a aac", fps: 15, problem: "from one frame to the next"},
		"half rate, short":      {args: "-r 15 -frames:v 50 -c:v libx264 -c:a aac", fps: 15, problem: "it lasts -"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out := rendition(t, path, tc.args)
			picture, err := evidence.Look(t.Context(), out, "v:0")
			require.NoError(t, err)
			sound, err := evidence.Listen(t.Context(), out, "a:0")
			require.NoError(t, err)
			w := *want
			w.FPS = tc.fps
			result := evidence.Judge(picture, sound, &w)
			if tc.problem == "" {
				require.Empty(t, result.Problems)
				require.Positive(t, result.Beeps)
				return
			}
			require.Contains(t, strings.Join(result.Problems, "; "), tc.problem)
		})
	}
}

// Sound where there should be none is seen too.
func TestJudgeUnwantedSound(t *testing.T) {
	t.Parallel()
	path, want := source(t)
	want.Sound = nil
	picture, err := evidence.Look(t.Context(), path, "v:0")
	require.NoError(t, err)
	sound, err := evidence.Listen(t.Context(), path, "a:0")
	require.NoError(t, err)
	require.Equal(t, []string{"sound, where the source has none"}, evidence.Judge(picture, sound, want).Problems)
}

// Files that nobody numbered are compared by what they look and sound like.
func TestCompare(t *testing.T) {
	t.Parallel()
	path, _ := source(t)
	source, err := evidence.Look(t.Context(), path, "v:0")
	require.NoError(t, err)
	sourceSound, err := evidence.Listen(t.Context(), path, "a:0")
	require.NoError(t, err)
	for what, tc := range map[string]struct {
		args    string
		frames  int
		problem string
	}{
		"encoded":       {args: encode},
		"smaller":       {args: "-s 160x90 -b:v 60k" + encode},
		"a frame lost":  {args: "-vf select='not(eq(n,70))'" + encode, problem: "119 frames of 120"},
		"another count": {args: encode, frames: 121, problem: "120 frames of 121"},
		"frames moved":  {args: "-vf setpts='PTS+0.005/TB*gte(N,60)'" + encode, problem: "ms off"},
		"shuffled":      {args: "-vf shuffleframes=1|0" + encode, problem: "120 frames look like others"},
		"another shape": {args: "-vf scale=240:180,setsar=1" + encode, problem: "aspect 1.333"},
		"silent":        {args: "-an" + encode, problem: "no sound"},
		"sound late":    {args: "-af adelay=40" + encode, problem: "sound is up to +4"},
		"sound drifts":  {args: "-af asetrate=48960,aresample=48000" + encode, problem: "sound is up to -"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out := rendition(t, path, tc.args)
			got, err := evidence.Look(t.Context(), out, "v:0")
			require.NoError(t, err)
			sound, err := evidence.Listen(t.Context(), out, "a:0")
			require.NoError(t, err)
			result := evidence.Compare(source, got, sourceSound, sound, evidence.Wanted{Frames: tc.frames, Aspect: source.Aspect})
			if tc.problem == "" {
				require.Empty(t, result.Problems, fmt.Sprint(result))
				return
			}
			require.Contains(t, strings.Join(result.Problems, "; "), tc.problem)
		})
	}
}

// Combs are seen where two fields of a frame are of two times.
func TestCombed(t *testing.T) {
	t.Parallel()
	for file, least := range map[string]bool{"interlaced_tff.mp4": true, "interlaced_bff.mp4": true, name: false} {
		for _, c := range footage.Cases() {
			if c.Name != file {
				continue
			}
			path, err := c.Make(t.Context(), t.TempDir())
			require.NoError(t, err)
			combed, err := evidence.Combed(t.Context(), path)
			require.NoError(t, err)
			require.Equal(t, least, combed > evidence.CombedMost, "%s: %.2f", file, combed)
		}
	}
}

// A picture that changes its size is seen.
func TestJudgeSizeChange(t *testing.T) {
	t.Parallel()
	for _, c := range footage.Cases() {
		if c.Name != "size_grows.ts" {
			continue
		}
		path, err := c.Make(t.Context(), t.TempDir())
		require.NoError(t, err)
		want, err := evidence.Expect(t.Context(), path, &c)
		require.NoError(t, err)
		picture, err := evidence.Look(t.Context(), path, "v:0")
		require.NoError(t, err)
		sound, err := evidence.Listen(t.Context(), path, "a:0")
		require.NoError(t, err)
		require.Equal(t, []string{"the picture changes its size"}, evidence.Judge(picture, sound, want).Problems)
	}
}

// A source whose times jump says nothing of its frames'.
func TestCompareJump(t *testing.T) {
	t.Parallel()
	path, _ := source(t)
	got, err := evidence.Look(t.Context(), path, "v:0")
	require.NoError(t, err)
	for _, jump := range []float64{-1, 31} {
		jumps := *got
		jumps.Frames = slices.Clone(got.Frames)
		for i := range jumps.Frames[60:] {
			jumps.Frames[60+i].At += jump
		}
		require.Empty(t, evidence.Compare(&jumps, got, nil, nil, evidence.Wanted{Aspect: got.Aspect}).Problems)
		require.NotEmpty(t, evidence.Compare(&jumps, got, nil, nil, evidence.Wanted{Aspect: got.Aspect, Frames: 121}).Problems)
	}
}
