package db_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
)

// patience of these tests with a machine that is busy.
const patience = 30 * time.Second

func setting(t *testing.T, pool *pgxpool.Pool, name string) (value string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value))
	return value
}

func TestNothingIsWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	databaseURL := dbtest.Empty(t)
	pool := open(t, databaseURL)
	for name, want := range map[string]string{
		"idle_in_transaction_session_timeout": "10s", "lock_timeout": "15s", "statement_timeout": "90s",
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "20000",
	} {
		require.Equal(t, want, setting(t, pool, name), name)
	}
	pool = open(t, dbtest.With(t, databaseURL, map[string]string{"lock_timeout": "3s", "statement_timeout": ""}))
	require.Equal(t, "3s", setting(t, pool, "lock_timeout"), "the URL's wins")
	require.Equal(t, "0", setting(t, pool, "statement_timeout"), "the server's")
}

// short are bounds that a test waits out ([waitedOut]). What is done within them is done in time
// on a busy machine too.
func short(t *testing.T, databaseURL string) string {
	t.Helper()
	return dbtest.With(t, databaseURL, map[string]string{
		"idle_in_transaction_session_timeout": "1s", "lock_timeout": "1s", "statement_timeout": "1s",
	})
}

// waitedOut is longer than all of them.
const waitedOut = "1500 ms"

// A migrator waits for another for as long as that one works.
func TestMigrationsTakeTheirTime(t *testing.T) {
	t.Parallel()
	databaseURL := dbtest.Empty(t)
	other, err := open(t, databaseURL).Acquire(t.Context())
	require.NoError(t, err)
	defer other.Release()
	_, err = other.Exec(t.Context(), "SELECT pg_advisory_lock(8447110002)")
	require.NoError(t, err)

	migrated := make(chan error, 1)
	pool := open(t, short(t, databaseURL))
	go func() {
		_, err := db.Migrate(t.Context(), pool)
		migrated <- err
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
			AND wait_event = 'advisory' AND query_start < now() - $1::interval)`, waitedOut).Scan(&waits)
		return err == nil && waits
	}, patience, 10*time.Millisecond)
	_, err = other.Exec(t.Context(), "SELECT pg_advisory_unlock(8447110002)")
	require.NoError(t, err)
	require.NoError(t, <-migrated)
}

// A connection that only listens is idle, and nothing ends it.
func TestListeningTakesItsTime(t *testing.T) {
	t.Parallel()
	databaseURL := dbtest.Empty(t)
	pool := open(t, databaseURL)
	listener, err := open(t, short(t, databaseURL)).Acquire(t.Context())
	require.NoError(t, err)
	defer listener.Release()
	_, err = listener.Exec(t.Context(), "LISTEN news")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		tag, err := pool.Exec(t.Context(), `SELECT pg_notify('news', '') FROM pg_stat_activity
			WHERE datname = current_database() AND query = 'LISTEN news' AND state_change < now() - $1::interval`, waitedOut)
		return err == nil && tag.RowsAffected() == 1
	}, patience, 10*time.Millisecond)
	_, err = listener.Conn().WaitForNotification(t.Context())
	require.NoError(t, err)
}
