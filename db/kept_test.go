package db_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
)

// TestKeptAsTheURLSays: behind a PgBouncer statements are prepared anew each time, but where the
// URL has them kept; and they are not where nothing keeps them, or they would be planned badly.
func TestKeptAsTheURLSays(t *testing.T) {
	t.Parallel()
	databaseURL := dbtest.With(t, dbtest.URL(t), map[string]string{"statement_timeout": "9s", "lock_timeout": "9s", "idle_in_transaction_session_timeout": "9s"})
	pooled := func(settings map[string]string) *pgxpool.Pool {
		pool, err := db.OpenPooled(t.Context(), dbtest.With(t, databaseURL, settings), 1)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	for _, settings := range []map[string]string{nil, {"default_query_exec_mode": "exec"}} {
		pool := pooled(settings)
		require.NoError(t, db.CheckPooled(t.Context(), pool), settings)
		require.Equal(t, pgx.QueryExecModeCacheDescribe, pool.Config().ConnConfig.DefaultQueryExecMode, settings)
		var prepared int
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements").Scan(&prepared))
		require.Zero(t, prepared)
	}
	settings := map[string]string{"default_query_exec_mode": db.Keep}
	pool := pooled(settings)
	require.Equal(t, pgx.QueryExecModeCacheStatement, pool.Config().ConnConfig.DefaultQueryExecMode)
	err := db.CheckPooled(t.Context(), pool)
	require.ErrorIs(t, err, db.ErrForgets)
	require.ErrorContains(t, err, fmt.Sprintf("`ALTER ROLE %[1]q SET enable_seqscan = off; ALTER ROLE %[1]q SET jit = off; "+
		"ALTER ROLE %[1]q SET plan_cache_mode = force_generic_plan;`", pool.Config().ConnConfig.User))

	maps.Copy(settings, map[string]string{"enable_seqscan": "off", "jit": "off", "plan_cache_mode": "force_generic_plan"})
	err = db.CheckPooled(t.Context(), pooled(settings))
	require.ErrorIs(t, err, db.ErrForgets, "Postgres itself has them on one connection alone")
	require.ErrorContains(t, err, "WEIR_DATABASE_URL has default_query_exec_mode=cache_statement")
	require.ErrorContains(t, err, "max_prepared_statements = 200; else leave it out")
}
