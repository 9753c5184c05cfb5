package db_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// TestViewsAreCommented: whoever looks by psql finds what each view and column is.
func TestViewsAreCommented(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	result, err := pool.Query(t.Context(), `
		SELECT c.relname || COALESCE('.' || a.attname, '') FROM pg_class c
		  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'weir'
		  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		 WHERE c.relkind = 'v' AND COALESCE(col_description(c.oid, a.attnum), '') = ''
		UNION ALL
		SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'weir'
		 WHERE c.relkind = 'v' AND COALESCE(obj_description(c.oid, 'pg_class'), '') = ''`)
	require.NoError(t, err)
	without, err := pgx.CollectRows(result, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, without, "views and columns without a comment")
	for _, view := range []string{"v_transcodes", "v_renditions", "v_attempts", "v_queue", "v_hosts", "v_callbacks", "v_failures", "v_usage", "v_slo", "v_outputs", "v_admin_actions"} {
		var is bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT to_regclass('weir.' || $1) IS NOT NULL", view).Scan(&is))
		require.True(t, is, view)
	}
}

// TestViewsHoldNoSecrets: no view is made of a column that is sealed, or that holds a request
// as it came.
func TestViewsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	const of = `
		SELECT v.relname || ' has ' || s.relname || '.' || a.attname FROM pg_depend d
		  JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
		  JOIN pg_class v ON v.oid = r.ev_class
		  JOIN pg_class s ON s.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
		  JOIN pg_namespace n ON n.oid = s.relnamespace AND n.nspname = 'weir'
		  JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum = d.refobjsubid
		 WHERE a.atttypid = 'bytea'::regtype OR a.attname LIKE '%sealed%'
		    OR (s.relname, a.attname) IN (('inbox', 'body'), ('transcodes', 'request'), ('callbacks', 'body'))`
	found := func() []string {
		result, err := pool.Query(t.Context(), of)
		require.NoError(t, err)
		all, err := pgx.CollectRows(result, pgx.RowTo[string])
		require.NoError(t, err)
		return all
	}
	require.Empty(t, found())
	_, err := pool.Exec(t.Context(), "CREATE VIEW weir.v_wrong AS SELECT source_sealed FROM weir.transcodes")
	require.NoError(t, err)
	require.Equal(t, []string{"v_wrong has transcodes.source_sealed"}, found(), "it would be seen")
}
