package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	program, _, next := builds(t)
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

// TestUpgradeWithoutAGap: a fleet goes over to the next release, a daemon after the other,
// while requests come in. Each of them is answered, and each is one transcode.
func TestUpgradeWithoutAGap(t *testing.T) {
	t.Parallel()
	program, next, admin := builds(t)
	database := dbtest.Empty(t)
	pool, err := db.Open(t.Context(), database, 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = db.Migrate(t.Context(), pool)
	require.NoError(t, err)

	fleet := []*running{start(t, program, database), start(t, program, database)}
	door := &balancer{}
	door.set(fleet)
	stop, answered := make(chan struct{}), make(chan int)
	const callers = 3
	for caller := range callers {
		go func() {
			sent := 0
			defer func() { answered <- sent }()
			for ; ; sent++ {
				select {
				case <-stop:
					return
				default:
				}
				if !door.submit(t, fmt.Sprintf("caller-%d-%d", caller, sent)) {
					return
				}
			}
		}()
	}
	out, err := exec.CommandContext(t.Context(), admin, "db", "migrate", "--database-url", database).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i, old := range fleet {
		// As a load balancer does it that asks /readyz: the new one is taken in before the old one goes.
		newer := start(t, next, database)
		both := append([]*running{newer}, fleet...)
		fleet[i] = newer
		door.set(both)
		require.True(t, old.ready(t), "the release before stays ready on the newer schema")
		door.set(fleet)
		old.stop(t)
	}
	close(stop)
	sent := 0
	for range callers {
		sent += <-answered
	}
	require.Empty(t, door.refused())
	require.Positive(t, sent)
	var rows int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.transcodes").Scan(&rows))
	require.Equal(t, sent, rows)
	t.Logf("%d requests, %d of them sent a second time as their connection went with a daemon", sent, door.again.Load())
}

// balancer is a load balancer as its callers see it: where a connection breaks it sends
// the request to the next daemon. Requests have an external_id, so that this is safe.
type balancer struct {
	mu     sync.Mutex
	urls   []string
	wrong  []string
	again  atomic.Int64
	turned atomic.Int64
}

func (b *balancer) set(fleet []*running) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.urls = nil
	for _, r := range fleet {
		b.urls = append(b.urls, r.url)
	}
}

func (b *balancer) refused() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrong
}

// submit reports whether the request was accepted.
func (b *balancer) submit(t *testing.T, id string) bool {
	b.mu.Lock()
	urls := slices.Clone(b.urls)
	b.mu.Unlock()
	said := "nobody was there"
	first := int(b.turned.Add(1))
	for try := range urls {
		if try > 0 {
			b.again.Add(1)
		}
		resp, err := post(t, urls[(first+try)%len(urls)], id)
		if err != nil {
			said = err.Error()
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusOK {
			return true
		}
		said = resp.Status
		break
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, id+": "+said)
	return false
}

// builds are this release's daemon, and the next one's daemon and admin: this code with
// one migration more, which adds what no program of this release knows.
func builds(t *testing.T) (daemon, next, admin string) {
	t.Helper()
	folder, newer := t.TempDir(), t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	at := filepath.Join(root, "db", "migrations")
	text, err := os.ReadFile(filepath.Join(at, "migrations.go"))
	require.NoError(t, err)
	const latest = "const Latest = %d\n"
	latestNow := strings.Replace(string(text), fmt.Sprintf(latest, migrations.Latest), fmt.Sprintf(latest, migrations.Latest+1), 1)
	require.NotEqual(t, string(text), latestNow)
	name := fmt.Sprintf("%06d_next", migrations.Latest+1)
	replace := map[string]string{}
	for file, content := range map[string]string{
		"migrations.go":    latestNow,
		name + ".up.sql":   "ALTER TABLE weir.transcodes ADD COLUMN next text NOT NULL DEFAULT ''; CREATE TABLE weir.next (id int);",
		name + ".down.sql": "DROP TABLE weir.next; ALTER TABLE weir.transcodes DROP COLUMN next;",
	} {
		replace[filepath.Join(at, file)] = filepath.Join(folder, file)
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "overlay.json"), overlay, 0o600))
	for _, args := range [][]string{
		{"-o", folder + "/", "./cmd/daemon"},
		{"-o", newer + "/", "-overlay", filepath.Join(folder, "overlay.json"), "./cmd/admin", "./cmd/daemon"},
	} {
		build := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...)
		build.Dir = root
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return filepath.Join(folder, "daemon"), filepath.Join(newer, "daemon"), filepath.Join(newer, "admin")
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
	// Its context outlives the test, whose clean-up stops it.
	r := &running{process: exec.CommandContext(context.WithoutCancel(t.Context()), program)}
	r.process.Env = []string{
		"WEIR_DATABASE_URL=" + database, "WEIR_WORKER=false", "WEIR_METRICS_LISTEN=", "WEIR_API_LISTEN=127.0.0.1:0", "WEIR_API_TOKENS=studio=" + token,
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
	r.url = listensAt(t, func() string {
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		return string(text)
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
	resp, err := post(t, r.url, "")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
}

// post asks the daemon at url for a transcode, under an external_id if there is one.
func post(t *testing.T, url, externalID string) (*http.Response, error) {
	body := map[string]any{
		"source": map[string]string{"url": "s3+https://s3.example/media/in/clip.mp4"}, "output": map[string]string{"url": "s3+https://s3.example/media/out/clip"},
		"callback_url": "https://studio.example/hook", "profiles": []any{map[string]any{"name": "720p", "width": 1280, "height": 720, "bitrate": 1000000}},
	}
	if externalID != "" {
		body["external_id"] = externalID
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/transcodes", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultClient.Do(req)
}
