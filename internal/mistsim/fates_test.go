package mistsim_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
	"weir/internal/mistsim/shm"
)

// gated starts a transcode whose broadcaster gives back what it gets and holds one
// segment's answer until the gate opens.
func gated(t *testing.T, h *host, held string, config object) (w *work, open func()) {
	t.Helper()
	gate := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		p := readPost(t, r)
		if p.path == held {
			await(r, gate)
		}
		answerWith(w, remux(p.frames))
	})
	src := setupSources(t)
	config["hardcoded_broadcasters"] = url
	return begin(t, h, src.padded, src.stop, config), func() { close(gate) }
}

// pushTo starts a push to a file of the work's folder, parameters included.
func (w *work) pushTo(t *testing.T, target string) {
	t.Helper()
	w.ask(t, object{"push_start": object{"stream": "tr_rend_+a", "target": filepath.Join(w.out, target)}})
}

func (w *work) target(n int) string {
	return fmt.Sprintf("%d.ts?video=0&audio=none&recstart=-1&waittrackcount=1&recstop=%d", n, w.stop)
}

// end waits for the end of the push to a file and returns what RECORDING_END says.
func (w *work) end(t *testing.T, name string, among int) []string {
	t.Helper()
	for _, e := range w.handler.await(t, "RECORDING_END", among) {
		if l := e.lines(); filepath.Base(l[1]) == name {
			return l
		}
	}
	require.FailNow(t, "no end", name)
	return nil
}

// TestLosesTheRace: a stream that ends takes along what pushes have not written.
func TestLosesTheRace(t *testing.T) {
	t.Parallel()
	h := setupRace(t, mistsim.Config{Timing: quick})
	w, open := gated(t, h, "/4.ts", object{})
	defer open()
	h.until(t, "a", func(answer object) bool { return lastMS(answer, "tr_rend_+a") >= 7_900 })
	// A push that writes into a pipe goes on when somebody reads.
	pipe := filepath.Join(w.out, "0.ts")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	w.pushTo(t, w.target(0))
	f, err := os.OpenFile(pipe, os.O_RDONLY, 0) // opens when the push does
	require.NoError(t, err)
	require.NoError(t, w.process.Process.Kill())
	h.until(t, "a", func(answer object) bool { return lastMS(answer, "tr_rend_+a") < 0 })
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	l := w.end(t, "0.ts", 1)
	require.Equal(t, []string{"SHM_LOST", "lost internal connection to stream data"}, l[10:12])
	require.Less(t, len(demux(t, data)), sourceFrames-1)
}

// TestLosePushes: N of the next M pushes of short clips are lost, by count and in
// turn; others and later ones are whole.
func TestLosePushes(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Timing: quick})
	require.NoError(t, h.SetFaults(mistsim.Faults{LosePushes: 3, OfPushes: 6, ShortClipMS: 8000}))
	w, open := gated(t, h, "/4.ts", object{})
	h.handler.await(t, "LIVE_TRACK_LIST", 1)
	long := func(n int) string {
		return strings.Replace(w.target(n), fmt.Sprintf("recstop=%d", w.stop), "recstop=9000", 1)
	}
	for n := range 8 {
		target := w.target(n)
		if n == 1 {
			target = long(n) // is no short clip and not counted
		}
		w.pushTo(t, target)
	}
	open()
	require.Zero(t, w.process.exitCode(t))
	h.handler.await(t, "PUSH_END", 7)
	want := map[int]string{0: "CLEAN_INTENDED_STOP", 1: "CLEAN_INTENDED_STOP", 2: "SHM_LOST", 3: "CLEAN_INTENDED_STOP", 4: "UNKNOWN", 5: "CLEAN_INTENDED_STOP", 7: "CLEAN_INTENDED_STOP"}
	require.Len(t, h.handler.all("RECORDING_END"), len(want), "the sixth of the short ones was not even started")
	for n, reason := range want {
		name := fmt.Sprintf("%d.ts", n)
		require.Equal(t, reason, w.end(t, name, len(want))[10], name)
		frames := probeFile(t, filepath.Join(w.out, name)).frames
		switch {
		case reason != "CLEAN_INTENDED_STOP":
			require.Less(t, frames, sourceFrames)
			require.Positive(t, frames)
		case n != 1:
			require.Equal(t, sourceFrames, frames)
		}
	}
	require.NoFileExists(t, filepath.Join(w.out, "6.ts"))
}

// streamOf is what a poll says of the sink.
func streamOf(answer object) object {
	streams, _ := answer["active_streams"].(object)
	one, _ := streams["tr_rend_+a"].(object)
	return one
}

// orphan starts a transcode into a sink with a mode of resume, kills its process when
// the whole of the source is in the sink, and waits until that is noticed.
func orphan(t *testing.T, h *host, mode int) *work {
	t.Helper()
	w, open := gated(t, h, "/4.ts", object{})
	t.Cleanup(open)
	h.ask(t, object{"addstream": object{"tr_rend_": object{"source": "push://", "resume": mode}}})
	h.until(t, "a", func(answer object) bool { return streamOf(answer)["lastms"] == 7966.0 })
	require.NoError(t, w.process.Process.Kill())
	<-w.process.done
	return w
}

