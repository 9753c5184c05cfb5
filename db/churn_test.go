package db_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/db/dbtest"
)

// A rendition's progress is written in the page that its row is in, and in no index: it
// is the write that there is most of.
func TestProgressIsWrittenInPlace(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), `SET session_replication_role = replica;
		CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS id FROM generate_series(1, 200);
		INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		       callback_url, callback_sealed, attempts_left, state, attempt, host_id)
		SELECT id, 't', 'v1', '{}', '', '', '', '', '', '', '', 2, 'running', 1, 'mist-1' FROM made;
		INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate, state, attempt)
		SELECT id, 'r' || ordinal, ordinal, 1, 1, 1, 'pushing', 1
		  FROM made, generate_series(0, 2) ordinal ORDER BY id`)
	require.NoError(t, err)
	// So many versions have room beside the old ones, which a transaction of anybody may
	// keep from being cleared away.
	const seconds = 2
	var ids []uuid.UUID
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT array_agg(DISTINCT transcode_id) FROM weir.renditions").Scan(&ids))
	for second := range int64(seconds) {
		for _, id := range ids {
			require.NoError(t, dbsqlc.New().TranscodeTell(t.Context(), conn, dbsqlc.TranscodeTellParams{
				Transcodes: []uuid.UUID{id}, Attempts: []int32{1}, Ratios: []float64{0.2 * float64(second+1)}, Progresses: []string{`{}`},
				Of: []uuid.UUID{id}, OfAttempts: []int32{1}, Names: []string{"r1"}, Pushed: []int64{1000 * (second + 1)},
			}))
		}
	}
	var updates, inPlace int64
	_, err = conn.Exec(t.Context(), "SELECT pg_stat_force_next_flush()")
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(),
		"SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = 'weir.renditions'::regclass").Scan(&updates, &inPlace))
	require.EqualValues(t, seconds*len(ids), updates)
	require.Equal(t, updates, inPlace)
}
