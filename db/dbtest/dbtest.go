// Package dbtest gives every test a Postgres database of its own, cloned from one
// migrated template.
package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/migrations"
)

const (
	// EnvURL names the variable with a superuser's URL of the test server.
	EnvURL = "WEIR_TEST_DATABASE_URL"
	// templateLock lets one test process make the template while others wait.
	templateLock = 8447110003
	// setupTimeout covers making the template on a machine that is busy building.
	setupTimeout = 2 * time.Minute
	// heldFor is for how long a test may hold a transaction open while others are at work: what
	// that takes is the machine's, and no vanished daemon's.
	heldFor = "5min"
	// maxConns of a test's pool: enough for its eight ways at once and a River client.
	maxConns = 24
)

// New returns a pool on a database of this test alone, migrated to the latest
// schema; both are gone when the test ends. Without a server the test fails.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := db.Open(tb.Context(), With(tb, URL(tb), map[string]string{"idle_in_transaction_session_timeout": heldFor}), maxConns)
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

// URL returns the URL of a migrated database of this test alone.
func URL(tb testing.TB) string {
	tb.Helper()
	return create(tb, template(tb))
}

// Empty returns the URL of a database of this test alone with nothing in it.
func Empty(tb testing.TB) string {
	tb.Helper()
	return create(tb, "template0")
}

// With returns a database's URL with more settings of Postgres in its query.
func With(tb testing.TB, databaseURL string, settings map[string]string) string {
	tb.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(tb, err)
	query := u.Query()
	for name, value := range settings {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func server(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(EnvURL)
	if server == "" {
		tb.Fatalf("%s is not set: run the tests by `make test`, which starts a private Postgres", EnvURL)
	}
	return server
}

func connect(ctx context.Context, tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(tb, err, "connect to the Postgres of %s", EnvURL)
	return conn
}

func create(tb testing.TB, template string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), setupTimeout)
	defer cancel()
	admin := connect(ctx, tb, server(tb))
	defer func() { _ = admin.Close(ctx) }()
	name := "weir_test_" + uuid.NewString()
	_, err := admin.Exec(ctx, fmt.Sprintf(`CREATE DATABASE %q TEMPLATE %q`, name, template))
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), setupTimeout)
		defer cancel()
		admin := connect(ctx, tb, server(tb))
		defer func() { _ = admin.Close(ctx) }()
		_, err := admin.Exec(ctx, fmt.Sprintf(`DROP DATABASE %q WITH (FORCE)`, name))
		require.NoError(tb, err)
	})
	return inDatabase(tb, name)
}

func inDatabase(tb testing.TB, name string) string {
	tb.Helper()
	u, err := url.Parse(server(tb))
	require.NoError(tb, err)
	u.Path = "/" + name
	return u.String()
}

// template makes the migrated template once per set of migrations.
func template(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), setupTimeout)
	defer cancel()
	name := "weir_template_" + fingerprint(tb)
	admin := connect(ctx, tb, server(tb))
	defer func() { _ = admin.Close(ctx) }()
	_, err := admin.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock)
	require.NoError(tb, err)
	var ready bool
	require.NoError(tb, admin.QueryRow(ctx,
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&ready))
	if ready {
		return name
	}
	_, err = admin.Exec(ctx, fmt.Sprintf(`DROP DATABASE IF EXISTS %q`, name))
	require.NoError(tb, err)
	_, err = admin.Exec(ctx, fmt.Sprintf(`CREATE DATABASE %q TEMPLATE template0`, name))
	require.NoError(tb, err)
	pool, err := db.Open(ctx, inDatabase(tb, name), maxConns)
	require.NoError(tb, err)
	_, err = db.Migrate(ctx, pool)
	pool.Close()
	require.NoError(tb, err)
	_, err = admin.Exec(ctx, fmt.Sprintf(`ALTER DATABASE %q IS_TEMPLATE true`, name))
	require.NoError(tb, err)
	return name
}

func fingerprint(tb testing.TB) string {
	tb.Helper()
	hash := sha256.New()
	require.NoError(tb, fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := migrations.FS.ReadFile(path)
		hash.Write([]byte(path))
		hash.Write(text)
		return err
	}))
	return hex.EncodeToString(hash.Sum(nil))[:16]
}
