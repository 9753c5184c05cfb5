package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// planning is how Postgres comes to the plans of what is prepared on a connection: each statement
// is planned once, whatever it is given then, as all but lists have plans that are as good for
// anything (TestPlans). Left to itself Postgres plans each anew five times, and some each time, as
// it takes an array for ten elements: a quarter of what it does for a transcode. The one plan is of
// when a table may have been all but empty, so that reading it whole looked cheap: hot tables are
// small and full of dead rows, and each such reading then is of hundreds of pages. Plans that can't
// be had otherwise are so dear by this that Postgres would compile them.
func planning() map[string]string {
	return map[string]string{"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
}

// planAnew is what lists need, which may be asked for nearly all.
const planAnew = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'on', true)"

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
