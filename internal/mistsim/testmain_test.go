package mistsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/internal/mistsim"
	"weir/internal/mistsim/broadcaster"
)

// bins holds the programs, built once for the whole test binary.
var bins string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mistsim-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bins = dir
	build := exec.Command("go", "build", "-o", dir+"/", "./cmd/...")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs of mistsim:", err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const (
	// patience is for a slow machine; no test waits so long when all is well.
	patience = 2 * time.Minute
	// look is how often a test asks a host for its state.
	look = 20 * time.Millisecond
)

type object = map[string]any

// trigger is one event as the handler got it.
type trigger struct {
	name   string
	header http.Header
	body   string
}

func (e *trigger) lines() []string { return strings.Split(e.body, "\n") }

// handler records triggers.
type handler struct {
	*httptest.Server
	mu     sync.Mutex
	events []trigger
	more   chan struct{}
}

func newHandler(t *testing.T) *handler {
	h := &handler{more: make(chan struct{})}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		header := r.Header.Clone()
		header.Set("Host", r.Host)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events = append(h.events, trigger{name: header.Get("X-Trigger"), header: header, body: string(body)})
		close(h.more)
		h.more = make(chan struct{})
	}))
	t.Cleanup(h.Close)
	return h
}

// all returns the events of a trigger so far.
func (h *handler) all(name string) []trigger {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []trigger
	for _, e := range h.events {
		if e.name == name {
			out = append(out, e)
		}
	}
	return out
}

// await returns the first n events of a trigger.
func (h *handler) await(t *testing.T, name string, n int) []trigger {
	t.Helper()
	deadline := time.After(patience)
	for {
		h.mu.Lock()
		more := h.more
		h.mu.Unlock()
		if got := h.all(name); len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-deadline:
			require.FailNow(t, "trigger did not come", "%d of %s", n, name)
		}
	}
}

// host is a stand-in host with a handler for its triggers.
type host struct {
	*mistsim.Server
	dir     string
	shm     string // its shared memory
	handler *handler
	client  *http.Client
}

// setup starts a host whose pushes have all that a stream holds when it ends; the
// race for that is not what most tests are about. See setupRace.
func setup(t *testing.T, cfg mistsim.Config) *host {
	t.Helper()
	cfg.AwaitPushes = true
	return setupRace(t, cfg)
}

// setupRace starts a host as it is by itself.
func setupRace(t *testing.T, cfg mistsim.Config) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "h") //nolint:usetesting // its paths are too long for a socket
	require.NoError(t, err)
	cfg.Dir, cfg.PushCommand = dir, []string{filepath.Join(bins, "mistsim"), "push"}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	require.NoError(t, os.Link(filepath.Join(bins, "MistProcLivepeer"), filepath.Join(dir, "MistProcLivepeer")))
	if cfg.ShmDir == "" {
		cfg.ShmDir = t.TempDir()
	}
	if cfg.Timing.InputStop == 0 {
		cfg.Timing.InputStop = time.Millisecond
	}
	if cfg.Timing.UploadSlack == 0 {
		cfg.Timing.UploadSlack = unhurried
	}
	server, err := mistsim.New(&cfg)
	require.NoError(t, err)
	h := &host{Server: server, dir: dir, shm: cfg.ShmDir, handler: newHandler(t), client: &http.Client{Transport: &http.Transport{}}}
	require.NoError(t, server.Start(context.Background()))
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		require.NoError(t, server.Close())
		require.NoError(t, os.RemoveAll(dir))
	})
	return h
}

// ask sends a request and returns the answer.
func (h *host) ask(t *testing.T, request object) object {
	t.Helper()
	body, err := json.Marshal(request)
	require.NoError(t, err)
	resp, err := h.client.Post(h.URL(), "application/json", strings.NewReader(string(body)))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/javascript", resp.Header.Get("Content-Type"))
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(text), "}\n\n"), "ends with two newlines")
	var reply object
	require.NoError(t, json.Unmarshal(text, &reply))
	return reply
}

var triggerNames = []string{
	"LIVE_TRACK_LIST", "PUSH_END", "RECORDING_END", "INPUT_ABORT", "LIVEPEER_SEGMENT_REJECTED", "STREAM_END",
}

