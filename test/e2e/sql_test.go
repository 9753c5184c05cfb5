package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// asDaemon makes daemons log in as a role that may what weir_daemon may and no more: all
// tests here are tests of its rights, too. The schema is its owner's.
func asDaemon(cfg *devstack.Config) func(host int, settings map[string]string) error {
	return func(_ int, settings map[string]string) error {
		ctx := context.Background()
		owner := settings["WEIR_DATABASE_URL"]
		roles := exec.CommandContext(ctx, filepath.Join(cfg.BinDir, "weir-admin"), "db", "roles")
		roles.Env = append(os.Environ(), "WEIR_DATABASE_URL="+owner)
		if out, err := roles.CombinedOutput(); err != nil {
			return fmt.Errorf("make the roles: %w: %s", err, out)
		}
		as, err := login(ctx, secret.Secret(owner), "IN ROLE weir_daemon")
		settings["WEIR_DATABASE_URL"] = string(as)
		return err
	}
}

// login makes a role with a password of its own and returns how it logs in.
func login(ctx context.Context, owner secret.Secret, in string) (as secret.Secret, err error) {
	u, err := url.Parse(string(owner))
	if err != nil {
		return "", fmt.Errorf("read the database's address: %w", err)
	}
	conn, err := pgx.Connect(ctx, string(owner))
	if err != nil {
		return "", fmt.Errorf("connect as the owner: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	name, password := "weir_test_"+strings.ToLower(rand.Text()), rand.Text()
	if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' %s", name, password, in)); err != nil {
		return "", fmt.Errorf("make a role: %w", err)
	}
	u.User = url.UserPassword(name, password)
	return secret.Secret(u.String()), nil
}

// TestBySQL: a request in a transaction of the caller's, through the whole system.
func TestBySQL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Admin(b.ctx, "db", "roles")
	require.NoError(t, err)
	as, err := login(b.ctx, b.Database, "")
	require.NoError(t, err)
	u, err := url.Parse(string(as))
	require.NoError(t, err)
	_, err = b.Admin(b.ctx, "db", "speaker", u.User.Username(), "studio")
	require.NoError(t, err)
	conn, err := pgx.Connect(b.ctx, string(as))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(b.ctx)) }()

	source, facts := b.source(t, plain())
	body, err := json.Marshal(b.request(t, source))
	require.NoError(t, err)
	enqueue := func(end func(pgx.Tx) error) (id string) {
		tx, err := conn.Begin(b.ctx)
		require.NoError(t, err)
		require.NoError(t, tx.QueryRow(b.ctx, "SELECT weir.enqueue_transcode($1)::text", body).Scan(&id))
		require.NoError(t, end(tx))
		return id
	}
	gone := enqueue(func(tx pgx.Tx) error { return tx.Rollback(b.ctx) })
	id := enqueue(func(tx pgx.Tx) error { return tx.Commit(b.ctx) })
	b.succeeds(t, id, facts)
	_, err = b.API.Do(b.ctx, http.MethodGet, "/v1/transcodes/"+gone, nil)
	require.ErrorContains(t, err, "404")
	var state string
	require.NoError(t, conn.QueryRow(b.ctx, "SELECT state FROM weir.my_transcodes WHERE id = $1", id).Scan(&state))
	require.Equal(t, "succeeded", state)
}
