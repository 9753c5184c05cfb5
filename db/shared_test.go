package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
)

type transaction = func(context.Context, pgx.Tx) error

// behind has transactions begin while one is at work, and then lets that end.
func behind(t *testing.T, on *db.Shared, pool *pgxpool.Pool, fs ...transaction) []error {
	t.Helper()
	errs := make([]error, len(fs))
	atWork, end := make(chan struct{}), make(chan struct{})
	var all, others sync.WaitGroup
	all.Go(func() {
		if err := on.InTx(t.Context(), pool, uuid.New(), func(ctx context.Context, tx pgx.Tx) error {
			close(atWork)
			<-end
			_, err := tx.Exec(ctx, "SELECT 1")
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	<-atWork
	for i, f := range fs {
		others.Add(1)
		all.Go(func() {
			others.Done()
			errs[i] = on.InTx(t.Context(), pool, uuid.New(), f)
		})
	}
	others.Wait()
	close(end)
	all.Wait()
	return errs
}

// Those that come while one is at work share a commit; one that fails is no other's fault, and
// is told its own error.
func TestShared(t *testing.T) {
	t.Parallel()
	pool := open(t, dbtest.Empty(t))
	_, err := pool.Exec(t.Context(), "CREATE TABLE rows (n int PRIMARY KEY, at xid8 DEFAULT pg_current_xact_id())")
	require.NoError(t, err)
	on := &db.Shared{}
	insert := func(n int) transaction {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO rows (n) VALUES ($1)", n)
			return err
		}
	}
	count := func() (n, transactions int) {
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT at) FROM rows").Scan(&n, &transactions))
		return n, transactions
	}
	const many = 100
	var fs []transaction
	for n := range many {
		fs = append(fs, insert(n))
	}
	require.Equal(t, make([]error, many), behind(t, on, pool, fs...))
	n, transactions := count()
	require.Equal(t, many, n)
	require.Less(t, transactions, many, "they went together")

	fault := errors.New("a fault")
	errs := behind(t, on, pool, insert(many), insert(1), func(context.Context, pgx.Tx) error { return fault }, insert(many+1))
	require.NoError(t, errs[0])
	require.ErrorContains(t, errs[1], "duplicate key")
	require.Equal(t, fault, errs[2])
	require.NoError(t, errs[3])
	n, _ = count()
	require.Equal(t, many+2, n)
}

// Who waits for a lock is in no other's way, and gets it in the end.
func TestSharedBehindLock(t *testing.T) {
	t.Parallel()
	pool := open(t, dbtest.Empty(t))
	_, err := pool.Exec(t.Context(), "CREATE TABLE rows (n int PRIMARY KEY, v int DEFAULT 0); INSERT INTO rows (n) VALUES (1), (2), (3), (4), (5)")
	require.NoError(t, err)
	holder, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), "UPDATE rows SET v = 1 WHERE n = 1")
	require.NoError(t, err)
	on := &db.Shared{}
	update := func(n int) error {
		return on.InTx(t.Context(), pool, uuid.New(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE rows SET v = v + 10 WHERE n = $1", n)
			return err
		})
	}
	var all, free sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if err := update(1); err != nil {
				t.Error(err)
			}
		})
	}
	for _, n := range []int{2, 3, 4, 5} {
		free.Go(func() {
			if err := update(n); err != nil {
				t.Error(err)
			}
		})
	}
	free.Wait() // while the lock is held
	require.NoError(t, holder.Commit(t.Context()))
	all.Wait()
	var v int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT v FROM rows WHERE n = 1").Scan(&v))
	require.Equal(t, 21, v)
}

// What a transaction finds in its context is its caller's, and its end is its own.
func TestSharedContexts(t *testing.T) {
	t.Parallel()
	pool := open(t, dbtest.Empty(t))
	on := &db.Shared{}
	type key struct{}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, i))
			defer cancel()
			var found any
			if err := on.InTx(ctx, pool, uuid.New(), func(ctx context.Context, tx pgx.Tx) error {
				found = ctx.Value(key{})
				_, err := tx.Exec(ctx, "SELECT 1")
				return err
			}); err != nil || found != i {
				t.Error(found, err)
			}
		})
	}
	all.Wait()
}
