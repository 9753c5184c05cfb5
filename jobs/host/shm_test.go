package host

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/engine"
	"weir/jobs/jobstest"
	"weir/mist"
)

func cleaned(t *testing.T, b *jobstest.Bundle, ago time.Duration) engine.Name {
	t.Helper()
	transcode := b.Start(t, b.Accept(t, "a").ID)
	b.Exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now() - make_interval(secs => $2) WHERE transcode_id = $1",
		transcode.ID, ago.Seconds())
	return engine.Name{Transcode: transcode.ID, Attempt: 1}
}

func page(t *testing.T, dir string, name engine.Name) string {
	t.Helper()
	path := filepath.Join(dir, "MstData"+mist.Name(name).Source()+"@0_1")
	require.NoError(t, os.WriteFile(path, []byte("page"), 0o600))
	return path
}

// looked is a look of a host.
func looked(t *testing.T, h *Host) *look {
	t.Helper()
	l, err := h.look(t.Context())
	require.NoError(t, err)
	return l
}

// silentMist is one that nobody runs.
func silentMist(t *testing.T, programs, shm string) *mist.Engine {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := mist.New(&mist.Config{URL: server.URL + "/api2"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &mist.Engine{Client: client, BinDir: programs, ShmDir: shm}
}

// Memory goes when its attempt was cleaned up or is unknown, is old enough, and nothing
// of Mist runs for it.
func TestSweepShm(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	dir := t.TempDir()
	m := silentMist(t, t.TempDir(), dir)
	h := &Host{ID: jobstest.Host, DB: b.Pool, Log: jobstest.Silent(), Spool: t.TempDir(), Engine: m}
	h.clock.set(time.Now(), time.Now())
	opened := b.Start(t, b.Accept(t, "a").ID)
	old, fresh, used := cleaned(t, b, 2*pageGrace), cleaned(t, b, 0), cleaned(t, b, 2*pageGrace)
	unknown, stranger := engine.Name{Transcode: uuid.New(), Attempt: 1}, engine.Name{Transcode: uuid.New(), Attempt: 1}
	gone := []string{page(t, dir, old), page(t, dir, unknown)}
	stays := []string{page(t, dir, engine.Name{Transcode: opened.ID, Attempt: 1}), page(t, dir, fresh), page(t, dir, used), page(t, dir, stranger)}
	longAgo := time.Now().Add(-strangeFor)
	require.NoError(t, os.Chtimes(gone[1], longAgo, longAgo))
	input := mistInput(t, used)

	require.NoError(t, h.sweepShm(t.Context(), looked(t, h)))
	for _, path := range gone {
		require.NoFileExists(t, path)
	}
	for _, path := range stays {
		require.FileExists(t, path)
	}
	input()
	require.NoError(t, h.sweepShm(t.Context(), looked(t, h)))
	require.NoFileExists(t, stays[2])
	require.FileExists(t, stays[0])

	m.ShmDir = filepath.Join(dir, "elsewhere")
	require.NoError(t, h.sweepShm(t.Context(), looked(t, h)), "Mist keeps its memory elsewhere")
}

// mistInput runs a program that looks like Mist's input for name, until end.
func mistInput(t *testing.T, name engine.Name) (end func()) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "MistInTS")
	require.NoError(t, os.Symlink(shell, program))
	cmd := exec.Command(program, "-c", "echo; read line", mist.Name(name).Source())
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = stdout.Read(make([]byte, 1)) // it runs under its name
	require.NoError(t, err)
	end = sync.OnceFunc(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	return end
}

// mistStand is a Mist with streams in it; it takes down what it is told to nuke.
type mistStand struct {
	streams map[string]any
	mu      sync.Mutex
	nuked   []string
}

func (m *mistStand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var cmd map[string]any
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &cmd)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if stream, ok := cmd["nuke_stream"].(string); ok {
		m.nuked = append(m.nuked, stream)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"LTS": 1, "authorize": map[string]any{"status": "OK"}, "streams": map[string]any{},
		"active_streams": m.streams, "push_list": nil, "proc_list": map[string]any{},
	})
}

// Streams that have ended stay on Mist's list for half a minute: they are no orphans. Nor
// are those of attempts that no row knows: Mist may serve another Weir.
func TestSweepLeavesOfflineStreams(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	offline, online := cleaned(t, b, time.Minute), cleaned(t, b, time.Minute)
	stranger := engine.Name{Transcode: uuid.New(), Attempt: 1}
	stand := &mistStand{streams: map[string]any{
		mist.Name(offline).Source():    map[string]any{"status": "Offline"},
		mist.Name(offline).Rendition(): map[string]any{"status": "Offline"},
		mist.Name(online).Source():     map[string]any{"status": "Online"},
		mist.Name(stranger).Source():   map[string]any{"status": "Online"},
	}}
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	client, err := mist.New(&mist.Config{URL: server.URL + "/api2"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	h := &Host{ID: jobstest.Host, DB: b.Pool, Log: jobstest.Silent(), Spool: t.TempDir(), Engine: &mist.Engine{Client: client, BinDir: t.TempDir()}}
	require.NoError(t, h.removeStreams(t.Context(), looked(t, h)))
	require.ElementsMatch(t, []string{mist.Name(online).Source(), mist.Name(online).Rendition()}, stand.nuked)
}
