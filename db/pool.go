// Package db opens Weir's database: the pool, transactions, migrations. The rows
// and queries are in dbsqlc, generated from sql/.
package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectTimeout bounds one connection attempt: a host that does not answer is
	// not told apart from a slow one for longer than a caller would wait.
	connectTimeout = 5 * time.Second
	// pingAfterIdle: a connection idle for longer is checked before use. pgx asks at
	// one second, which is most of what an idle daemon sends to Postgres.
	pingAfterIdle = 30 * time.Second
	// stayFor is longer than a PgBouncer has anybody wait (its query_wait_timeout, 3 s): it does
	// not notice who leaves its queue, but serves them in their turn, and loses the connection to
	// Postgres by each. Where most in the queue have left, none is served who has not, for good.
	stayFor = 4 * time.Second
)

// Open returns a pool of at most maxConns connections to the database at url. It
// does not connect yet: a database that is down shows at the first query. Statements,
// waits for locks and idle transactions end by themselves, and all but what is Replanned is planned
// once, for large tables; settings in the url's query win. The error never holds the url, which may hold a password.
func Open(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	return open(ctx, url, maxConns, func(cfg *pgx.ConnConfig) {
		for name, value := range planning() {
			if _, is := cfg.RuntimeParams[name]; !is {
				cfg.RuntimeParams[name] = value
			}
		}
		bound(cfg)
	})
}

// OpenPooled is Open through a PgBouncer in transaction mode, which gives each transaction
// another connection: nothing is prepared on one for the next, unless the url says Keep, and no
// setting comes with it. CheckPooled says whether the server has those that it needs.
func OpenPooled(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	return open(ctx, url, maxConns, func(cfg *pgx.ConnConfig) {
		if !keeps(url) {
			cfg.DefaultQueryExecMode = unprepared
		}
		cfg.BuildContextWatcherHandler = stay
		unbound(cfg)
		bound(cfg)
	})
}

// keeps says whether a url says Keep. pgx keeps statements where it says nothing as well.
func keeps(url string) bool {
	said, err := pgconn.ParseConfig(url)
	return err == nil && said.RuntimeParams["default_query_exec_mode"] == Keep
}

// stay has a question that nobody waits for any more keep its connection for stayFor.
func stay(conn *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn(), DeadlineDelay: stayFor}
}

func open(ctx context.Context, url string, maxConns int32, settle func(*pgx.ConnConfig)) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("it is no Postgres URL: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	cfg.MaxConns = maxConns
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "weir"
	cfg.AfterConnect = types
	settle(cfg.ConnConfig)
	cfg.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return p.IdleDuration > pingAfterIdle
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the pool of database %s: %w", cfg.ConnConfig.Database, err)
	}
	return pool, nil
}

// Beginner starts transactions: a pool, or a transaction (then a savepoint).
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// deadlockTries is how often InTx runs f when Postgres broke a deadlock: two at
// once are over with the second try, and a third covers a third party.
const deadlockTries = 3

// deadlockDetected is Postgres' code for a transaction that it ended for another's sake.
const deadlockDetected = "40P01"

// InTx runs f in one transaction: committed when f returns nil, else rolled back
// and f's error returned as it is. f may run again after a deadlock, so all its
// effects belong in tx.
func InTx(ctx context.Context, db Beginner, f func(tx pgx.Tx) error) error {
	return Again(func() error { return pgx.BeginFunc(ctx, db, f) })
}

// Again runs f, and again where Postgres broke a deadlock: f is one transaction.
func Again(f func() error) (err error) {
	for range deadlockTries {
		err = f()
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != deadlockDetected {
			return err
		}
	}
	return err
}

// Conn is a pool, or a transaction that all is to happen in.
type Conn interface {
	Beginner
	Queryer
}

// Snapshot runs f in a transaction that only reads, and sees the rows as they were at
// its first query: all that f reads fits together. f's error is returned as it is. Within
// a transaction f runs in that one, and sees what it sees.
func Snapshot(ctx context.Context, on Beginner, f func(tx pgx.Tx) error) error {
	pool, ok := on.(interface {
		BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
	})
	if !ok {
		return pgx.BeginFunc(ctx, on, f)
	}
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}
