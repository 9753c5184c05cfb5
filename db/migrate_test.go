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
	require.Equal(t, migrations.Latest, int(status.Version))
	require.Equal(t, migrations.Latest, int(status.Latest))
	require.LessOrEqual(t, status.ServesFrom, status.Version)
	require.NoError(t, db.CheckSchema(t.Context(), pool))
}

// A newer schema serves this build until it says otherwise.
func TestSchemaOfANewerRelease(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	exec := func(query string, args ...any) {
		t.Helper()
		_, err := pool.Exec(t.Context(), query, args...)
		require.NoError(t, err)
	}
	exec("UPDATE weir.schema_migrations SET version = version + 2")
	exec("UPDATE weir.schema_compat SET serves_from = $1", migrations.Latest)
	require.NoError(t, db.CheckSchema(t.Context(), pool))
	status, err := db.Migrate(t.Context(), pool)
	require.NoError(t, err)
	require.Equal(t, migrations.Latest+2, int(status.Version), "it is left as it is")

	exec("UPDATE weir.schema_compat SET serves_from = serves_from + 1")
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaTooNew)
	_, err = db.Migrate(t.Context(), pool)
	require.ErrorIs(t, err, db.ErrSchemaTooNew)
	exec("DELETE FROM weir.schema_compat")
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaTooNew, "a schema that says nothing")
}

// While a migration is at work, programs of the release before it work on, and those
// that need it wait.
func TestSchemaBeingMigrated(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	migrator, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer migrator.Release()
	exec := func(query string) {
		t.Helper()
		_, err := migrator.Exec(t.Context(), query)
		require.NoError(t, err)
	}
	exec("SELECT pg_advisory_lock(8447110002)")
	exec("UPDATE weir.schema_migrations SET version = version + 1, dirty = true")
	require.NoError(t, db.CheckSchema(t.Context(), pool))
	exec("UPDATE weir.schema_migrations SET version = version - 1")
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaMigrating)
	exec("UPDATE weir.schema_migrations SET version = version - 1, dirty = false")
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaMigrating)

	exec("SELECT pg_advisory_unlock(8447110002)")
	require.ErrorIs(t, db.CheckSchema(t.Context(), pool), db.ErrSchemaTooOld)
	exec("UPDATE weir.schema_migrations SET version = version + 2, dirty = true")
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

// A migration that fails is told of by its number and what Postgres says, not by its text.
func TestFailedMigrationIsOneLine(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.Empty(t), 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "CREATE SCHEMA weir; CREATE TABLE weir.transcodes (id int)")
	require.NoError(t, err)
	_, err = db.Migrate(t.Context(), pool)
	require.Error(t, err)
	require.Regexp(t, `^migrate schema weir: migration 0000\d\d: ERROR: [^\n]*relation "transcodes" already exists \(SQLSTATE 42P07\)$`, err.Error())
}
