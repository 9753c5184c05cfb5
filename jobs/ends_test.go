package jobs_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// TestEndsAreAsFoundOut: what v_slo reads of ends, which are written once, is what it finds
// out anew of those without one; another run has another end, and with the transcode it goes.
func TestEndsAreAsFoundOut(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	slo := func() string {
		rows, err := b.Pool.Query(t.Context(), "SELECT to_jsonb(s)::text FROM weir.v_slo s ORDER BY hour, per, tenant, host_id")
		require.NoError(t, err)
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return strings.Join(list, "\n")
	}
	ends := func() int { return b.Count(t, "SELECT count(*) FROM weir.ends") }

	succeeded := b.Run(t, "a")
	b.Exec(t, "UPDATE weir.attempts SET created_at = created_at + interval '2 s', started_at = now(), transcoded_at = now() + interval '4 s' WHERE transcode_id = $1", succeeded.ID)
	b.Exec(t, "UPDATE weir.transcodes SET source_duration_ms = 20000 WHERE id = $1", succeeded.ID)
	require.NoError(t, b.Store(t.Context(), &succeeded, "a"))
	failed := b.Run(t, "a")
	b.Fail(t, failed.ID, failed.Attempt, "a", jobs.Failed(jobs.CodeCancelled, jobs.StageStore, "gone"))
	_, err := b.Transcodes.Cancel(t.Context(), "", b.Accept(t, "a").ID)
	require.NoError(t, err)
	require.Equal(t, 3, ends())
	b.Exec(t, "UPDATE weir.callbacks SET state = 'delivered', delivered_at = created_at + interval '3 s'")
	require.Equal(t, 1, b.Count(t, `SELECT count(*) FROM weir.ends WHERE transcode_id = $1 AND state = 'succeeded' AND queue_wait >= 2 AND speed = 5 AND store >= 0`, succeeded.ID))

	written := slo()
	require.Contains(t, written, `"ended": 3`)
	require.Contains(t, written, `"callback_lag_p95": 3`)
	b.Exec(t, "DELETE FROM weir.ends")
	require.Equal(t, written, slo(), "those that ended before there were such rows")
	b.Exec(t, "UPDATE weir.transcodes SET finished_at = finished_at - interval '2 hours' WHERE id = $1", succeeded.ID)
	b.Exec(t, `INSERT INTO weir.ends (transcode_id, run, finished_at, tenant, host_id, state)
		SELECT id, run, finished_at, tenant, host_id, state FROM weir.transcodes WHERE id <> $1`, succeeded.ID)
	require.Equal(t, 3, b.Count(t, "SELECT sum(ended)::int FROM weir.v_slo WHERE per = 'all'"), "each once, whichever way it is found")

	_, err = b.Transcodes.Retry(t.Context(), failed.ID)
	require.NoError(t, err)
	require.Equal(t, 1, ends())
	require.Equal(t, 2, b.Count(t, "SELECT sum(ended)::int FROM weir.v_slo WHERE per = 'all'"))
	var left uuid.UUID
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT transcode_id FROM weir.ends").Scan(&left))
	b.Exec(t, "DELETE FROM weir.transcodes WHERE id = $1", left)
	require.Zero(t, ends())
}
