package mistsim_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
	"weir/internal/mistsim/broadcaster"
)

// quick are waits that suit tests of what follows them.
var quick = mistsim.Timing{
	Stats: quickStats, SelectWait: 200 * time.Millisecond, BufferPass: 20 * time.Millisecond, PushTick: 50 * time.Millisecond, SessionTick: 100 * time.Millisecond,
}

// work is one transcode by the recipe: source, process, a push per track.
type work struct {
	*host
	process *process
	source  string
	out     string
	stop    int64
}

// begin adds the streams and starts the process with one small profile.
func begin(t *testing.T, h *host, source string, stop int64, config object) *work {
	t.Helper()
	w := &work{host: h, source: source, out: t.TempDir(), stop: stop}
	h.register(t)
	h.ask(t, object{"addstream": object{
		"tr_src_a": object{"source": source}, "tr_rend_": object{"source": "push://", "DVR": 86400000},
	}})
	all := object{
		"source": "tr_src_a", "sink": "tr_rend_+a", "leastlive": true, "audio_select": "none",
		"target_profiles": []object{{"name": "small", "bitrate": 200_000, "width": 170, "height": 100, "fps": sourceFPS}},
	}
	maps.Copy(all, config)
	w.process = h.start(t, all)
	return w
}

// push starts a push of track 0 and returns its answer.
func (w *work) push(t *testing.T, name, parameters string) object {
	t.Helper()
	return w.ask(t, object{"push_start": object{"stream": "tr_rend_+a", "target": filepath.Join(w.out, name) + "?" + parameters}, "push_list": true})
}

func (w *work) pushAll(t *testing.T) {
	t.Helper()
	w.handler.await(t, "LIVE_TRACK_LIST", 1)
	w.push(t, "0.ts", fmt.Sprintf("video=0&audio=none&recstart=-1&waittrackcount=1&recstop=%d", w.stop))
}

// TestEveryFrame: the recipe gives every frame of awkward sources.
func TestEveryFrame(t *testing.T) {
	t.Parallel()
	setupSources(t)
	cases := map[string]string{
		"B-frames":     "-preset veryfast -bf 3 -g 60",
		"long GOPs":    "-preset ultrafast -g 120",
		"short GOPs":   "-preset ultrafast -g 6",
		"one GOP":      "-preset ultrafast -t 1 -g 60",
		"29.97 frames": "-preset ultrafast -r 30000/1001 -g 60",
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			video, padded := filepath.Join(dir, "video.ts"), filepath.Join(dir, "padded.ts")
			run(t, "ffmpeg", strings.Fields("-nostdin -loglevel error -f lavfi -i testsrc2=size=320x180:rate=30 -t 4 -pix_fmt yuv420p "+
				"-c:v libx264 -sc_threshold 0 "+args+" -muxdelay 0 -muxpreload 0 "+video)...)
			stop, err := pad(video, padded)
			require.NoError(t, err)
			h := setup(t, mistsim.Config{Timing: quick})
			_, url := startBroadcaster(t)
			w := begin(t, h, padded, stop, object{
				"hardcoded_broadcasters": fmt.Sprintf(`[{"address":%q}]`, url),
				"target_profiles":        []object{{"name": "small", "bitrate": 200_000, "width": 170, "height": 100}},
			})
			w.pushAll(t)
			require.Zero(t, w.process.exitCode(t))
			if name == "short GOPs" {
				// Five GOPs of 0.2 s are shorter than a segment: the tail is lost.
				require.Contains(t, h.handler.await(t, "RECORDING_END", 1)[0].body, "CLEAN_EOF")
				require.Less(t, probeFile(t, filepath.Join(w.out, "0.ts")).frames, probeFile(t, video).frames)
				return
			}
			end := h.handler.await(t, "RECORDING_END", 1)[0]
			require.Contains(t, end.body, "CLEAN_INTENDED_STOP")
			require.Equal(t, probe{width: 160, height: 90, frames: probeFile(t, video).frames}, probeFile(t, filepath.Join(w.out, "0.ts")))
		})
	}
}

