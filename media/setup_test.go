package media

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-media-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sources.dir = dir
	leaks := goleak.Find
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// sources are made once for all tests, each when it is first asked for.
var sources = &library{made: map[string]func() error{}}

type library struct {
	dir  string
	mu   sync.Mutex
	made map[string]func() error
}

// make gives the path of a file that ffmpeg's arguments make.
func (l *library) make(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(l.dir, name)
	l.mu.Lock()
	once := l.made[name]
	if once == nil {
		once = sync.OnceValue(func() error {
			// Detached: a source outlives the test that asked for it first.
			return ffmpeg(context.WithoutCancel(t.Context()), append(args, path)...)
		})
		l.made[name] = once
	}
	l.mu.Unlock()
	require.NoError(t, once(), "run: apt-get install ffmpeg")
	return path
}

func ffmpeg(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "ffmpeg", append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// picture and sound are ffmpeg's own test sources. The picture changes in every frame.
func picture(size, rate string, seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=s=%s:r=%s:d=%g", size, rate, seconds)}
}

func sound(hertz int, seconds float64) []string {
	return []string{"-f", "lavfi", "-i", fmt.Sprintf("sine=f=%d:d=%g", hertz, seconds)}
}

func join(lists ...[]string) (all []string) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func words(s string) []string { return strings.Fields(s) }

const (
	small = "160x90"
	x264  = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p "
	bs    = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 "
)

// A shape is a kind of source and what has to be true of it.
type shape struct {
	name      string
	args      []string
	frames    int64
	reencoded string
	of        string // made from another shape
	bothWays  bool   // also by a transcoder that keeps the source's time
	fps       string // for the transcoder, when it is not the source's
}

func shapes() []shape {
	av := func(rate string, seconds float64) []string {
		return join(picture(small, rate, seconds), sound(440, seconds))
	}
	return []shape{
		{name: "plain.mp4", bothWays: true, args: join(av("30", 6), words(x264+"-g 60 -c:a aac")), frames: 180},
		{name: "bframes.mp4", bothWays: true, args: join(av("30", 6), words(bs+"-g 60 -c:a aac")), frames: 180},
		{name: "plain.ts", args: join(av("25", 4), words(bs+"-g 50 -c:a mp2")), frames: 100},
		{name: "late.ts", args: join(av("25", 4), words(bs+"-g 50 -c:a aac -output_ts_offset 3600")), frames: 100},
		{name: "plain.mkv", args: join(av("30", 4), words(bs+"-g 60 -c:a libopus")), frames: 120},
		{name: "plain.mov", args: join(av("24000/1001", 4), words(x264+"-g 48 -c:a pcm_s16le")), frames: 96},
		{name: "ntsc.mp4", bothWays: true, args: join(av("30000/1001", 4), words(bs+"-g 60 -c:a aac")), frames: 120},
		{name: "short_gop.mp4", bothWays: true, args: join(av("30", 3), words(bs+"-g 6 -c:a aac")), frames: 90},
		{name: "long_gop.mp4", args: join(av("10", 22), words(bs+"-g 100 -c:a aac")), frames: 220},
		{name: "one_gop.mp4", args: join(av("30", 1), words(bs+"-g 60 -c:a aac")), frames: 30},
		{name: "one_frame.mp4", args: join(av("25", 0.04), words(x264+"-c:a aac")), frames: 1},
		{name: "slow.mp4", args: join(av("2", 6), words(bs+"-g 4 -c:a aac")), frames: 12},
		{name: "fast.mp4", args: join(av("60", 2), words(bs+"-g 60 -c:a aac")), frames: 120, fps: "30"},
		{name: "up.mp4", args: join(av("25", 3), words(bs+"-g 50 -c:a aac")), frames: 75, fps: "30"},
		{name: "silent.mp4", args: join(picture(small, "30", 2), words(bs+"-g 30")), frames: 60},
		{name: "vfr.mp4", bothWays: true, args: join(av("30", 4), words(bs+"-g 60 -c:a aac -vf select='not(mod(n\\,3))+lt(n\\,60)' -fps_mode vfr -enc_time_base -1")), frames: 80},
		{name: "odd.mp4", args: join(picture("161x91", "30", 2), words("-c:v libx264 -pix_fmt yuv444p -g 30")), frames: 60},
		{name: "mpeg2.ts", args: join(av("25", 3), words("-c:v mpeg2video -bf 0 -g 25 -c:a mp2")), frames: 75},
		{name: "hevc.mp4", args: join(av("30", 3), words("-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=error:open-gop=0:keyint=30:bframes=0 -c:a aac")), frames: 90},
		{name: "hevc_open.mkv", args: join(av("30", 3), words("-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=error:open-gop=1:keyint=30:bframes=3 -c:a aac")), frames: 90, reencoded: ReencodeOpenGOP},
		{name: "open_gop.mp4", args: join(av("30", 3), words(bs+"-x264-params open-gop=1:keyint=30:scenecut=0:bframes=3 -c:a aac")), frames: 90, reencoded: ReencodeOpenGOP},
		{name: "rotated.mp4", of: "plain.mp4", args: words("-c copy -metadata:s:v rotate=90"), frames: 180, reencoded: ReencodeRotated},
		{name: "false_keys.mp4", args: join(picture(small, "30", 1.5), []string{"-f", "lavfi", "-i", "smptebars=s=160x90:r=30:d=2.5"},
			words("-filter_complex [0][1]concat -c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=120:min-keyint=60:scenecut=40")),
			frames: 120, reencoded: ReencodeFalseKeys},
		{name: "late_audio.mkv", args: join(picture(small, "30", 3), []string{"-itsoffset", "0.7"}, sound(440, 2), words(bs+"-g 60 -c:a aac")), frames: 90},
		{name: "-x:y|z'.mp4", args: join(av("30", 2), words(x264+"-g 30 -c:a aac -f mp4")), frames: 60},
	}
}

func (s shape) make(t testing.TB) string {
	t.Helper()
	args := s.args
	for _, other := range shapes() {
		if other.name == s.of {
			args = append([]string{"-i", other.make(t)}, args...)
		}
	}
	return sources.make(t, s.name, args...)
}

// mist does to a prepared file what MistProcLivepeer, a Broadcaster and a push do: it cuts at
// keyframes at least 1 s after the last cut, never sends what follows the last cut, loses the two
// segments in flight, transcodes each segment alone, starts each answer at its segment's time
// (unless raw: then it keeps the transcoder's, which is the source's), and stops at the first packet behind recstop.
func mist(t *testing.T, prep Prepared, filter string, raw bool) string {
	t.Helper()
	const cutMS, inFlight = 1000, 2
	data, err := os.ReadFile(prep.Path)
	require.NoError(t, err)
	var cuts []frame
	demux := &demuxer{each: func(f frame, _ []byte) {
		if f.key && (len(cuts) == 0 || f.dts/ticksPerMS-cuts[len(cuts)-1].dts/ticksPerMS >= cutMS) {
			cuts = append(cuts, f)
		}
	}}
	_, err = demux.Write(data)
	require.NoError(t, err)
	require.Greater(t, len(cuts), inFlight+1)

	bFrames := "2"
	if raw {
		bFrames = "0"
	}
	dir := t.TempDir()
	var pushed []byte
	count := counters{}
	for i := range len(cuts) - 1 - inFlight {
		in, out := filepath.Join(dir, strconv.Itoa(i)+".in.ts"), filepath.Join(dir, strconv.Itoa(i)+".out.ts")
		segment := append(append([]byte{}, data[:cuts[0].pos]...), data[cuts[i].pos:cuts[i+1].pos]...)
		require.NoError(t, os.WriteFile(in, segment, 0o600))
		require.NoError(t, ffmpeg(t.Context(), "-copyts", "-i", in, "-vf", filter, "-fps_mode", "passthrough", "-enc_time_base", "-1",
			"-c:v", "libx264", "-preset", "ultrafast", "-bf", bFrames, "-muxdelay", "0", "-muxpreload", "0",
			"-avoid_negative_ts", "disabled", "-f", "mpegts", out))
		answer, err := os.ReadFile(out)
		require.NoError(t, err)
		var later *int64
		var stop bool
		reader := &demuxer{each: func(f frame, _ []byte) {
			if later == nil {
				ticks := cuts[i].dts/ticksPerMS*ticksPerMS - f.dts
				if raw {
					ticks = 0
				}
				later = &ticks
			}
			stop = stop || (f.dts+*later)/ticksPerMS > prep.StopMS
		}}
		for ; len(answer) >= tsPacket && !stop; answer = answer[tsPacket:] {
			packet := answer[:tsPacket]
			_, err := reader.Write(packet)
			require.NoError(t, err)
			if stop {
				break
			}
			if later != nil {
				shift(packet, *later+tsWrap)
			}
			count.number(packet)
			pushed = append(pushed, packet...)
		}
	}
	path := filepath.Join(dir, "pushed.ts")
	require.NoError(t, os.WriteFile(path, pushed, 0o600))
	return path
}
