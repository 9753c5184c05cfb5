package mistsim_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
	"weir/internal/mistsim/broadcaster"
)

func ffmpeg(args string) error {
	_, err := execute("ffmpeg", "-nostdin -hide_banner -loglevel error -y "+args)
	return err
}

func execute(tool, args string) (string, error) {
	out, err := exec.Command(tool, strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s (apt-get install ffmpeg)", tool, args, err, out)
	}
	return string(out), nil
}

// line is one line of a recording.
type line struct {
	Kind     string            `json:"kind"`
	Request  object            `json:"request"`
	Response object            `json:"response"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	Stdin    object            `json:"stdin"`
	Code     int               `json:"code"`
	What     string            `json:"what"`
	Name     string            `json:"name"`
	Probe    string            `json:"probe"`
}

type recording []line

func readRecording(t *testing.T, path string) recording {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var r recording
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var l line
		require.NoError(t, json.Unmarshal(in.Bytes(), &l))
		r = append(r, l)
	}
	require.NoError(t, in.Err())
	return r
}

func (r recording) of(kind string) []line {
	var out []line
	for _, l := range r {
		if l.Kind == kind {
			out = append(out, l)
		}
	}
	return out
}

func (r recording) triggers(name string) []trigger {
	var out []trigger
	for _, l := range r.of("trigger") {
		if name == "" || l.Headers["X-Trigger"] == name {
			header := http.Header{}
			for k, v := range l.Headers {
				header.Set(k, v)
			}
			out = append(out, trigger{name: l.Headers["X-Trigger"], header: header, body: l.Body})
		}
	}
	return out
}

// answers are the recorded answers to requests of just these commands.
func (r recording) answers(commands ...string) []object {
	var out []object
	slices.Sort(commands)
	for _, l := range r.of("api") {
		if slices.Equal(commands, slices.Sorted(maps.Keys(l.Request))) {
			out = append(out, l.Response)
		}
	}
	return out
}

// scene is what a scenario needs beyond its recording.
type scene struct {
	// act is done in the middle, when the first renditions are being pushed.
	act func(t *testing.T, r *replay)
	// down points the process to a port where nothing listens.
	down bool
	// unwritable sends the pushes to a folder that cannot be made.
	unwritable bool
	// hangs: the process does not end by itself, nor by SIGTERM.
	hangs bool
	// exit is the process's exit code; -1 is a SIGKILL.
	exit int
	// hold is the number of a segment whose answer comes after the source's end.
	hold string
	// silent: no track ever appears.
	silent bool
	// frames judges how many frames a file holds.
	frames func(t *testing.T, file string, n int)
	// stats is the interval of status updates. It is the recorded 5 s where the
	// recording ends sooner and says null, and short where it does not.
	stats time.Duration
}

// whole and cut are the two verdicts on a file. A stream that ends never gives
// its last frame.
func whole(t *testing.T, _ string, n int) { require.Equal(t, sourceFrames, n) }

func cut(t *testing.T, _ string, n int) {
	require.Less(t, n, sourceFrames)
	require.Equal(t, gopFrames-1, n%gopFrames, "whole segments without the last frame")
}

const quickStats = 100 * time.Millisecond

func scenes() map[string]scene {
	stop := func(t *testing.T, r *replay) {
		var ids []any
		for _, p := range r.mid["push_list"].([]any) {
			ids = append(ids, p.([]any)[0])
		}
		r.sameShape(t, r.host.ask(t, object{"push_stop": ids}), "push_stop")
	}
	return map[string]scene{
		"happy":              {frames: whole, stats: quickStats},
		"same_size_profiles": {frames: whole, stats: quickStats},
		// Its last segment but one is under way when the source ends.
		"unpadded": {stats: quickStats, hold: "/7.ts", frames: func(t *testing.T, _ string, n int) {
			require.Equal(t, longSeconds*sourceFPS-2*gopFrames-1, n, "the last two segments are lost")
		}},
		"process_killed": {frames: cut, exit: -1, act: func(t *testing.T, r *replay) { require.NoError(t, r.process.Process.Kill()) }},
		"process_term":   {frames: cut, act: func(t *testing.T, r *replay) { require.NoError(t, r.process.Process.Signal(syscall.SIGTERM)) }},
		"push_killed": {
			stats: quickStats,
			act: func(t *testing.T, r *replay) {
				first := r.mid["push_list"].([]any)[0].([]any)
				r.victim = filepath.Base(strings.Split(first[2].(string), "?")[0])
				require.NoError(t, syscall.Kill(int(first[0].(float64)), syscall.SIGKILL))
			},
		},
		"push_stopped": {act: stop, frames: func(t *testing.T, _ string, n int) {
			require.Less(t, n, sourceFrames, "cut wherever the signal struck")
			require.Positive(t, n)
		}},
		"push_unwritable": {unwritable: true},
		"nuked": {frames: cut, act: func(t *testing.T, r *replay) {
			r.sameShape(t, r.host.ask(t, object{"nuke_stream": "tr_rend_+" + r.name}), "nuke_stream")
		}},
		"broadcaster_down":  {down: true, silent: true},
		"one_gop":           {hangs: true, silent: true},
		"source_garbage":    {hangs: true, silent: true},
		"source_missing":    {exit: 1, silent: true},
		"source_audio_only": {exit: 1, silent: true},
	}
}

// replay is one run of a recording's scenario.
type replay struct {
	recording
	scene
	name     string
	upstream bool
	host     *host
	process  *process
	held     chan struct{} // closed when the held segment may be answered
	out      string
	mid      object // a poll's answer in the middle
	victim   string // the file of a killed push
}

// TestReplay runs each recording's scenario against the stand-in and compares
// what it sends with what was recorded.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/recordings/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, upstream := strings.CutPrefix(name, "upstream-")
			s, known := scenes()[base]
			require.True(t, known, "no scene for this recording")
			r := &replay{recording: readRecording(t, file), scene: s, name: strings.ReplaceAll("rec"+base, "_", ""), upstream: upstream}
			r.play(t)
			r.compareTriggers(t)
			r.compareFiles(t)
		})
	}
}

func (r *replay) play(t *testing.T) {
	src := setupSources(t)
	cfg := mistsim.Config{Timing: mistsim.Timing{
		Stats: r.stats, FirstStats: quickStats, TrackWait: look, BufferPass: 50 * time.Millisecond,
		PushTick: 200 * time.Millisecond, SessionTick: 200 * time.Millisecond, KilledSource: 200 * time.Millisecond,
	}}
	cfg.Accounts = map[string]string{"lab": "00000000000000000000000000000000"} // the lab's host had one
	if r.upstream {
		cfg.Flavour = mistsim.Upstream
	}
	r.host = setup(t, cfg)
	r.out = t.TempDir()
	r.sameShape(t, r.host.register(t), "config")

	added := r.of("api")[1]
	streams := added.Request["addstream"].(object)
	source := streams["tr_src_"+r.name].(object)
	recorded := source["source"].(string)
	source["source"] = src.path(t, recorded)
	r.sameShape(t, r.host.ask(t, object{"addstream": streams}), "addstream")

	b, url := startBroadcaster(t)
	r.held = make(chan struct{})
	switch {
	case r.down:
		url = "http://127.0.0.1:9"
	case r.hold != "":
		url = serve(t, func(w http.ResponseWriter, q *http.Request) {
			if strings.HasSuffix(q.URL.Path, r.hold) {
				await(q, r.held)
				return
			}
			b.ServeHTTP(w, q)
		})
	}
	// Slow enough that the middle is seen, fast enough that the end is.
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: 150}))
	config := r.of("process_start")[0].Stdin
	config["hardcoded_broadcasters"] = fmt.Sprintf(`[{"address":%q}]`, url)
	// The recordings' host was real, but not its Broadcaster: that made Baseline, whatever
	// was asked, and it shows in the tracks.
	for _, p := range config["target_profiles"].([]any) {
		p.(object)["profile"] = "H264Baseline"
	}
	r.process = r.host.start(t, config)

	if !r.silent {
		r.push(t, src, recorded)
		r.middle(t)
	}
	if r.act != nil {
		r.act(t, r)
	}
	r.finish(t)
}

// push starts a push per track, as Weir does on LIVE_TRACK_LIST.
func (r *replay) push(t *testing.T, src *sourceSet, recorded string) {
	stop := src.stop
	if filepath.Base(recorded) == "src.ts" {
		stop = 1400 + longSeconds*1000
	}
	got := r.host.handler.await(t, "LIVE_TRACK_LIST", 1)[0]
	want := r.triggers("LIVE_TRACK_LIST")[0]
	gotTracks, wantTracks := tracksOf(t, got), tracksOf(t, want)
	require.Equal(t, slices.Sorted(maps.Keys(wantTracks)), slices.Sorted(maps.Keys(gotTracks)))
	for key, track := range gotTracks {
		sameKinds(t, wantTracks[key], track)
		for _, field := range []string{"codec", "codecstring", "fpks", "height", "idx", "trackid", "type", "width"} {
			require.Equal(t, wantTracks[key].(object)[field], track.(object)[field], "%s of %s", field, key)
		}
	}
	if r.unwritable {
		r.out = "/proc/nope"
	}
	for _, key := range slices.Sorted(maps.Keys(gotTracks)) {
		track := gotTracks[key].(object)
		idx, id := int(track["idx"].(float64)), int(track["trackid"].(float64))
		target := fmt.Sprintf("%s/%d_%vx%v.ts?video=%d&audio=none&recstart=-1&waittrackcount=1&recstop=%d",
			r.out, id>>16, track["width"], track["height"], idx, stop)
		ask := object{"push_start": object{"stream": "tr_rend_+" + r.name, "target": target}, "push_list": true}
		answer := r.host.ask(t, ask)
		r.sameShape(t, answer, "push_start", "push_list")
		if !r.unwritable {
			require.Len(t, r.host.ask(t, ask)["push_list"], len(answer["push_list"].([]any)), "the same push again is ignored")
		}
	}
}

func tracksOf(t *testing.T, e trigger) object {
	t.Helper()
	require.Len(t, e.lines(), 3, "stream, JSON, nothing")
	var tracks object
	require.NoError(t, json.Unmarshal([]byte(e.lines()[1]), &tracks))
	return tracks
}

// middle waits until pushes have written something and their logs are there.
func (r *replay) middle(t *testing.T) {
	r.mid = r.host.until(t, r.name, func(answer object) bool {
		if r.unwritable {
			return answer["push_list"] == nil
		}
		pushes, _ := answer["push_list"].([]any)
		for _, p := range pushes {
			if !r.told(p.([]any)) {
				return false
			}
		}
		written := true
		files, err := filepath.Glob(filepath.Join(r.out, "*.ts"))
		require.NoError(t, err)
		for _, f := range files {
			info, err := os.Stat(f)
			written = written && err == nil && info.Size() > 0
		}
		return len(pushes) == 2 && len(files) == 2 && written && lastMS(answer, "tr_rend_+"+r.name) > 0
	})
	r.sameShape(t, r.mid, "push_list", "proc_list", "active_streams")
}

// told says whether a push_list entry has all that is waited for: logs, and a
// status where the recording ended late enough to have one.
func (r *replay) told(entry []any) bool {
	if r.stats == 0 && !r.upstream {
		return len(entry) >= 5
	}
	if len(entry) < 6 {
		return false
	}
	_, ok := entry[5].(object)["bytes"]
	return ok
}

func (r *replay) finish(t *testing.T) {
	if r.hangs {
		r.host.until(t, r.name, func(object) bool {
			return strings.Contains(r.process.log.String(), "WARN") || strings.Contains(r.process.log.String(), "|Would select")
		})
		require.NoError(t, r.process.Process.Signal(syscall.SIGTERM))
	} else {
		if r.hold != "" {
			r.host.until(t, r.name, func(object) bool { return strings.Contains(r.process.log.String(), "Stopping source thread") })
			close(r.held)
		}
		require.Equal(t, r.exit, r.process.exitCode(t))
	}
	if exits := r.of("process_exit"); len(exits) > 0 {
		require.Equal(t, exits[0].Code, r.exit)
	}
	if !r.silent {
		r.host.until(t, r.name, func(answer object) bool { return answer["push_list"] == nil })
		r.host.handler.await(t, "PUSH_END", 2)
	}
	r.host.handler.await(t, "LIVE_TRACK_LIST", len(r.triggers("LIVE_TRACK_LIST")))
	last := r.host.poll(t, r.name)
	r.sameShape(t, last, "push_list", "proc_list", "active_streams")
	r.sameShape(t, r.host.ask(t, object{"deletestream": []string{"tr_src_" + r.name}, "nuke_stream": "tr_src_" + r.name}), "deletestream", "nuke_stream")
	r.sameShape(t, r.host.ask(t, object{"nuke_stream": "tr_rend_+" + r.name}), "nuke_stream")
	for n, missing := 1, r.ended(); len(missing) > 0; n++ {
		name := r.host.handler.await(t, "STREAM_END", n)[n-1].lines()[0]
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
	}
	r.host.handler.await(t, "INPUT_ABORT", len(r.aborts()))
	if r.hangs {
		select {
		case <-r.process.done:
			require.Fail(t, "process ended", "it hung when it was recorded")
		default:
		}
	}
	r.host.until(t, r.name, func(answer object) bool { return answer["proc_list"] == nil })
}

// ended are the streams that the recording saw end.
func (r *replay) ended() []string {
	var out []string
	for _, e := range r.triggers("STREAM_END") {
		if name := e.lines()[0]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return slices.Sorted(slices.Values(out))
}

// aborts leaves out one that was a race: Upstream's sink said it once of six
// times after success.
func (r *replay) aborts() []trigger {
	return slices.DeleteFunc(r.triggers("INPUT_ABORT"), func(e trigger) bool {
		return r.upstream && !r.down && strings.HasPrefix(e.body, "tr_rend_")
	})
}

var (
	pidPattern  = regexp.MustCompile(`from process \d+`)
	allDigits   = regexp.MustCompile(`^\d+$`)
	racingEnd   = "CLEAN_SIGNAL signal Terminated (15) from process N"
	unpaddedEnd = "CLEAN_EOF end of stream"
)

func (r *replay) compareTriggers(t *testing.T) {
	sent := r.host.handler
	for _, name := range triggerNames {
		recorded, got := r.triggers(name), sent.all(name)
		if name == "INPUT_ABORT" {
			recorded = r.aborts()
		}
		if len(recorded) == 0 {
			require.Empty(t, got, name)
			continue
		}
		for _, e := range got {
			require.Equal(t, headerNames(recorded[0].header), headerNames(e.header), "headers of %s", name)
			require.Equal(t, "text/plain", e.header.Get("Content-Type"))
		}
	}
	r.compareEnds(t)

	lists := sent.all("LIVE_TRACK_LIST")
	recorded := r.triggers("LIVE_TRACK_LIST")
	require.Len(t, lists, len(recorded))
	if n := len(recorded); n > 1 {
		require.Equal(t, recorded[n-1].body, lists[n-1].body, "the empty list")
	}
	var want, got []string
	for _, e := range r.aborts() {
		want = append(want, abort(e))
	}
	for _, e := range sent.all("INPUT_ABORT") {
		got = append(got, abort(e))
	}
	require.ElementsMatch(t, want, got)

	seen := map[string]bool{}
	for _, e := range sent.all("STREAM_END") {
		require.Len(t, e.lines(), 7)
		if !seen[e.lines()[0]] && strings.HasPrefix(e.body, "tr_src_") {
			i := slices.IndexFunc(r.triggers("STREAM_END"), func(w trigger) bool { return w.lines()[0] == e.lines()[0] })
			require.Equal(t, r.triggers("STREAM_END")[i].body, e.body, "totals of the source")
		}
		seen[e.lines()[0]] = true
	}
	require.ElementsMatch(t, r.ended(), slices.Collect(maps.Keys(seen)))
}

func headerNames(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }

// abort is an INPUT_ABORT without what differs between any two runs.
func abort(e trigger) string {
	l := e.lines()
	l[1], l[3] = filepath.Ext(l[1]), "pid"
	return strings.Join(l, "\n")
}

// compareEnds compares RECORDING_END and PUSH_END of each push.
func (r *replay) compareEnds(t *testing.T) {
	verdicts := func(all []trigger) (out []string) {
		for _, e := range all {
			l := e.lines()
			require.Len(t, l, 13, "twelve lines and a newline")
			for _, i := range []int{3, 4, 5, 6, 7, 8, 9} {
				require.Regexp(t, allDigits, l[i])
			}
			v := l[10] + " " + pidPattern.ReplaceAllString(l[11], "from process N")
			if v == racingEnd && strings.HasSuffix(r.name, "unpadded") {
				v = unpaddedEnd // the buffer's last breath, once of two times
			}
			empty := "some"
			if l[3] == "0" {
				empty = strings.Join(l[7:10], " ")
			}
			out = append(out, strings.Join([]string{l[0], l[2], v, empty}, "|"))
		}
		return out
	}
	require.ElementsMatch(t, verdicts(r.triggers("RECORDING_END")), verdicts(r.host.handler.all("RECORDING_END")))

	want := r.triggers("PUSH_END")
	got := r.host.handler.all("PUSH_END")
	if r.silent {
		require.Empty(t, got)
		return
	}
	require.Len(t, got, 2, "one for each push")
	require.NotEmpty(t, want)
	var status []any
	for _, e := range want {
		status = append(status, statusOf(t, e))
	}
	for _, e := range got {
		s := statusOf(t, e)
		matches := slices.ContainsFunc(status, func(w any) bool { return sameKeys(w, s) })
		require.True(t, matches, "PUSH_END status %v, recorded %v", s, status)
		require.Equal(t, e.lines()[2], e.lines()[3])
	}
}

// statusOf checks a PUSH_END's six lines and its logs, and returns its status.
func statusOf(t *testing.T, e trigger) any {
	t.Helper()
	require.Len(t, e.lines(), 6, "exactly six lines")
	var logs [][]any
	require.NoError(t, json.Unmarshal([]byte(e.lines()[4]), &logs))
	require.LessOrEqual(t, len(logs), 10)
	for _, l := range logs {
		if e.header.Get("X-Instance") != "" {
			require.Len(t, l, 7)
		} else {
			require.Len(t, l, 4)
		}
	}
	var status any
	require.NoError(t, json.Unmarshal([]byte(e.lines()[5]), &status))
	return status
}

func sameKeys(a, b any) bool {
	x, _ := a.(object)
	y, _ := b.(object)
	return (x == nil) == (y == nil) && slices.Equal(slices.Sorted(maps.Keys(x)), slices.Sorted(maps.Keys(y)))
}

func (r *replay) compareFiles(t *testing.T) {
	files := r.of("file")
	for _, f := range files {
		got := probeFile(t, filepath.Join(r.out, f.Name))
		width, height := trackSize(t, f.Name)
		require.Equal(t, [2]int{width, height}, [2]int{got.width, got.height}, f.Name)
		switch {
		case r.frames != nil:
			r.frames(t, f.Name, got.frames)
		case f.Name == r.victim:
			require.Less(t, got.frames, sourceFrames)
		default:
			whole(t, f.Name, got.frames)
		}
	}
	if len(files) == 0 {
		left, err := filepath.Glob(filepath.Join(r.out, "*"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// trackSize is the size of the track that a file was named after. The recordings'
// Broadcaster made 640x352 with pixels that are not square where this is 640x360.
func trackSize(t *testing.T, name string) (width, height int) {
	t.Helper()
	var id int
	_, err := fmt.Sscanf(name, "%d_%dx%d.ts", &id, &width, &height)
	require.NoError(t, err, name)
	return width, height
}

// sameShape wants one of the recorded answers to such a request to look like
// this one: the same keys, and values of the same kind.
func (r *replay) sameShape(t *testing.T, got object, commands ...string) {
	t.Helper()
	recorded := r.answers(commands...)
	require.NotEmpty(t, recorded, commands)
	for _, want := range recorded {
		for _, key := range slices.Sorted(maps.Keys(want)) {
			require.Contains(t, got, key)
		}
	}
	require.Equal(t, recorded[0]["authorize"], got["authorize"])
	for _, key := range []string{"proc_list", "active_streams"} {
		entries, _ := got[key].(object)
		for name, entry := range entries {
			var shapes []any
			for _, want := range recorded {
				all, _ := want[key].(object)
				for _, e := range all {
					shapes = append(shapes, e)
				}
			}
			if len(shapes) > 0 {
				require.True(t, slices.ContainsFunc(shapes, func(w any) bool { return sameKeys(w, entry) }), "%s %s: %v", key, name, entry)
			}
		}
	}
	pushes, _ := got["push_list"].([]any)
	for _, p := range pushes {
		require.Contains(t, []int{4, 5, 6}, len(p.([]any)))
	}
}

// sameKinds wants the same keys with values of the same kind.
func sameKinds(t *testing.T, want, got any) {
	t.Helper()
	w, g := want.(object), got.(object)
	require.Equal(t, slices.Sorted(maps.Keys(w)), slices.Sorted(maps.Keys(g)))
	for key := range w {
		require.IsType(t, w[key], g[key], key)
	}
}