// TestPushStart: without recstart a push begins at the newest keyframe that is
// five seconds old; a track that is not there gives no file worth the name.
func TestPushStart(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	b, url := startBroadcaster(t)
	// The fifth segment never comes, so the buffer holds just eight seconds.
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: "/4.ts"}))
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": fmt.Sprintf(`["%s"]`, url)})
	h.until(t, "a", func(answer object) bool { return lastMS(answer, "tr_rend_+a") >= 7_900 })
	w.push(t, "late.ts", "audio=none&waittrackcount=1&recstop=7000")
	end := h.handler.await(t, "RECORDING_END", 1)[0].lines()
	require.Equal(t, []string{"2000", "7000"}, []string{end[8], end[9]}, "first ms and the ms of the packet that stopped it")
	require.Equal(t, 150, probeFile(t, filepath.Join(w.out, "late.ts")).frames)

	got := w.push(t, "extra.ts", "video=7&waittrackcount=1")["push_list"]
	require.Len(t, got, 1)
	require.Contains(t, h.handler.await(t, "RECORDING_END", 2)[1].body, "UNKNOWN")
	require.NoFileExists(t, filepath.Join(w.out, "extra.ts"))
	h.handler.await(t, "PUSH_END", 2)
	require.NoError(t, w.process.Process.Kill())
}

// TestRefusedSegments: a 422 from the only broadcaster skips the segment and
// tells it by a trigger; the output has a hole and the exit code is 0.
func TestRefusedSegments(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	b, _ := startBroadcaster(t)
	freed := make(chan struct{})                   // the third segment is in the first one's slot
	free := sync.OnceFunc(func() { close(freed) }) // it may come again
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/1.ts"):
			await(r, freed)
			http.Error(w, "no", http.StatusUnprocessableEntity)
			return
		case strings.HasSuffix(r.URL.Path, "/2.ts"):
			free()
		}
		b.ServeHTTP(w, r)
	})
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": url})
	w.pushAll(t)
	require.Zero(t, w.process.exitCode(t))
	body := h.handler.await(t, "LIVEPEER_SEGMENT_REJECTED", 1)[0].lines()
	require.Len(t, body, 5)
	var opts, info object
	require.NoError(t, json.Unmarshal([]byte(body[0]), &opts))
	require.Equal(t, "tr_src_a", opts["source"])
	data, err := base64.StdEncoding.DecodeString(body[1])
	require.NoError(t, err)
	require.Zero(t, len(data)%188)
	require.NoError(t, json.Unmarshal([]byte(body[2]), &info))
	require.Equal(t, object{"width": 320.0, "height": 180.0, "duration": 2000.0}, info)
	require.Contains(t, body[3], url+"/live/tr_src_a-")
	require.Equal(t, "N/A", body[4])
	require.Contains(t, h.handler.await(t, "RECORDING_END", 1)[0].body, "CLEAN_INTENDED_STOP")
	require.Equal(t, sourceFrames-gopFrames, probeFile(t, filepath.Join(w.out, "0.ts")).frames)
}

// TestRefusalBeforeItsTurn: a segment that is refused while the one before is under
// way uses up that one's turn. Nothing is taken over any more, and only a signal
// ends the process.
func TestRefusalBeforeItsTurn(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	b, _ := startBroadcaster(t)
	refused, answered := make(chan struct{}), make(chan struct{})
	over := sync.OnceFunc(func() { close(answered) }) // it may come again
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/0.ts") {
			http.Error(w, "no", http.StatusUnprocessableEntity)
			return
		}
		defer over()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		await(r, refused)
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.ServeHTTP(w, r)
	})
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": url})
	h.handler.await(t, "LIVEPEER_SEGMENT_REJECTED", 1)
	close(refused)
	<-answered
	require.NoError(t, w.process.Process.Signal(syscall.SIGTERM))
	require.Zero(t, w.process.exitCode(t))
	require.Empty(t, h.handler.all("LIVE_TRACK_LIST"))
	require.Len(t, h.handler.all("LIVEPEER_SEGMENT_REJECTED"), 1, "nor is anything posted")
}

// TestWrongContent: an answer that is not multipart is skipped silently.
func TestWrongContent(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	b, url := startBroadcaster(t)
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeContentType, Segments: 1, Match: "/2.ts"}))
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": url})
	w.pushAll(t)
	require.Zero(t, w.process.exitCode(t))
	h.handler.await(t, "RECORDING_END", 1)
	require.Equal(t, sourceFrames-gopFrames, probeFile(t, filepath.Join(w.out, "0.ts")).frames)
}

