package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"weir/db/migrations"
)

// migrateCommand is the line that mends a schema that is too old.
const migrateCommand = "weir-admin db migrate"

const (
	// migrateLock serializes migrators of this schema over all programs. golang-migrate
	// has a lock of its own, but the schema has to be there before its table.
	migrateLock = 8447110002
	// undefinedTable is Postgres' code for a table that is not there.
	undefinedTable = "42P01"
)

// ErrSchemaTooOld and ErrSchemaTooNew are what CheckSchema's errors are.
var (
	ErrSchemaTooOld = errors.New("the database schema is too old")
	ErrSchemaTooNew = errors.New("the database schema is too new")
	ErrSchemaDirty  = errors.New("a migration stopped half way")
)

// SchemaStatus is where a database stands.
type SchemaStatus struct {
	// Version of the database; 0 when nothing was ever migrated.
	Version uint `json:"version"`
	// Latest is the version that this program was built for.
	Latest uint `json:"latest"`
	// Dirty: a migration stopped half way; a person has to look.
	Dirty bool `json:"dirty"`
}

// Migrate brings the database to this build's schema and returns where it then
// stands. Any number of migrators may run at once: one works, the others wait and
// find nothing to do. It blocks until then or until ctx ends.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (SchemaStatus, error) {
	conn := stdlib.OpenDB(*unhurried(pool.Config().ConnConfig))
	defer func() { _ = conn.Close() }()

	locked, err := conn.Conn(ctx)
	if err != nil {
		return SchemaStatus{}, fmt.Errorf("connect to migrate: %w", err)
	}
	defer func() { _ = locked.Close() }()
	if _, err := locked.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrateLock); err != nil {
		return SchemaStatus{}, fmt.Errorf("wait for other migrators: %w", err)
	}
	// The lock goes with its session, which ends here whatever ctx says.
	defer func() {
		_, _ = locked.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrateLock)
	}()
	if err := up(ctx, conn, locked); err != nil {
		return SchemaStatus{}, err
	}
	return Status(ctx, pool)
}

func up(ctx context.Context, conn *sql.DB, locked *sql.Conn) error {
	if _, err := locked.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+migrations.Schema); err != nil {
		return fmt.Errorf("create schema %s: %w", migrations.Schema, err)
	}
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	driver, err := migratepgx.WithInstance(conn, &migratepgx.Config{SchemaName: migrations.Schema})
	if err != nil {
		return fmt.Errorf("open the migrations' table: %w", err)
	}
	migrator, err := migrate.NewWithInstance("embedded", files, "postgres", driver)
	if err != nil {
		return fmt.Errorf("open the migrator: %w", err)
	}
	defer func() { _, _ = migrator.Close() }()
	stop := context.AfterFunc(ctx, func() { migrator.GracefulStop <- true })
	defer stop()
	if err := migrator.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrate schema %s: %w", migrations.Schema, err)
	}
	return nil
}

// Status reads where the database stands, without changing it.
func Status(ctx context.Context, pool *pgxpool.Pool) (SchemaStatus, error) {
	status := SchemaStatus{Latest: migrations.Latest}
	row := pool.QueryRow(ctx, "SELECT version, dirty FROM "+migrations.Schema+".schema_migrations")
	err := row.Scan(&status.Version, &status.Dirty)
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.As(err, &pgErr) && pgErr.Code == undefinedTable:
		return status, nil
	case err != nil:
		return status, fmt.Errorf("read the schema's version: %w", err)
	}
	return status, nil
}

// CheckSchema fails unless the database has this build's schema. The error says
// which command mends it.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	status, err := Status(ctx, pool)
	if err != nil {
		return err
	}
	switch {
	case status.Dirty:
		return fmt.Errorf("%w at version %d: mend it by hand, set weir.schema_migrations.dirty to false and run `%s`",
			ErrSchemaDirty, status.Version, migrateCommand)
	case status.Version < status.Latest:
		return fmt.Errorf("%w: it is at version %d, this program needs %d: run `%s`",
			ErrSchemaTooOld, status.Version, status.Latest, migrateCommand)
	case status.Version > status.Latest:
		return fmt.Errorf("%w: it is at version %d, this program knows %d: install the newer Weir (see `weir-admin db status`)",
			ErrSchemaTooNew, status.Version, status.Latest)
	}
	return nil
}
