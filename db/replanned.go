package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// planSetting is how Postgres comes to the plans of what is prepared on a connection.
const (
	planSetting = "plan_cache_mode"
	// planOnce: each statement is planned once for a connection, whatever it is given then: all
	// but lists have plans that are as good for anything (TestPlans). Left to itself Postgres
	// plans each anew five times, and some each time, as it takes an array for ten elements: a
	// quarter of what it does for a transcode.
	planOnce = "force_generic_plan"
	// planAnew is what lists need.
	planAnew = "SELECT set_config('" + planSetting + "', 'force_custom_plan', true)"
)

// Replanned runs statements with optional filters, each planned for the filters that
// it was given: of the plans for all of them only reading everything fits all. Within a
// transaction what comes behind it there is planned so too. It is for lists, whose statements
// must not be hot.
type Replanned struct{ On Queryer }

// A Queryer is a pool, a connection or a transaction.
type Queryer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// unprepared has pgx keep no statement, but its types. It asks in one round trip, so that what
// a PgBouncer gives to the next transaction is of no matter; describing each time would need two
// on one connection.
const unprepared = pgx.QueryExecModeCacheDescribe

// Exec implements dbsqlc.DBTX.
func (r Replanned) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	var batch pgx.Batch
	batch.Queue(planAnew)
	batch.Queue(sql, args...).Exec(func(is pgconn.CommandTag) error {
		tag = is
		return nil
	})
	return tag, r.On.SendBatch(ctx, &batch).Close()
}

// Query implements dbsqlc.DBTX.
func (r Replanned) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return behind(r.On, planAnew).Query(ctx, sql, args...)
}

// QueryRow implements dbsqlc.DBTX.
func (r Replanned) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return behind(r.On, planAnew).QueryRow(ctx, sql, args...)
}
