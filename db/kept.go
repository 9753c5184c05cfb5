package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db/dbsqlc"
)

// Keep, as the URL's default_query_exec_mode, has the connections of OpenPooled keep prepared
// statements: for a PgBouncer that finds them on whatever connection it gives (1.21 and newer,
// where max_prepared_statements is set). Any other mode is overruled.
const Keep = "cache_statement"

// keptName begins that of a statement which is prepared to see under which name Postgres has it.
const keptName = "weir_kept_"

// ErrForgets: statements are to be kept prepared, and are lost, or kept with plans that don't last.
var ErrForgets = errors.New("statements can't be kept prepared")

// CheckPooled fails where connections of OpenPooled are not to be worked with: where they can't
// keep what the URL has them keep, with ErrForgets, or one may wait without end, with
// ErrUnbounded; both with what mends it. It is for before anything else is asked.
func CheckPooled(ctx context.Context, pool *pgxpool.Pool) error {
	if pool.Config().ConnConfig.DefaultQueryExecMode != unprepared {
		if err := checkKeep(ctx, pool); err != nil {
			return err
		}
	}
	return checkBounds(ctx, pool)
}

// checkKeep looks by a connection that keeps nothing: where none can, those of the pool fail at
// what others have prepared.
func checkKeep(ctx context.Context, pool *pgxpool.Pool) (err error) {
	cfg := pool.Config().ConnConfig
	cfg.DefaultQueryExecMode = unprepared
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to see what is kept prepared: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return InTx(ctx, conn, func(tx pgx.Tx) error {
		if err := checkPlanning(ctx, tx, cfg.User); err != nil {
			return err
		}
		return checkPrepared(ctx, tx)
	})
}

// checkPrepared fails where a statement belongs to one connection. A PgBouncer that keeps them
// gives them names of its own (PGBOUNCER_1).
func checkPrepared(ctx context.Context, tx pgx.Tx) error {
	name := keptName + uuid.NewString()
	if _, err := tx.Prepare(ctx, name, "SELECT 1"); err != nil {
		return fmt.Errorf("prepare a statement: %w", err)
	}
	ours, err := dbsqlc.New().StatementPrepared(ctx, tx, name)
	if err != nil {
		return fmt.Errorf("look for a prepared statement: %w", err)
	}
	if err := tx.Conn().Deallocate(ctx, name); err != nil {
		return fmt.Errorf("let a prepared statement go: %w", err)
	}
	if ours {
		return fmt.Errorf("%w: WEIR_DATABASE_URL has default_query_exec_mode=%s, and behind it is no PgBouncer that finds a statement on each of its connections: "+
			"that takes 1.21 or newer with max_prepared_statements = 200; else leave it out", ErrForgets, Keep)
	}
	return nil
}

// checkPlanning fails where what is kept is planned in another way than on connections of Open.
func checkPlanning(ctx context.Context, tx pgx.Tx, role string) error {
	of, err := dbsqlc.New().DatabasePlanning(ctx, tx)
	if err != nil {
		return fmt.Errorf("read how Postgres plans: %w", err)
	}
	is := map[string]string{"plan_cache_mode": of.PlanCacheMode, "enable_seqscan": of.EnableSeqscan, "jit": of.Jit}
	var mend []string
	for name, want := range planning() {
		if is[name] != want {
			mend = append(mend, alterRole(role, name, want))
		}
	}
	if len(mend) > 0 {
		slices.Sort(mend)
		return fmt.Errorf("%w: through a PgBouncer no daemon says how they are to be planned: run `%s` there, and RECONNECT in PgBouncer", ErrForgets, strings.Join(mend, " "))
	}
	return nil
}

// alterRole gives a role's connections a setting.
func alterRole(role, setting, value string) string {
	return fmt.Sprintf("ALTER ROLE %s SET %s = %s;", pgx.Identifier{role}.Sanitize(), setting, value)
}
