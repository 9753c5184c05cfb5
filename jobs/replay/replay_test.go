package replay_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs/jobstest"
	"weir/jobs/replay"
)

// A trigger of a running attempt is given to its host; what makes no sense is refused.
func TestAsk(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	running := b.Start(t, b.Accept(t, "a").ID)
	event := func(trigger string, attempt int32, bytes int) (id int64) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), `INSERT INTO weir.mist_events (host_id, trigger, headers, payload, payload_bytes, transcode_id, attempt, verdict)
			VALUES ($1, $2, '{}', 'x', $3, $4, $5, 'noted') RETURNING id`, jobstest.Host, trigger, bytes, running.ID, attempt).Scan(&id))
		return id
	}
	good := event("RECORDING_END", 1, 1)
	got, err := replay.Ask(t.Context(), b.Pool, b.River, good)
	require.NoError(t, err)
	require.Equal(t, jobstest.Host, got.HostID)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'replay' AND queue = 'host-mist-1-store' AND args = jsonb_build_object('event_id', $1::bigint)", good))
	for id, says := range map[int64]string{
		event("PUSH_END", 1, 1): "changes no row", event("RECORDING_END", 7, 1): "of attempt 7", event("RECORDING_END", 1, 9): "only the first 1 of its 9 bytes",
	} {
		_, err := replay.Ask(t.Context(), b.Pool, b.River, id)
		require.ErrorIs(t, err, replay.ErrSenseless)
		require.ErrorContains(t, err, says)
	}
	_, err = replay.Ask(t.Context(), b.Pool, b.River, 1<<40)
	require.ErrorIs(t, err, replay.ErrNoEvent)
	b.Dies(t, jobstest.Host)
	_, err = replay.Ask(t.Context(), b.Pool, b.River, good)
	require.ErrorContains(t, err, "is not there")
	_, err = b.Transcodes.Cancel(t.Context(), "", running.ID)
	require.NoError(t, err)
	_, err = replay.Ask(t.Context(), b.Pool, b.River, good)
	require.ErrorContains(t, err, "is cancelled")
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'replay'"))
}
