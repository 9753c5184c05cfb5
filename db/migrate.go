package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"weir/db/migrations"
)

// migrateLock serializes migrators of this schema over all programs. golang-migrate
// has a lock of its own, but the schema has to be there before its table.
const migrateLock = 8447110002

// Migrate brings the database to this build's schema and returns where it then
// stands. Any number of migrators may run at once: one works, the others wait and
// find nothing to do. A newer schema that serves this build is left as it is. It
// blocks until then or until ctx ends.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (SchemaStatus, error) {
	_, is, err := MigrateFrom(ctx, pool)
	return is, err
}

// MigrateFrom is Migrate, and says too where the database stood: where it stands now, to
// all of those who migrate at once but the one that works.
func MigrateFrom(ctx context.Context, pool *pgxpool.Pool) (was, is SchemaStatus, err error) {
	conn := stdlib.OpenDB(*unhurried(pool.Config().ConnConfig))
	defer func() { _ = conn.Close() }()

	locked, err := conn.Conn(ctx)
	if err != nil {
		return was, is, fmt.Errorf("connect to migrate: %w", err)
	}
	defer func() { _ = locked.Close() }()
	if _, err := locked.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrateLock); err != nil {
		return was, is, fmt.Errorf("wait for other migrators: %w", err)
	}
	// The lock goes with its session, which ends here whatever ctx says.
	defer func() {
		_, _ = locked.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrateLock)
	}()
	if was, err = Status(ctx, pool); err != nil {
		return was, is, err
	}
	if was.Version > migrations.Latest {
		return was, was, was.check(false)
	}
	if err := up(ctx, conn, locked); err != nil {
		return was, is, err
	}
	is, err = Status(ctx, pool)
	return was, is, err
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
		return fmt.Errorf("migrate schema %s: %w", migrations.Schema, short(migrator, err))
	}
	return nil
}

// short leaves out of an error the text of the whole migration, which the driver puts
// into it, and says which one it was.
func short(migrator *migrate.Migrate, err error) error {
	var failed database.Error
	if !errors.As(err, &failed) || failed.OrigErr == nil {
		return err
	}
	version, _, unknown := migrator.Version()
	if unknown != nil {
		return failed.OrigErr
	}
	return fmt.Errorf("migration %06d: %w", version, failed.OrigErr)
}