// register sends all triggers to the host's handler.
func (h *host) register(t *testing.T) object {
	t.Helper()
	entry := []object{{"handler": h.handler.URL + "/t", "sync": false, "streams": []string{}}}
	triggers := object{}
	for _, name := range triggerNames {
		triggers[name] = entry
	}
	return h.ask(t, object{"config": object{"triggers": triggers}})
}

// poll is the question that Weir asks every second.
func (h *host) poll(t *testing.T, name string) object {
	t.Helper()
	return h.ask(t, object{
		"push_list": true, "proc_list": "tr_src_" + name,
		"active_streams": object{
			"streams": []string{"tr_src_" + name, "tr_rend_+" + name},
			"fields":  []string{"status", "lastms", "tracks", "inputs", "outputs"}, "longform": true,
		},
	})
}

// until polls until the answer pleases.
func (h *host) until(t *testing.T, name string, pleases func(object) bool) object {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		got := h.poll(t, name)
		if pleases(got) {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "host did not get there", "%v", got)
		}
	}
}

// lastMS is the newest media time of a stream in a poll's answer, -1 if it is off.
func lastMS(answer object, stream string) float64 {
	streams, _ := answer["active_streams"].(object)
	one, _ := streams[stream].(object)
	ms, ok := one["lastms"].(float64)
	if !ok {
		return -1
	}
	return ms
}

// process is a running MistProcLivepeer.
type process struct {
	*exec.Cmd
	done chan struct{}
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs MistProcLivepeer as Weir does: it knows nothing but its path.
func (h *host) start(t *testing.T, config object) *process {
	t.Helper()
	text, err := json.Marshal(config)
	require.NoError(t, err)
	p := &process{Cmd: exec.Command(filepath.Join(h.dir, "MistProcLivepeer"), "-", "--debug", "4", "--kickoff"), done: make(chan struct{}), log: &lockedBuffer{}}
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.Stdin, p.Stderr = strings.NewReader(string(text)), p.log
	require.NoError(t, p.Start())
	go func() {
		_ = p.Wait() // tests read the exit code
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		if t.Failed() {
			const tail = 1500
			text := p.log.String()
			t.Log(text[max(0, len(text)-tail):])
		}
	})
	return p
}

// exitCode waits for the end.
func (p *process) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.FailNow(t, "process did not end")
	}
	return p.ProcessState.ExitCode()
}

// unhurried is how long a Broadcaster, and who asks it, waits for a machine that is busy with
// other tests.
const unhurried = time.Minute

// startBroadcaster serves a real one in this process.
func startBroadcaster(t *testing.T) (*broadcaster.Broadcaster, string) {
	t.Helper()
	b, err := broadcaster.New(&broadcaster.Config{LeastInFlight: unhurried, Timeout: unhurried})
	require.NoError(t, err, "apt-get install ffmpeg")
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
}

// serve serves a handler and returns its address.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// await waits for an event, or for the end of the request that waits.
func await(r *http.Request, event <-chan struct{}) {
	_, _ = io.Copy(io.Discard, r.Body) // else the end of its connection is not seen
	select {
	case <-event:
	case <-r.Context().Done():
	}
}

// run runs a tool and returns what it prints.
func run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s (apt-get install ffmpeg)", tool, args, out)
	return string(out)
}

// probe is a file as the recordings describe it.
type probe struct {
	width, height, frames int
}

func probeFile(t *testing.T, path string) probe {
	t.Helper()
	out := run(t, "ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0",
		"-show_entries", "stream=width,height,nb_read_packets", "-of", "csv=p=0", path)
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	part := strings.Split(strings.TrimRight(line, ","), ",")
	require.Len(t, part, 3, out)
	var n [3]int
	for i := range n {
		v, err := strconv.Atoi(part[i])
		require.NoError(t, err)
		n[i] = v
	}
	return probe{width: n[0], height: n[1], frames: n[2]}
}

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// Fields of a process as statOf lists them.
const (
	statState   = 0
	statSession = 3
	statFields  = 50
)

func isZombie(pid int) bool { return statOf(pid)[statState] == "Z" }

// statOf lists the fields of a process behind its name; they are empty when it is gone.
func statOf(pid int) []string {
	data, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		return make([]string, statFields)
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}
