package pack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/media"
	"weir/media/mpegts"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-pack-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	renditions.dir = dir
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// renditions are made once for all tests, each when it is first asked for: probed, prepared and
// finished as a daemon does. What comes back from a Broadcaster is the prepared file itself.
var renditions = &library{made: map[string]func() (Rung, error){}}

type library struct {
	dir  string
	mu   sync.Mutex
	made map[string]func() (Rung, error)
}

// A shape is a kind of source.
type shape struct {
	name string
	args string
	// after makes another file of the rendition's.
	after func(data []byte) []byte
}

const (
	x264   = " -c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -sc_threshold 0 "
	beside = " -f lavfi -i sine=f=440:d="
)

func pictures(size, rate string, seconds float64) string {
	return fmt.Sprintf("-f lavfi -i testsrc2=s=%s:r=%s:d=%g", size, rate, seconds)
}

var shapes = []shape{
	{name: "plain", args: pictures("160x90", "30", 9) + beside + "9" + x264 + "-g 30 -c:a aac"},
	{name: "silent", args: pictures("160x90", "25", 6) + x264 + "-g 50"},
	{name: "no_b_frames", args: pictures("160x90", "30", 9) + beside + "9" + x264 + "-bf 0 -g 30 -c:a aac"},
	{name: "one_frame", args: pictures("160x90", "25", 0.04) + beside + "0.04" + x264 + "-c:a aac"},
	{name: "one_silent_frame", args: pictures("160x90", "25", 0.04) + x264},
	{name: "short", args: pictures("160x90", "30", 0.7) + beside + "0.7" + x264 + "-c:a aac"},
	{name: "long", args: pictures("64x36", "2", 300) + beside + "300" + x264 + "-g 4 -c:a aac -ar 16000 -b:a 16k"},
	{name: "sixty", args: pictures("320x180", "60", 5) + beside + "5" + x264 + "-g 60 -c:a aac"},
	{name: "ntsc", args: pictures("160x90", "30000/1001", 6) + beside + "6" + x264 + "-g 60 -c:a aac"},
	{name: "tall", args: pictures("90x162", "30", 4) + beside + "4" + x264 + "-g 30 -c:a aac"},
	{name: "wide", args: pictures("1000x80", "25", 4) + beside + "4" + x264 + "-g 25 -c:a aac"},
	{name: "holes", args: pictures("160x90", "30", 24) + beside + "24 -vf select='lt(t\\,3)+between(t\\,16\\,18)+gte(t\\,22.5)' -fps_mode vfr -enc_time_base -1" + x264 + "-g 30 -c:a aac"},
	{name: "late_sound", args: pictures("160x90", "30", 5) + " -itsoffset 1.7" + beside + "3" + x264 + "-g 30 -c:a aac"},
	{name: "late_picture", args: "-itsoffset 2.5 " + pictures("160x90", "30", 3) + beside + "7" + x264 + "-g 30 -c:a aac -fps_mode passthrough"},
	{name: "early_end_of_sound", args: pictures("160x90", "30", 9) + beside + "2" + x264 + "-g 30 -c:a aac"},
	{name: "no_key_at_start", args: pictures("160x90", "30", 6) + beside + "6" + x264 + "-g 30 -c:a aac", after: withoutFirst},
}

// withoutFirst leaves out the pictures before the second half of the first group.
func withoutFirst(data []byte) []byte {
	var kept []byte
	pictures := 0
	for p := range packets(data) {
		if mpegts.VideoPES(p) != nil {
			pictures++
		}
		const left = 10
		if mpegts.PID(p) != testVideoPID || pictures > left {
			kept = append(kept, p...)
		}
	}
	return kept
}

const testVideoPID = 0x100

func packets(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(data) >= mpegts.PacketBytes; data = data[mpegts.PacketBytes:] {
			if !yield(data[:mpegts.PacketBytes]) {
				return
			}
		}
	}
}

// rendition is a shape's, finished.
func rendition(t testing.TB, name string) Rung {
	t.Helper()
	for _, s := range shapes {
		if s.name == name {
			return s.rendition(t)
		}
	}
	t.Fatalf("no shape %s", name)
	return Rung{}
}

func (s shape) rendition(t testing.TB) Rung {
	t.Helper()
	l := renditions
	l.mu.Lock()
	once := l.made[s.name]
	if once == nil {
		once = sync.OnceValues(func() (Rung, error) {
			// Detached: a rendition outlives the test that asked for it first.
			return s.make(context.WithoutCancel(t.Context()), filepath.Join(l.dir, s.name))
		})
		l.made[s.name] = once
	}
	l.mu.Unlock()
	rung, err := once()
	require.NoError(t, err)
	return rung
}

