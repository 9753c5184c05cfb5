package jobs

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

// A job that runs by its row and in nobody's hand is done by another; one in hand, one
// just fetched and another boot's are left alone.
func TestSweepTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	transcode := b.place(t, b.accept(t, "a").ID, testHost)
	held := b.place(t, b.accept(t, "a").ID, testHost)
	fresh := b.place(t, b.accept(t, "a").ID, testHost)
	host := &Host{ID: testHost, BootID: uuid.New(), DB: b.pool, Log: silent()}
	job := func(id uuid.UUID) int64 {
		a, err := dbsqlc.New().AttemptGet(t.Context(), b.pool, dbsqlc.AttemptGetParams{TranscodeID: id, Number: 1})
		require.NoError(t, err)
		return *a.JobID
	}
	fetched := func(id uuid.UUID, ago string) int64 {
		_, err := b.pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() - $3::interval,
			attempted_by = ARRAY[$1] WHERE id = $2`, clientID(testHost, host.BootID), job(id), ago)
		require.NoError(t, err)
		return job(id)
	}
	lost, inHand, young := fetched(transcode.ID, "1 min"), fetched(held.ID, "1 min"), fetched(fresh.ID, "1 s")

	require.NoError(t, host.hand.Work(t.Context(), &rivertype.JobRow{ID: inHand}, func(ctx context.Context) error {
		require.NoError(t, host.sweepTaken(ctx, b.client))
		require.Equal(t, lost, job(transcode.ID), "it may be on its way")
		require.NoError(t, host.sweepTaken(ctx, b.client))
		return nil
	}))
	require.Greater(t, job(transcode.ID), lost)
	old, err := b.client.JobGet(t.Context(), lost)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, old.State)
	require.Equal(t, inHand, job(held.ID))
	require.Equal(t, young, job(fresh.ID))
}
