package db_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
)

// planned counts the plans that were made of lists on the one connection: for any parameters, and
// for those that were given.
const planned = `SELECT COALESCE(sum(generic_plans), 0)::int, COALESCE(sum(custom_plans), 0)::int
  FROM pg_prepared_statements WHERE statement LIKE '-- name: TranscodeList %'`

// TestPlannedOnce: a statement has one plan whatever it is given, but what is Replanned has one
// for each time, within a transaction and outside of one.
func TestPlannedOnce(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.URL(t), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	plans := func() (generic, custom int) {
		require.NoError(t, pool.QueryRow(t.Context(), planned).Scan(&generic, &custom))
		return generic, custom
	}
	list := func(ctx context.Context, on dbsqlc.DBTX) {
		_, err := dbsqlc.New().TranscodeList(ctx, on, dbsqlc.TranscodeListParams{PageSize: 1})
		require.NoError(t, err)
	}
	list(t.Context(), pool)
	generic, custom := plans()
	require.Equal(t, []int{1, 0}, []int{generic, custom})
	list(t.Context(), db.Replanned{On: pool})
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		list(t.Context(), db.Replanned{On: tx})
		return nil
	}))
	generic, custom = plans()
	require.Equal(t, []int{1, 2}, []int{generic, custom})
	list(t.Context(), pool)
	generic, custom = plans()
	require.Equal(t, []int{2, 2}, []int{generic, custom}, "the setting went with its transaction")
}

// TestReplannedExec: what it changes is told, and a setting of the URL wins.
func TestReplannedExec(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.With(t, dbtest.URL(t), map[string]string{"plan_cache_mode": "auto"}), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	tag, err := db.Replanned{On: pool}.Exec(t.Context(), "INSERT INTO weir.tenants (name) VALUES ($1), ($2)", "a", "b")
	require.NoError(t, err)
	require.EqualValues(t, 2, tag.RowsAffected())
	var mode string
	require.NoError(t, pool.QueryRow(t.Context(), "SHOW plan_cache_mode").Scan(&mode))
	require.Equal(t, "auto", mode)
}

// TestPlannedForLargeTables: the one plan of a statement reads no table whole, however small the
// table was when it was made; what is Replanned may.
func TestPlannedForLargeTables(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.URL(t), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	plan := func(on dbsqlc.DBTX) string {
		rows, err := on.Query(t.Context(), "EXPLAIN SELECT FROM weir.hosts WHERE id = 'mist-1'")
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return strings.Join(lines, "\n")
	}
	_, err = pool.Exec(t.Context(), "INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('mist-1', gen_random_uuid(), 1, now())")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "ANALYZE weir.hosts")
	require.NoError(t, err)
	require.Contains(t, plan(db.Replanned{On: pool}), "Seq Scan", "it has one row")
	require.NotContains(t, plan(pool), "Seq Scan")
	var jit string
	require.NoError(t, pool.QueryRow(t.Context(), "SHOW jit").Scan(&jit))
	require.Equal(t, "off", jit)
}
