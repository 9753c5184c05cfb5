package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
)

// kept counts the statements of a list that Postgres keeps for the one connection.
const kept = `SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '-- name: TranscodeList %'`

func TestReplannedKeepsNoPlan(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), dbtest.URL(t), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	list := func(on dbsqlc.DBTX) (n int) {
		_, err := dbsqlc.New().TranscodeList(t.Context(), on, dbsqlc.TranscodeListParams{PageSize: 1})
		require.NoError(t, err)
		require.NoError(t, pool.QueryRow(t.Context(), kept).Scan(&n))
		return n
	}
	require.Zero(t, list(db.Replanned{On: pool}))
	require.Equal(t, 1, list(pool), "as it would be otherwise")
}
