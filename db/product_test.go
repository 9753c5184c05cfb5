package db_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// node is one of a plan that was executed.
type node struct {
	Loops float64 `json:"Actual Loops"`
	Plans []node  `json:"Plans"`
}

// most is how often the node of it was begun that was begun most often.
func (n *node) most() float64 {
	most := n.Loops
	for i := range n.Plans {
		most = max(most, n.Plans[i].most())
	}
	return most
}

// TestHostFreeIsNoProduct: what is free of a large fleet costs its hosts and what they hold, and
// not the one times the other, also where it was planned when nothing ran. A round of a thousand
// busy hosts took 130 ms so.
func TestHostFreeIsNoProduct(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "PREPARE free AS "+statements(t)["HostFree"].text)
	require.NoError(t, err)
	for _, text := range []string{
		`EXECUTE free`, // plans it
		`SET session_replication_role = replica`,
		`INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes)
		 SELECT 'mist-' || n, gen_random_uuid(), 4, now() + interval '1 hour', 1 FROM generate_series(1, 100) n`,
		`INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		        callback_url, callback_sealed, state, attempt, attempts_left, host_id)
		 SELECT gen_random_uuid(), 'a', 'v1', '{}', '', 's', '', 'o', '', 'c', '', 'running', 1, 2, 'mist-' || n FROM generate_series(1, 100) n`,
	} {
		_, err = conn.Exec(t.Context(), text)
		require.NoError(t, err)
	}
	var answer []byte
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE free").Scan(&answer))
	var plans []struct{ Plan node }
	require.NoError(t, json.Unmarshal(answer, &plans))
	require.Len(t, plans, 1)
	require.EqualValues(t, 1, plans[0].Plan.most(), "%s", answer)
}
