package roles_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
	"weir/db/roles"
)

// TestOwnerSeesSessions: whoever owns the function that tells of transactions is let see them
// by who may do so; where nobody may, the line that a superuser needs is said, and the rights
// are told all the same.
func TestOwnerSeesSessions(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	exec := func(format string, args ...any) {
		t.Helper()
		_, err := pool.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf(format, args...))
		require.NoError(t, err)
	}
	owner, plain, password := "weir_test_"+uuid.NewString(), "weir_test_"+uuid.NewString(), uuid.NewString()
	exec("CREATE ROLE %q", owner)
	dbtest.DropRole(t, pool, owner)
	exec("ALTER FUNCTION weir.open_transactions OWNER TO %q", owner)
	t.Cleanup(func() { exec("ALTER FUNCTION weir.open_transactions OWNER TO CURRENT_USER") })
	var superuser string
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_user").Scan(&superuser))
	// It has the rights of the owner of all of it, and is no superuser.
	exec("CREATE ROLE %q LOGIN PASSWORD '%s' IN ROLE %q, %q", plain, password, superuser, owner)
	dbtest.DropRole(t, pool, plain)

	config := pool.Config().ConnConfig.Copy()
	config.User, config.Password = plain, password
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) })
	exec("REVOKE SELECT ON weir.v_transcodes FROM %s", roles.Readonly)
	done, err := roles.Renew(t.Context(), conn)
	require.NoError(t, err)
	require.True(t, done.Changed)
	require.Contains(t, done.Did, fmt.Sprintf("role %s, which owns the schema, sees no transactions of other roles: as a superuser, GRANT pg_read_all_stats TO %q", owner, owner))
	done, err = roles.Renew(t.Context(), conn)
	require.NoError(t, err)
	require.False(t, done.Changed)

	done, err = roles.Renew(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done.Changed)
	require.Contains(t, done.Did, fmt.Sprintf("role %s, which owns the schema, sees the transactions of all roles", owner))
	done, err = roles.Renew(t.Context(), pool)
	require.NoError(t, err)
	require.False(t, done.Changed)
}

const (
	// waitsWithin is far more than a statement takes to come to a lock, on a machine that is busy too.
	waitsWithin = 30 * time.Second
	// lookEvery costs Postgres nothing to speak of.
	lookEvery = 10 * time.Millisecond
)

// TestMemberDroppedMeanwhile: members are somebody else's, who may drop one while it is looked at.
func TestMemberDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	member := "weir_test_" + uuid.NewString()
	_, err = pool.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %q LOGIN IN ROLE %q", member, roles.Admin))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := pool.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("DROP ROLE IF EXISTS %q", member))
		require.NoError(t, err)
	})
	dropping, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer dropping.Rollback(context.WithoutCancel(t.Context()))
	_, err = dropping.Exec(t.Context(), fmt.Sprintf("DROP ROLE %q", member))
	require.NoError(t, err)
	made := make(chan error, 1)
	go func() {
		_, err := roles.Make(t.Context(), pool)
		made <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'ALTER ROLE%' AND wait_event_type = 'Lock')`).Scan(&waits)
		return err == nil && waits
	}, waitsWithin, lookEvery)
	require.NoError(t, dropping.Commit(t.Context()))
	require.NoError(t, <-made)
}
