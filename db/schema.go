package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db/dbsqlc"
	"weir/db/migrations"
)

const (
	// migrateCommand is the line that mends a schema that is too old.
	migrateCommand = "weir-admin db migrate"
	// undefinedTable is Postgres' code for a table that is not there.
	undefinedTable = "42P01"
)

// These are what CheckSchema's errors are. All but ErrSchemaMigrating take a person.
var (
	ErrSchemaTooOld    = errors.New("the database schema is too old")
	ErrSchemaTooNew    = errors.New("the database schema is too new")
	ErrSchemaDirty     = errors.New("a migration stopped half way")
	ErrSchemaMigrating = errors.New("the database schema is being migrated")
)

// SchemaStatus is where a database stands, and what this program works on.
type SchemaStatus struct {
	// Version of the database; 0 when nothing was ever migrated.
	Version uint `json:"version"`
	// Oldest is the oldest version that this program works on, Latest the one that it was
	// built for.
	Oldest uint `json:"oldest"`
	Latest uint `json:"latest"`
	// ServesFrom is the database's word: programs built for this version or a later one
	// work on it. 0: it says nothing, and serves those of its own version alone.
	ServesFrom uint `json:"serves_from"`
	// Dirty: a migration is at work or stopped half way; then a person has to look.
	Dirty bool `json:"dirty"`
}

// Status reads where the database stands, without changing it.
func Status(ctx context.Context, pool *pgxpool.Pool) (SchemaStatus, error) {
	status := SchemaStatus{Oldest: migrations.Oldest, Latest: migrations.Latest}
	row := pool.QueryRow(ctx, "SELECT version, dirty FROM "+migrations.Schema+".schema_migrations")
	if err := row.Scan(&status.Version, &status.Dirty); err != nil && !notThere(err) {
		return status, fmt.Errorf("read the schema's version: %w", err)
	}
	from, err := dbsqlc.New().SchemaServesFrom(ctx, pool)
	if err != nil && !notThere(err) {
		return status, fmt.Errorf("read whom the schema serves: %w", err)
	}
	status.ServesFrom = uint(from)
	return status, nil
}

// notThere: no row, or not even its table.
func notThere(err error) bool {
	var pgErr *pgconn.PgError
	return errors.Is(err, pgx.ErrNoRows) || errors.As(err, &pgErr) && pgErr.Code == undefinedTable
}

// CheckSchema fails unless this build works on the database's schema: from its Oldest
// on, beyond its Latest as long as the schema serves it. Migrating to such a schema
// stops nothing that runs. The error says which command mends it.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	status, err := Status(ctx, pool)
	if err != nil {
		return err
	}
	if !status.Dirty && status.Version >= status.Oldest {
		return status.check(false)
	}
	migrating, err := dbsqlc.New().SchemaBeingMigrated(ctx, pool, migrateLock)
	if err != nil {
		return fmt.Errorf("look for a migrator: %w", err)
	}
	// Again, as one that is not at work may have ended just now.
	if status, err = Status(ctx, pool); err != nil {
		return err
	}
	return status.check(migrating)
}

// check is CheckSchema of what was read.
func (s SchemaStatus) check(migrating bool) error {
	switch {
	case s.Dirty && !migrating:
		return fmt.Errorf("%w at version %d: mend it by hand, set weir.schema_migrations.dirty to false and run `%s`",
			ErrSchemaDirty, s.Version, migrateCommand)
	case migrating && (s.Version < s.Oldest || s.Dirty && s.Version <= s.Latest):
		return fmt.Errorf("%w: it is at version %d, this program needs %d", ErrSchemaMigrating, s.Version, s.Oldest)
	case s.Version < s.Oldest:
		return fmt.Errorf("%w: it is at version %d, this program needs %d: run `%s`",
			ErrSchemaTooOld, s.Version, s.Oldest, migrateCommand)
	case s.Version > s.Latest && (s.ServesFrom == 0 || s.Latest < s.ServesFrom):
		return fmt.Errorf("%w: it is at version %d, which serves no program of version %d: install the newer Weir (see `weir-admin db status`)",
			ErrSchemaTooNew, s.Version, s.Latest)
	}
	return nil
}