// TestSwitchesBroadcaster: one that is down is left for one that is up.
func TestSwitchesBroadcaster(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	_, good := startBroadcaster(t)
	bad, url := startBroadcaster(t)
	require.NoError(t, bad.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeError}))
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": fmt.Sprintf(`[{"address":%q},{"address":%q}]`, url, good)})
	w.pushAll(t)
	require.Zero(t, w.process.exitCode(t))
	h.handler.await(t, "RECORDING_END", 1)
	require.Equal(t, sourceFrames, probeFile(t, filepath.Join(w.out, "0.ts")).frames)
}

// TestGateway: with a token the broadcasters and the id come from the API, and
// the profiles go there. The list is asked for without the token.
func TestGateway(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	asked := make(chan string, 10)
	paths := make(chan string, 10)
	segments := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case paths <- r.URL.Path + "|" + r.Header.Get("Livepeer-Transcode-Configuration"):
		default:
		}
		http.Error(w, "no", http.StatusInternalServerError)
	})
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- fmt.Sprintf("%s %s %q", r.Method, r.URL.Path, r.Header["Authorization"])
		switch r.URL.Path {
		case "/api/broadcaster":
			_, _ = fmt.Fprintf(w, `[{"address":%q}]`, segments)
		case "/api/stream":
			asked <- r.URL.RawQuery
			body, _ := io.ReadAll(r.Body)
			asked <- string(body)
			_, _ = fmt.Fprint(w, `{"id":"from-the-api"}`)
		}
	})
	w := begin(t, h, src.padded, src.stop, object{"access_token": "token", "custom_url": api + "/api"})
	require.Zero(t, w.process.exitCode(t), "giving up is no failure")
	require.Equal(t, `GET /api/broadcaster []`, <-asked)
	require.Equal(t, `POST /api/stream ["Bearer token"]`, <-asked)
	require.Contains(t, <-asked, "sessionId=")
	require.JSONEq(t, `{"name":"tr_src_a","profiles":[{"bitrate":200000,"fps":30,"gop":"0.0","height":96,"name":"small","profile":"H264High","width":160}]}`, <-asked)
	require.Contains(t, []string{"/live/from-the-api/0.ts|", "/live/from-the-api/1.ts|"}, <-paths)
	require.Contains(t, h.handler.await(t, "INPUT_ABORT", 1)[0].body, "tr_rend_+a\n-\nMistInLivepeer\n")
	require.NotContains(t, w.process.log.String(), "Bearer")
}

// TestGatewayAnswers: a 401 hangs the process, until a signal; any other status is
// an answer like another, whose body is looked at.
func TestGatewayAnswers(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	cases := map[string]struct {
		token       string
		list, open  func(http.ResponseWriter)
		wantHeaders []string
		hangs       bool
		signal      syscall.Signal
		log         string
	}{
		"401":               {token: "x", list: status(http.StatusUnauthorized, ""), hangs: true, signal: syscall.SIGTERM, log: "Authentication required"},
		"403":               {token: "x", list: status(http.StatusForbidden, "no"), log: "No Livepeer broadcasters available"},
		"500 with a list":   {list: status(http.StatusInternalServerError, `[{"address":"http://127.0.0.1:9"}]`), wantHeaders: []string{"Bearer"}, log: "Using broadcaster: http://127.0.0.1:9"},
		"no address":        {token: "x", list: status(http.StatusOK, `["http://127.0.0.1:9"]`), signal: syscall.SIGFPE, log: "Could not select"},
		"stream refused":    {token: "x", list: status(http.StatusOK, `[{"address":"http://127.0.0.1:9"}]`), open: status(http.StatusUnauthorized, ""), log: "responded negatively to encode request"},
		"stream without id": {token: "x", list: status(http.StatusOK, `[{"address":"http://127.0.0.1:9"}]`), open: status(http.StatusOK, `{}`), log: "valid ID"},
		"stream is no JSON": {token: "x", list: status(http.StatusOK, `[{"address":"http://127.0.0.1:9"}]`), open: status(http.StatusTeapot, `tea`), log: "did not respond with JSON"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, mistsim.Config{Timing: quick})
			headers := make(chan []string, 1)
			api := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/broadcaster" {
					headers <- r.Header["Authorization"]
					c.list(w)
					return
				}
				c.open(w)
			})
			w := begin(t, h, src.full, 0, object{"access_token": c.token, "custom_url": api})
			require.Equal(t, c.wantHeaders, <-headers)
			h.until(t, "a", func(object) bool { return strings.Contains(w.process.log.String(), c.log) })
			if c.hangs {
				require.NoError(t, w.process.Process.Signal(c.signal))
			}
			code := w.process.exitCode(t)
			if c.signal != 0 {
				require.Equal(t, c.signal, w.process.ProcessState.Sys().(syscall.WaitStatus).Signal())
				return
			}
			if c.wantHeaders == nil {
				require.Equal(t, 1, code)
			}
		})
	}
}

