package dbtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// dropTries: roles are the whole server's, and Postgres lets two that drop some at once run
// into each other (XX000, tuple concurrently deleted).
const dropTries = 10

// DropRole drops a role when the test has ended. What it was granted in the test's database
// has to be revoked before.
func DropRole(tb testing.TB, pool *pgxpool.Pool, role string) {
	tb.Helper()
	tb.Cleanup(func() {
		var err error
		for range dropTries {
			if _, err = pool.Exec(context.WithoutCancel(tb.Context()), "DROP ROLE "+pgx.Identifier{role}.Sanitize()); err == nil {
				return
			}
		}
		require.NoError(tb, err)
	})
}
