package main

import (
	"context"
	"encoding/json"
	"fmt"
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

// TestUpgrade: the next release migrates the schema while this one's daemon runs, which
// stays ready, takes requests, and may be started again.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	program, next := builds(t)
	database := dbtest.Empty(t)
	pool, err := db.Open(t.Context(), database, 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = db.Migrate(t.Context(), pool)
	require.NoError(t, err)

	daemon := start(t, program, database)
	daemon.submit(t)
	out, err := exec.CommandContext(t.Context(), next, "db", "migrate", "--database-url", database).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var version int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT version FROM weir.schema_migrations").Scan(&version))
	require.Equal(t, migrations.Latest+1, version)
	require.True(t, daemon.ready(t))
	daemon.submit(t)

	daemon.stop(t)
	daemon = start(t, program, database)
	daemon.submit(t)
}

// builds are this release's daemon, and the next one's admin: this code with one
// migration more, which adds what no program of this release knows.
func builds(t *testing.T) (daemon, admin string) {
	t.Helper()
	folder := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	at := filepath.Join(root, "db", "migrations")
	text, err := os.ReadFile(filepath.Join(at, "migrations.go"))
	require.NoError(t, err)
	const latest = "const Latest = %d\n"
	newer := strings.Replace(string(text), fmt.Sprintf(latest, migrations.Latest), fmt.Sprintf(latest, migrations.Latest+1), 1)
	require.NotEqual(t, string(text), newer)
	name := fmt.Sprintf("%06d_next", migrations.Latest+1)
	replace := map[string]string{}
	for file, content := range map[string]string{
		"migrations.go":    newer,
		name + ".up.sql":   "ALTER TABLE weir.transcodes ADD COLUMN next text NOT NULL DEFAULT ''; CREATE TABLE weir.next (id int);",
		name + ".down.sql": "DROP TABLE weir.next; ALTER TABLE weir.transcodes DROP COLUMN next;",
	} {
		replace[filepath.Join(at, file)] = filepath.Join(folder, file)
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "overlay.json"), overlay, 0o600))
	for _, args := range [][]string{{"./cmd/daemon"}, {"-overlay", filepath.Join(folder, "overlay.json"), "./cmd/admin"}} {
		build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", folder + "/"}, args...)...)
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return filepath.Join(folder, "daemon"), filepath.Join(folder, "admin")
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
		"WEIR_DATABASE_URL=" + database, "WEIR_WORKER=false", "WEIR_METRICS_LISTEN=", "WEIR_API_LISTEN=" + address, "WEIR_API_TOKENS=studio=" + token,
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
		"source": {"url": "s3+https://s3.example/media/in/clip.mp4"}, "output": {"url": "s3+https://s3.example/media/out/clip"}, "callback_url": "https://studio.example/hook",
		"profiles": [{"name": "720p", "width": 1280, "height": 720, "bitrate": 1000000}]}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
}