func status(code int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// TestProcList: the first update shows a percentage beyond reason, until the
// first rendition arrives; a process that ended shows once more, as terminated.
func TestProcList(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	b, url := startBroadcaster(t)
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang}))
	w := begin(t, h, src.full, 0, object{"hardcoded_broadcasters": url})
	entry := func(answer object) object {
		list, _ := answer["proc_list"].(object)
		e, _ := list[fmt.Sprint(w.process.Process.Pid)].(object)
		return e
	}
	got := entry(h.until(t, "a", func(answer object) bool { return entry(answer) != nil }))
	require.NotContains(t, got, "terminated")
	require.Greater(t, got["ainfo"].(object)["percent_done"].(float64), 1e13)
	require.NoError(t, w.process.Process.Kill())
	<-w.process.done
	require.Equal(t, true, entry(h.poll(t, "a"))["terminated"])
	require.Nil(t, h.poll(t, "a")["proc_list"], "once only")
}

// TestProgram: the host as a program of its own. SIGKILL takes all with it;
// SIGTERM ends pushes by RECORDING_END without a PUSH_END.
func TestProgram(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			// setup's host lends its folder and helpers; the program takes its place.
			h := setup(t, mistsim.Config{})
			require.NoError(t, h.Close())
			cmd := exec.Command(filepath.Join(bins, "mistsim"), "-listen", "127.0.0.1:0", "-dir", h.dir)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			url, found := strings.CutPrefix(strings.TrimSpace(line), "mistsim listening on ")
			require.True(t, found, line)
			ask := func(q object) object {
				text, err := json.Marshal(q)
				require.NoError(t, err)
				resp, err := h.client.Post(url, "application/json", strings.NewReader(string(text)))
				require.NoError(t, err)
				defer resp.Body.Close()
				var reply object
				require.NoError(t, json.NewDecoder(resp.Body).Decode(&reply))
				return reply
			}
			b, broadcasterURL := startBroadcaster(t)
			require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: 300}))
			triggers := object{}
			for _, name := range triggerNames {
				triggers[name] = []object{{"handler": h.handler.URL, "sync": false, "streams": []string{}}}
			}
			ask(object{"config": object{"triggers": triggers}, "addstream": object{"tr_src_a": object{"source": src.full}}})
			p := h.start(t, object{
				"source": "tr_src_a", "sink": "tr_rend_+a", "hardcoded_broadcasters": broadcasterURL,
				"target_profiles": []object{{"name": "small", "bitrate": 200_000, "width": 160, "height": 96}},
			})
			h.handler.await(t, "LIVE_TRACK_LIST", 1)
			list := ask(object{"push_start": []string{"tr_rend_+a", filepath.Join(t.TempDir(), "a.ts") + "?recstart=-1&waittrackcount=1"}, "push_list": true})
			pid := int(list["push_list"].([]any)[0].([]any)[0].(float64))
			if signal == syscall.SIGTERM { // a push that is not yet up ends without a word
				deadline := time.After(patience)
				for {
					entry := ask(object{"push_list": true})["push_list"].([]any)[0].([]any)
					if len(entry) > 4 && strings.Contains(fmt.Sprint(entry[4]), "Recording tr_rend_") {
						break
					}
					select {
					case <-deadline:
						require.Fail(t, "push did not come up")
					case <-time.After(look):
					}
				}
			}
			require.NoError(t, cmd.Process.Signal(signal))
			_ = cmd.Wait()
			require.Zero(t, p.exitCode(t), "the process ends with its host")
			require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, patience, look, "the push ends with its host")
			if signal == syscall.SIGTERM {
				require.Zero(t, cmd.ProcessState.ExitCode())
				require.Contains(t, h.handler.await(t, "RECORDING_END", 1)[0].body, "CLEAN_SIGNAL")
			}
			require.Empty(t, h.handler.all("PUSH_END"))
		})
	}
}