func (s shape) make(ctx context.Context, dir string) (Rung, error) {
	source := filepath.Join(dir, "in.mkv")
	if err := os.MkdirAll(filepath.Join(dir, "prepared"), 0o755); err != nil {
		return Rung{}, err
	}
	if _, err := run(ctx, "ffmpeg", "-nostdin -loglevel error -y "+s.args, source); err != nil {
		return Rung{}, err
	}
	tools := &media.Tools{}
	src, err := tools.Probe(ctx, source)
	if err != nil {
		return Rung{}, err
	}
	prepared, err := tools.Prepare(ctx, src, source, filepath.Join(dir, "prepared"), media.Options{})
	if err != nil {
		return Rung{}, err
	}
	rung := Rung{
		Name: s.name, File: filepath.Join(dir, s.name+".ts"),
		Width: src.Video.Width, Height: src.Video.Height, FrameRate: src.Video.Rate.FPS(),
	}
	if _, err := tools.Finish(ctx, media.Pushed{Path: prepared.Path, From: source, Source: src, Prepared: prepared}, rung.File); err != nil {
		return Rung{}, err
	}
	if s.after != nil {
		data, err := os.ReadFile(rung.File)
		if err != nil {
			return Rung{}, err
		}
		return rung, os.WriteFile(rung.File, s.after(data), 0o644)
	}
	return rung, nil
}

// run gives what a program prints. Words are its arguments, before those that may hold spaces.
func run(ctx context.Context, program, words string, more ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append(strings.Fields(words), more...)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s %v: %w: %s", program, words, more, err, complaints.String())
	}
	return string(out), nil
}

// A shown frame is what a decoder makes, and when it is shown, in seconds.
type shownFrame struct {
	at   float64
	hash string
}

// known holds what rungs show, by track and file, for all tests.
var known sync.Map

func decodedRung(t *testing.T, track string, rung Rung) []shownFrame {
	t.Helper()
	if frames, ok := known.Load(track + rung.File); ok {
		return frames.([]shownFrame)
	}
	frames := decoded(t, track, rung.File)
	known.Store(track+rung.File, frames)
	return frames
}

// decoded decodes a file's picture (v) or sound (a). Times are those that stand in it: ffmpeg's own
// programs move what begins near 0.
func decoded(t *testing.T, track, path string, options ...string) []shownFrame {
	t.Helper()
	times := times(t, track, path)
	args := append(append([]string{"-copyts"}, options...), "-i", path, "-map", "0:"+track+":0", "-fps_mode", "passthrough", "-f", "framemd5", "-")
	out, err := run(t.Context(), "ffmpeg", "-nostdin -v error", args...)
	require.NoError(t, err)
	var frames []shownFrame
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			frames = append(frames, shownFrame{hash: strings.TrimSpace(strings.Split(line, ",")[5])})
		}
	}
	// What comes before a keyframe makes no frame.
	require.LessOrEqual(t, len(frames), len(times))
	for i := range frames {
		frames[i].at = times[len(times)-len(frames)+i]
	}
	return frames
}

// times are when a track's packets are shown, sorted.
func times(t *testing.T, track, path string) []float64 {
	t.Helper()
	out, err := run(t.Context(), "ffprobe", "-v error -of csv=p=0 -show_entries packet=pts_time -select_streams", track+":0", path)
	require.NoError(t, err)
	var all []float64
	for line := range strings.Lines(out) {
		if field, _, _ := strings.Cut(strings.TrimSpace(line), ","); field != "" {
			all = append(all, number(t, field))
		}
	}
	slices.Sort(all)
	return all
}

// timesAlone are those of the pictures of files, each read without the others: by one process, as
// starting one takes longer than what it does here.
func timesAlone(t *testing.T, paths []string) [][]float64 {
	t.Helper()
	args, maps := []string{"-copyts"}, []string{}
	for i, path := range paths {
		args, maps = append(args, "-i", path), append(maps, "-map", strconv.Itoa(i)+":v:0")
	}
	out, err := run(t.Context(), "ffmpeg", "-nostdin -v error", append(append(args, maps...), "-c", "copy", "-copyinkf", "-f", "framecrc", "-")...)
	require.NoError(t, err)
	all, bases := make([][]float64, len(paths)), make([]float64, len(paths))
	for line := range strings.Lines(out) {
		var file, num, den int
		if _, err := fmt.Sscanf(line, "#tb %d: %d/%d", &file, &num, &den); err == nil {
			bases[file] = float64(num) / float64(den)
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",")
		file = int(number(t, fields[0]))
		all[file] = append(all[file], number(t, fields[2])*bases[file])
	}
	for _, shown := range all {
		slices.Sort(shown)
	}
	return all
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	require.NoError(t, err)
	return n
}

// sameFrames: the same pictures, each at its time, which is later by so many seconds.
func sameFrames(t *testing.T, want, got []shownFrame, later float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].hash, got[i].hash, "frame %d", i)
		require.InDelta(t, want[i].at+later, got[i].at, 0.0006, "frame %d", i)
	}
}