// TestResume: with resume a stream keeps its tracks when its process is gone, so that
// pushes have all but the last frame and no fault can lose one. They end when no data
// has come for a while.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, flavour := range []mistsim.Flavour{mistsim.Livepeer, mistsim.Upstream} {
		t.Run(string(flavour), func(t *testing.T) {
			t.Parallel()
			timing := quick
			timing.DataWait = time.Millisecond
			h := setupRace(t, mistsim.Config{Flavour: flavour, Timing: timing, Faults: mistsim.Faults{LosePushes: 9}})
			w := orphan(t, h, 1)
			h.until(t, "a", func(answer object) bool { return streamOf(answer)["status"] == "Waiting for data" })
			w.pushTo(t, "0.ts?video=0&recstart=-1&waittrackcount=1&recstop=7000")
			w.pushTo(t, "1.ts?video=0&recstart=-1&waittrackcount=1")
			require.Equal(t, "CLEAN_INTENDED_STOP", w.end(t, "0.ts", 2)[10])
			require.Equal(t, "CLEAN_EOF", w.end(t, "1.ts", 2)[10])
			require.Equal(t, sourceFrames-1, probeFile(t, filepath.Join(w.out, "1.ts")).frames)
		})
	}
}

// TestResumeEnds: a stream that nobody uses any more goes without an empty list.
func TestResumeEnds(t *testing.T) {
	t.Parallel()
	timing := quick
	timing.InputTimeout = time.Millisecond
	h := setupRace(t, mistsim.Config{Timing: timing})
	orphan(t, h, 1)
	h.until(t, "a", func(answer object) bool { return lastMS(answer, "tr_rend_+a") < 0 })
	h.handler.await(t, "STREAM_END", 2)
	require.Len(t, h.handler.all("LIVE_TRACK_LIST"), 1)
}

// TestResumeGoesOn: the next process adds its tracks to those that are kept, or on
// Livepeer with resume 2 starts afresh.
func TestResumeGoesOn(t *testing.T) {
	t.Parallel()
	for mode, tracks := range map[int]int{1: 2, 2: 1} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			h := setupRace(t, mistsim.Config{Timing: quick})
			orphan(t, h, mode)
			h.until(t, "a", func(answer object) bool { return streamOf(answer)["status"] == "Waiting for data" })
			again := h.start(t, object{
				"source": "tr_src_a", "sink": "tr_rend_+a", "hardcoded_broadcasters": serve(t, func(w http.ResponseWriter, r *http.Request) {
					answerWith(w, remux(readPost(t, r).frames))
				}), "target_profiles": []object{{"name": "small"}},
			})
			require.Zero(t, again.exitCode(t))
			require.Len(t, tracksOf(t, h.handler.await(t, "LIVE_TRACK_LIST", 2)[1]), tracks)
		})
	}
}

// TestHangStarts: a start that hangs posts nothing, does not listen to SIGTERM and
// ends by a segmentation fault; the next one is well.
func TestHangStarts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		flavour mistsim.Flavour
		as      string
		log     []string
	}{
		"Livepeer": {mistsim.Livepeer, "", []string{"Unable to open page MstSession", "Cannot connect to session", "Stopping source thread", "Timeout waiting for source thread to boot!"}},
		"Upstream": {mistsim.Upstream, "", []string{"FAIL|MistProcLivepeer|", "|procs.cpp:521|", "Could not start process ", "/MistSession tr_src_a : Bad address"}},
		"chosen":   {mistsim.Livepeer, shm.HangSession, []string{"FAIL: Could not start process "}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timing := quick
			timing.InputTimeout = time.Millisecond
			h := setup(t, mistsim.Config{Flavour: c.flavour, Timing: timing})
			require.NoError(t, h.SetFaults(mistsim.Faults{HangStarts: 1, HangStartMS: 1500, HangStartAs: c.as}))
			w, open := gated(t, h, "", object{})
			defer open()
			h.until(t, "a", func(object) bool {
				return !slices.ContainsFunc(c.log, func(line string) bool { return !strings.Contains(w.process.log.String(), line) })
			})
			_ = w.process.Process.Signal(syscall.SIGTERM) // it may be over
			w.process.exitCode(t)
			require.Equal(t, syscall.SIGSEGV, w.process.ProcessState.Sys().(syscall.WaitStatus).Signal())
			h.until(t, "a", func(answer object) bool { return lastMS(answer, "tr_src_a") < 0 })
			require.Empty(t, h.handler.all("LIVE_TRACK_LIST"))

			next := h.start(t, object{"source": "tr_src_a", "sink": "tr_rend_+a", "hardcoded_broadcasters": "http://127.0.0.1:9"})
			require.Zero(t, next.exitCode(t))
			require.Contains(t, next.log.String(), "too many upload failures")
		})
	}
}

// TestStartEnds: a start without a buffer posts nothing and ends with 0.
func TestStartEnds(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Flavour: mistsim.Upstream, Timing: quick})
	require.NoError(t, h.SetFaults(mistsim.Faults{HangStarts: 1, HangStartAs: shm.HangBuffer}))
	w, open := gated(t, h, "", object{})
	defer open()
	require.Zero(t, w.process.exitCode(t))
	require.Contains(t, w.process.log.String(), "Could not start buffer, cancelling")
	require.NotContains(t, w.process.log.String(), "Initializing track")
	h.handler.await(t, "INPUT_ABORT", 1)
	require.Empty(t, h.handler.all("LIVE_TRACK_LIST"))
}

// TestOffline: Upstream lists an ended stream as Offline for a while.
func TestOffline(t *testing.T) {
	t.Parallel()
	for want, wait := range map[any]time.Duration{"Offline": time.Hour, nil: time.Millisecond} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			t.Parallel()
			timing := quick
			timing.Offline = wait
			h := setup(t, mistsim.Config{Flavour: mistsim.Upstream, Timing: timing})
			w, open := gated(t, h, "", object{})
			defer open()
			require.Zero(t, w.process.exitCode(t))
			h.ask(t, object{"nuke_stream": "tr_src_a", "deletestream": "tr_src_a"})
			h.until(t, "a", func(answer object) bool {
				streams, _ := answer["active_streams"].(object)
				source, _ := streams["tr_src_a"].(object)
				return source["status"] == want && streamOf(answer)["status"] == want
			})
		})
	}
}
