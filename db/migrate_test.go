package db_test

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbtest"
	"weir/db/migrations"
)

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := db.Open(t.Context(), url, 4)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestMigrateTwentyAtOnce(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	var group errgroup.Group
	for range 20 {
		group.Go(func() error {
			pool, err := db.Open(t.Context(), url, 4)
			if err != nil {
				return err
			}
			defer pool.Close()
			_, err = db.Migrate(t.Context(), pool)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, db.CheckSchema(t.Context(), open(t, url)))
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	pool := open(t, dbtest.Empty(t))
	err := db.CheckSchema(t.Context(), pool)
	require.ErrorIs(t, err, db.ErrSchemaTooOld)
	require.ErrorContains(t, err, "weir-admin db migrate")

	status, err := db.Migrate(t.Context(), pool)
	require.NoError(t, err)
	require.Equal(t, db.SchemaStatus{Version: migrations.Latest, Latest: migrations.Latest}, status)
	require.NoError(t, db.CheckSchema(t.Context(), pool))

	_, err = pool.Exec(t.Context(), "UPDATE weir.schema_migrations SET version = version + 1")
	require.NoError(t, err)
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaTooNew)

	_, err = pool.Exec(t.Context(), "UPDATE weir.schema_migrations SET dirty = true")
	require.NoError(t, err)
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaDirty)
}

func TestOpenShowsNoPassword(t *testing.T) {
	t.Parallel()
	_, err := db.Open(t.Context(), "postgres://weir:hush-hush@:port/ x", 4)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush-hush")
}

func TestMigrationsAreNumberedAndPaired(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.FS, "*.sql")
	require.NoError(t, err)
	require.Len(t, names, 2*migrations.Latest)
	for i, name := range names {
		number, err := strconv.Atoi(path.Base(name)[:6])
		require.NoError(t, err)
		require.Equal(t, i/2+1, number, "%s", name)
		want := ".down.sql"
		if i%2 == 1 {
			want = ".up.sql"
		}
		require.True(t, strings.HasSuffix(name, want), "%s", name)
	}
}

func TestRiverMigrationsAreThoseOfThePinnedRiver(t *testing.T) {
	t.Parallel()
	files, err := migrations.RiverFiles()
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for name, text := range files {
		got, err := migrations.FS.ReadFile(name)
		require.NoError(t, err, "run `make generate`")
		require.Equal(t, text, string(got), "%s: run `make generate`", name)
	}
}

// Every migration goes down again, newest first, and up once more.
func TestMigrationsGoDownAndUp(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for number := migrations.Latest; number >= 1; number-- {
		names, err := fs.Glob(migrations.FS, "*.down.sql")
		require.NoError(t, err)
		text, err := migrations.FS.ReadFile(names[number-1])
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), string(text))
		require.NoError(t, err, "%s", names[number-1])
	}
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM information_schema.tables
		WHERE table_schema = 'weir' AND table_name <> 'schema_migrations'`).Scan(&left))
	require.Zero(t, left)
	_, err := pool.Exec(t.Context(), "DELETE FROM weir.schema_migrations")
	require.NoError(t, err)
	_, err = db.Migrate(t.Context(), pool)
	require.NoError(t, err)
}

func TestViewColumnsHaveComments(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows, err := pool.Query(t.Context(), `
		SELECT c.relname || '.' || a.attname FROM pg_class c
		  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'weir'
		  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		 WHERE c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var column string
		require.NoError(t, rows.Scan(&column))
		t.Errorf("%s has no comment", column)
	}
	require.NoError(t, rows.Err())
}
