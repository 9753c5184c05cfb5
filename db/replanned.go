package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Replanned runs statements with optional filters, each planned for the filters that
// it was given. Postgres would keep one plan for all of them after some calls, and
// only reading everything fits all. It is for lists, whose statements must not be hot.
type Replanned struct{ On Queryer }

// A Queryer is a pool, a connection or a transaction.
type Queryer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// unprepared has pgx keep no statement, but its types: what is planned anew is so by its
// parameters. It asks in one round trip, so that what a PgBouncer gives to the next
// transaction is of no matter; describing each time would need two on one connection.
const unprepared = pgx.QueryExecModeCacheDescribe

// Exec implements dbsqlc.DBTX.
func (r Replanned) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return r.On.Exec(ctx, sql, append([]any{unprepared}, args...)...)
}

// Query implements dbsqlc.DBTX.
func (r Replanned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return r.On.Query(ctx, sql, append([]any{unprepared}, args...)...)
}

// QueryRow implements dbsqlc.DBTX.
func (r Replanned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return r.On.QueryRow(ctx, sql, append([]any{unprepared}, args...)...)
}
