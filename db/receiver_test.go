package db_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// A receiver is a host and a port, as net/url reads them. Statements have what it takes in
// themselves, as a call for each row that waits costs as much again.
func TestReceiverOf(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for _, address := range []string{
		"http://studio.test/hooks/1?a=b#c", "https://Studio.TEST:8443", "https://studio.test:8443/", "http://studio.test?then=/x//y",
		"http://studio.test#/x", "http://[::1]:8080/a", "http://127.0.0.1:34567//x",
	} {
		parsed, err := url.Parse(address)
		require.NoError(t, err)
		var receiver string
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT weir.receiver_of($1)", address).Scan(&receiver))
		require.Equal(t, strings.ToLower(parsed.Host), receiver, address)
	}
	rows, err := pool.Query(t.Context(), "EXPLAIN (VERBOSE) SELECT weir.receiver_of(t.callback_url) FROM weir.transcodes t")
	require.NoError(t, err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, strings.Join(plan, "\n"), "split_part")
	require.NotContains(t, strings.Join(plan, "\n"), "receiver_of")
}

// Views and functions read a receiver by weir.receiver_of, and in no other way.
func TestReceiversAreReadOneWay(t *testing.T) {
	t.Parallel()
	rows, err := dbtest.New(t).Query(t.Context(), `
		SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'weir'::regnamespace AND c.relkind = 'v' AND strpos(pg_get_viewdef(c.oid), '://') > 0
		UNION ALL
		SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'weir'::regnamespace AND strpos(p.prosrc, '://([') > 0`)
	require.NoError(t, err)
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, others)
}
