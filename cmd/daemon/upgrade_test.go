package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
	"weir/db/migrations"
)

const (
	// patience of this test with a machine that is busy.
	patience = 2 * time.Minute
	token    = "token-of-studio"
)

// TestUpgrade: the schema is migrated while a daemon of the release before runs, which
// stays ready, takes requests, and may be started again.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	programs := before(t)
	database := dbtest.Empty(t)
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, "admin"), "db", "migrate", "--database-url", database).CombinedOutput()
	require.NoError(t, err, "%s", out)
	pool, err := db.Open(t.Context(), database, 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaTooOld)

	daemon := start(t, filepath.Join(programs, "daemon"), database)
	daemon.submit(t)
	_, err = db.Migrate(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, daemon.ready(t))
	daemon.submit(t)

	daemon.stop(t)
	daemon = start(t, filepath.Join(programs, "daemon"), database)
	daemon.submit(t)
}

// before builds the daemon and the admin of the release before this one. As long as
// there is none, it is this code, built for the schema before its newest migration.
func before(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	at := filepath.Join(root, "db", "migrations")
	names, err := fs.Glob(migrations.FS, fmt.Sprintf("%06d_*.sql", migrations.Latest))
	require.NoError(t, err)
	require.Len(t, names, 2)
	text, err := os.ReadFile(filepath.Join(at, "migrations.go"))
	require.NoError(t, err)
	const latest = "const Latest = %d\n"
	older := strings.Replace(string(text), fmt.Sprintf(latest, migrations.Latest), fmt.Sprintf(latest, migrations.Latest-1), 1)
	require.NotEqual(t, string(text), older)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "migrations.go"), []byte(older), 0o600))

	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(at, "migrations.go"): filepath.Join(folder, "migrations.go"),
		filepath.Join(at, names[0]):        "", filepath.Join(at, names[1]): "", // not there
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "overlay.json"), overlay, 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(folder, "overlay.json"), "-o", folder+"/",
		"./cmd/daemon", "./cmd/admin")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return folder
}

// running is a daemon that leads and works for no Mist.
type running struct {
	url     string
	process *exec.Cmd
	ended   bool
}

// start returns a daemon that is ready.
func start(t *testing.T, program, database string) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	// Its context outlives the test, whose clean-up stops it.
	r := &running{url: "http://" + address, process: exec.CommandContext(context.WithoutCancel(t.Context()), program)}
	r.process.Env = []string{
		"WEIR_DATABASE_URL=" + database, "WEIR_WORKER=false", "WEIR_API_LISTEN=" + address, "WEIR_API_TOKENS=studio=" + token,
		"WEIR_SECRET_KEY=" + strings.Repeat("07", 32),
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	r.process.Stderr = log
	require.NoError(t, r.process.Start())
	t.Cleanup(func() {
		r.stop(t)
		require.NoError(t, log.Close())
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s%v", text, err)
		}
	})
	require.Eventually(t, func() bool { return r.ready(t) }, patience, 100*time.Millisecond)
	return r
}

// stop ends it softly.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if r.ended {
		return
	}
	r.ended = true
	require.NoError(t, r.process.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.process.Wait())
}

func (r *running) ready(t *testing.T) bool {
	t.Helper()
	resp, err := http.Get(r.url + "/readyz")
	if err != nil {
		return false
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode == http.StatusOK
}

func (r *running) submit(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/transcodes", strings.NewReader(`{
		"source": {"url": "s3://media/in/clip.mp4"}, "output": {"url": "s3://media/out/clip"}, "callback_url": "https://studio.example/hook",
		"profiles": [{"name": "720p", "width": 1280, "height": 720, "bitrate": 1000000}]}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
}
