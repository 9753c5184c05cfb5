// Package node asks for transcodes by SQL from Node, as Studio does, and runs the examples
// of docs/sql.md.
package node

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
	"weir/db/roles"
)

const (
	guide = "../../docs/sql.md"
	// patience is for installing two dozen files, and for a thousand acceptances.
	patience = 3 * time.Minute
	conns    = 4
)

type bundle struct {
	url  string
	pool *pgxpool.Pool
}

// setup is a database with its roles, and Node's packages.
func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{url: dbtest.URL(t)}
	var err error
	b.pool, err = db.Open(t.Context(), b.url, conns)
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	_, err = roles.Make(t.Context(), b.pool)
	require.NoError(t, err)
	b.program(t, nil, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
	return b
}

// program runs one here, with variables of its own, and returns what it prints.
func (b *bundle) program(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", name, strings.Join(args, " "), out)
	return string(out)
}

// login gives a role a password and returns how it logs in.
func (b *bundle) login(t *testing.T, role string) string {
	t.Helper()
	password := uuid.NewString()
	_, err := b.pool.Exec(t.Context(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", pgx.Identifier{role}.Sanitize(), password))
	require.NoError(t, err)
	u, err := url.Parse(b.url)
	require.NoError(t, err)
	u.User = url.UserPassword(role, password)
	return u.String()
}

// speaker makes a role that speaks for a tenant.
func (b *bundle) speaker(t *testing.T, tenant string) string {
	t.Helper()
	role := "weir_test_" + uuid.NewString()
	_, err := roles.Speak(t.Context(), b.pool, role, tenant)
	require.NoError(t, err)
	dbtest.DropRole(t, b.pool, role)
	return b.login(t, role)
}

func (b *bundle) count(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// TestNode: a thousand requests in one transaction, while no daemon is up; then one comes,
// as weir_daemon, and accepts each of them for its tenant.
func TestNode(t *testing.T) {
	b := setup(t)
	out := b.program(t, []string{"STUDIO_URL=" + b.speaker(t, "studio"), "OTHER_URL=" + b.speaker(t, "other")}, "node", "--test", "enqueue.test.mjs")
	for _, line := range regexp.MustCompile(`(?m)^.*in one transaction.*$`).FindAllString(out, -1) {
		t.Log(line)
	}
	const all = 1010
	require.Equal(t, all, b.count(t, "SELECT count(*) FROM weir.inbox"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM weir.transcodes"))

	began := time.Now()
	b.daemon(t)
	require.Eventually(t, func() bool { return b.count(t, "SELECT count(*) FROM weir.inbox") == 0 }, patience, 10*time.Millisecond)
	t.Logf("%d accepted %s after the daemon's start", all, time.Since(began).Round(time.Millisecond))
	require.Equal(t, 1000, b.count(t, "SELECT count(*) FROM weir.transcodes WHERE tenant = 'studio' AND state = 'queued'"))
	require.Equal(t, 10, b.count(t, "SELECT count(*) FROM weir.transcodes WHERE tenant = 'other' AND state = 'queued'"))
	require.Equal(t, all, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'accept'"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM weir.transcodes t WHERE t::text LIKE '%SECRET%'"))
}

// daemon starts one that leads and works for no Mist, as a member of weir_daemon.
func (b *bundle) daemon(t *testing.T) {
	t.Helper()
	role := "weir_test_" + uuid.NewString()
	_, err := b.pool.Exec(t.Context(), "CREATE ROLE "+pgx.Identifier{role}.Sanitize()+" LOGIN IN ROLE "+roles.Daemon)
	require.NoError(t, err)
	dbtest.DropRole(t, b.pool, role)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(os.Getenv("WEIR_BIN_DIR"), "weir-daemon"))
	cmd.Env = []string{
		"WEIR_DATABASE_URL=" + b.login(t, role), "WEIR_WORKER=false", "WEIR_METRICS_LISTEN=", "WEIR_API_LISTEN=127.0.0.1:0", "WEIR_API_TOKENS=studio=token-of-studio-1",
		"WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_LOG_FORMAT=text",
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait())
		require.NoError(t, log.Close())
		text, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		require.NotContains(t, string(text), "SECRET")
		require.NotContains(t, string(text), "permission denied")
		if t.Failed() {
			t.Logf("%s", text)
		}
	})
}

// TestGuideRuns: the examples of docs/sql.md do what they say, in their order.
func TestGuideRuns(t *testing.T) {
	b := setup(t)
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	blocks := map[string][]string{}
	for _, block := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks[block[1]] = append(blocks[block[1]], block[2])
	}
	require.Len(t, blocks["sh"], 1)
	require.Len(t, blocks["sql"], 2)
	require.Len(t, blocks["js"], 1)
	require.Len(t, blocks, 3, "each kind is run")

	// Made before any example, as a reader has to.
	bin, err := filepath.Abs(os.Getenv("WEIR_BIN_DIR"))
	require.NoError(t, err)
	dbtest.DropRole(t, b.pool, "studio_app")
	b.program(t, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "WEIR_DATABASE_URL=" + b.url}, "bash", "-e", "-c", blocks["sh"][0])
	as := b.login(t, "studio_app")
	conn, err := pgx.Connect(t.Context(), as)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), blocks["sql"][0])
	require.NoError(t, err)
	file := "guide.mjs" // beside node_modules
	require.NoError(t, os.WriteFile(file, []byte(blocks["js"][0]), 0o600))
	defer func() { require.NoError(t, os.Remove(file)) }()
	id := strings.TrimSpace(b.program(t, []string{"DATABASE_URL=" + as}, "node", file))
	require.NoError(t, uuid.Validate(id))
	_, err = conn.Exec(t.Context(), blocks["sql"][1])
	require.NoError(t, err)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM weir.inbox WHERE tenant = 'studio' AND external_id LIKE 'task-471%'"))
}
