package db_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
)

// What is queued is done before what is asked behind it, and its errors come there.
func TestPipeline(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	count := func(on dbsqlc.DBTX) (n int, err error) {
		err = on.QueryRow(t.Context(), "SELECT count(*) FROM weir.tenants").Scan(&n)
		return n, err
	}
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		p := &db.Pipeline{On: tx}
		for _, name := range []string{"a", "b"} {
			_, err := p.Exec(t.Context(), "INSERT INTO weir.tenants (name) VALUES ($1)", name)
			require.NoError(t, err)
		}
		n, err := count(tx)
		require.NoError(t, err)
		require.Zero(t, n, "nothing was sent")
		n, err = count(p)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = p.Exec(t.Context(), "DELETE FROM weir.tenants WHERE name = $1", "a")
		require.NoError(t, err)
		rows, err := p.Query(t.Context(), "SELECT name FROM weir.tenants")
		require.NoError(t, err)
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		require.Equal(t, []string{"b"}, names)
		n, err = count(tx)
		require.NoError(t, err)
		require.Equal(t, 1, n, "the connection is free again")
		return nil
	}))
	for name, ask := range map[string]func(p *db.Pipeline) error{
		"a row": func(p *db.Pipeline) error { _, err := count(p); return err },
		"rows":  func(p *db.Pipeline) error { _, err := p.Query(t.Context(), "SELECT 1"); return err }, //nolint:rowserrcheck,sqlclosecheck // there are none
	} {
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		p := &db.Pipeline{On: tx}
		_, err = p.Exec(t.Context(), "INSERT INTO weir.tenants (name) VALUES ($1)", "b")
		require.NoError(t, err)
		var wrong *pgconn.PgError
		require.ErrorAs(t, ask(p), &wrong, name)
		require.Equal(t, "23505", wrong.Code, "%s: one that is there", name)
		require.NoError(t, tx.Rollback(t.Context()))
	}
	n, err := count(pool)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
