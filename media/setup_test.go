package media

import (
	"context"
	"fmt"
	"io"
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

// pictures and sound are ffmpeg's own test sources. The picture changes in every frame.
func pictures(size, rate string, seconds float64) []string {
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
	of        string  // made from another shape
	fps       float64 // the profile's, when it is not the source's
	variable  bool
}

func shapes() []shape {
	av := func(rate string, seconds float64) []string {
		return join(pictures(small, rate, seconds), sound(440, seconds))
	}
	vfr := "-vf select='not(mod(n\\,3))+lt(n\\,60)' -fps_mode vfr -enc_time_base -1"
	return []shape{
		{name: "plain.mp4", args: join(av("30", 6), words(x264+"-g 60 -c:a aac")), frames: 180},
		{name: "bframes.mp4", args: join(av("30", 6), words(bs+"-g 60 -c:a aac")), frames: 180},
		{name: "plain.ts", args: join(av("25", 4), words(bs+"-g 50 -c:a mp2")), frames: 100},
		{name: "late.ts", args: join(av("25", 4), words(bs+"-g 50 -c:a aac -output_ts_offset 3600")), frames: 100},
		{name: "plain.mkv", args: join(av("30", 4), words(bs+"-g 60 -c:a libopus")), frames: 120},
		{name: "plain.mov", args: join(av("24000/1001", 4), words(x264+"-g 48 -c:a pcm_s16le")), frames: 96},
		{name: "ntsc.mp4", args: join(av("30000/1001", 4), words(bs+"-g 60 -c:a aac")), frames: 120},
		{name: "short_gop.mp4", args: join(av("30", 3), words(bs+"-g 6 -c:a aac")), frames: 90},
		{name: "all_keys.mp4", args: join(av("30", 3), words(x264+"-g 1 -c:a aac")), frames: 90},
		{name: "long_gop.mp4", args: join(av("10", 12), words(bs+"-g 100 -c:a aac")), frames: 120},
		{name: "one_gop.mp4", args: join(av("30", 1), words(bs+"-g 60 -c:a aac")), frames: 30},
		{name: "one_frame.mp4", args: join(av("25", 0.04), words(x264+"-c:a aac")), frames: 1},
		{name: "slow.mp4", args: join(av("2", 6), words(bs+"-g 4 -c:a aac")), frames: 12},
		{name: "a_frame_in_two_seconds.mp4", args: join(pictures(small, "1/2", 40), words(x264+"-g 5")), frames: 20},
		{name: "fast.mp4", args: join(av("60", 2), words(bs+"-g 60 -c:a aac")), frames: 120, fps: 30},
		{name: "up.mp4", args: join(av("25", 3), words(bs+"-g 50 -c:a aac")), frames: 75, fps: 30},
		{name: "odd_rate.mp4", args: join(av("12.5", 4), words(bs+"-g 25 -c:a aac")), frames: 50, fps: 25},
		{name: "slow_motion.mp4", args: join(av("240", 1), words(x264+"-g 120 -c:a aac")), frames: 240},
		{name: "silent.mp4", args: join(pictures(small, "30", 2), words(bs+"-g 30")), frames: 60},
		{name: "vfr.mp4", args: join(av("30", 4), words(bs+"-g 60 -c:a aac "+vfr)), frames: 80, variable: true},
		{name: "vfr_at_a_rate.mp4", args: join(av("30", 4), words(bs+"-g 60 -c:a aac "+vfr)), frames: 80, variable: true, fps: 15, reencoded: ReencodeConstant},
		{name: "odd.mp4", args: join(pictures("161x91", "30", 2), words("-c:v libx264 -pix_fmt yuv444p -g 30")), frames: 60, reencoded: ReencodeFormat},
		{name: "mpeg2.ts", args: join(av("25", 3), words("-c:v mpeg2video -bf 2 -g 25 -c:a mp2")), frames: 75, reencoded: ReencodeCodec},
		{name: "vp9.webm", args: join(av("25", 2), words("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus")), frames: 50, reencoded: ReencodeCodec},
		{name: "hevc.mp4", args: join(av("30", 3), words("-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=error:open-gop=0:keyint=30:bframes=0 -c:a aac")), frames: 90, reencoded: ReencodeCodec},
		{name: "open_gop.mp4", args: join(av("30", 3), words(bs+"-x264-params open-gop=1:keyint=30:scenecut=0:bframes=3 -c:a aac")), frames: 90, reencoded: ReencodeFalseKeys},
		{name: "sparse.mp4", args: join(pictures(small, "5", 12), words(bs+"-g 1000")), frames: 60, reencoded: ReencodeSparseKeys},
		{name: "intra_refresh.mp4", args: join(pictures(small, "30", 3), words(x264+"-x264-params intra-refresh=1:keyint=30:bframes=0")), frames: 90, reencoded: ReencodeFalseKeys},
		{name: "interlaced.mp4", args: join(pictures("160x96", "25", 2), words("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -flags +ilme+ildct -x264opts tff=1")), frames: 50, reencoded: ReencodeInterlaced},
		{name: "anamorphic.mp4", of: "plain.mp4", args: words("-c copy -aspect 4:3"), frames: 180, reencoded: ReencodeAspect},
		{name: "rotated.mp4", of: "plain.mp4", args: words("-c copy -metadata:s:v rotate=90"), frames: 180, reencoded: ReencodeRotated},
		{name: "hdr.mp4", args: join(pictures(small, "25", 1), words("-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc")), frames: 25, reencoded: ReencodeHDR},
		{name: "false_keys.mp4", args: join(pictures(small, "30", 1.5), []string{"-f", "lavfi", "-i", "smptebars=s=160x90:r=30:d=2.5"},
			words("-filter_complex [0][1]concat -c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=120:min-keyint=60:scenecut=40")),
			frames: 120, reencoded: ReencodeFalseKeys},
		{name: "late_audio.mkv", args: join(pictures(small, "30", 3), []string{"-itsoffset", "0.7"}, sound(440, 2), words(bs+"-g 60 -c:a aac")), frames: 90},
		{name: "late_picture.mp4", args: join([]string{"-itsoffset", "2"}, pictures(small, "30", 2), sound(440, 5), words(bs+"-g 30 -c:a aac -fps_mode passthrough")), frames: 60},
		{name: "-x:y|z'.mp4", args: join(av("30", 2), words(x264+"-g 30 -c:a aac -f mp4")), frames: 60},
	}
}

// named is one of the shapes.
func named(t testing.TB, name string) shape {
	t.Helper()
	for _, s := range shapes() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no shape %s", name)
	return shape{}
}

// prepared probes and prepares a source.
func prepared(t testing.TB, s shape, opts Options) (Source, Prepared) {
	t.Helper()
	tools := &Tools{}
	src, err := tools.Probe(t.Context(), s.make(t))
	require.NoError(t, err)
	prep, err := tools.Prepare(t.Context(), src, s.make(t), t.TempDir(), opts)
	require.NoError(t, err)
	return src, prep
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
// keyframes at least 1 s after the last cut, in whole milliseconds, never sends what follows the
// last cut, loses the two segments in flight, has each transcoded alone onto the grid of fps,
// starts each answer at its segment's time, drops what is older than the newest, and stops at the
// first packet behind recstop.
func mist(t *testing.T, prep Prepared, fps float64, filter string, args ...string) string {
	t.Helper()
	const inFlight = 2
	file, err := os.Open(prep.Path)
	require.NoError(t, err)
	defer file.Close()
	var segments [][]picture
	begun := int64(0)
	demux := &demuxer{each: func(p picture) error {
		p.data = append([]byte{}, p.data...)
		p.dts, p.pts = p.dts/ticksPerMS*ticksPerMS, p.pts/ticksPerMS*ticksPerMS
		if lookAt("h264", p.data).key && (len(segments) == 0 || p.dts-begun >= cutTicks) {
			segments, begun = append(segments, nil), p.dts
		}
		segments[len(segments)-1] = append(segments[len(segments)-1], p)
		return nil
	}}
	_, err = demux.Write(must(io.ReadAll(file)))
	require.NoError(t, err)
	require.NoError(t, demux.end())
	require.Greater(t, len(segments), inFlight+1)

	path := filepath.Join(t.TempDir(), "pushed.ts")
	out, err := os.Create(path)
	require.NoError(t, err)
	defer out.Close()
	pushed := newMuxer(out, "h264")
	newest, over := int64(-1), false
	if fps > 0 {
		filter += fmt.Sprintf(",fps=%g", fps)
	}
	sent := segments[:len(segments)-1-inFlight]
	for i, data := range answers(t, sent, filter, args) {
		var later *int64
		read := &demuxer{each: func(p picture) error {
			if later == nil {
				ticks := sent[i][0].dts - p.dts
				later = &ticks
			}
			p.pts, p.dts = p.pts+*later, p.dts+*later
			over = over || p.dts/ticksPerMS > prep.StopMS
			if p.dts <= newest || over {
				return nil
			}
			newest = p.dts
			return pushed.write(p, lookAt("h264", p.data).idr)
		}}
		_, err = read.Write(data)
		require.NoError(t, err)
		require.NoError(t, read.end())
	}
	return path
}

// answers are what a transcoder makes of segments, each alone: one process does them all, as starting
// one takes longer than what it does here.
func answers(t *testing.T, segments [][]picture, filter string, args []string) [][]byte {
	t.Helper()
	dir := t.TempDir()
	all, outputs, paths := []string{"-copyts"}, []string{}, []string{}
	for i, pictures := range segments {
		in, answer := filepath.Join(dir, strconv.Itoa(i)+".in.ts"), filepath.Join(dir, strconv.Itoa(i)+".out.ts")
		part, err := os.Create(in)
		require.NoError(t, err)
		mux := newMuxer(part, "h264")
		for j, p := range pictures {
			require.NoError(t, mux.write(p, j == 0))
		}
		require.NoError(t, part.Close())
		all, paths = append(all, "-i", in), append(paths, answer)
		outputs = append(outputs, "-map", strconv.Itoa(i)+":v", "-vf", filter, "-fps_mode", "passthrough", "-enc_time_base", "-1",
			"-c:v", "libx264", "-preset", "veryfast", "-bf", "3")
		outputs = append(append(outputs, args...), "-muxdelay", "0", "-muxpreload", "0",
			"-avoid_negative_ts", "disabled", "-f", "mpegts", answer)
	}
	require.NoError(t, ffmpeg(t.Context(), append(all, outputs...)...))
	made := make([][]byte, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		made[i] = data
	}
	return made
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
