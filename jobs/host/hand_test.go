package host

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// A job that runs by its row and in nobody's hand is done by another; one in hand, one
// just fetched and another boot's are left alone.
func TestSweepTaken(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	held := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	fresh := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	host := &Host{ID: jobstest.Host, BootID: uuid.New(), DB: b.Pool, Log: jobstest.Silent()}
	job := func(id uuid.UUID) int64 {
		a, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: id, Number: 1})
		require.NoError(t, err)
		return *a.JobID
	}
	fetched := func(id uuid.UUID, ago string) int64 {
		_, err := b.Pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() - $3::interval,
			attempted_by = ARRAY[$1] WHERE id = $2`, jobs.ClientID(jobstest.Host, host.BootID), job(id), ago)
		require.NoError(t, err)
		return job(id)
	}
	lost, inHand, young := fetched(transcode.ID, "1 min"), fetched(held.ID, "1 min"), fetched(fresh.ID, "1 s")

	require.NoError(t, host.hand.Work(t.Context(), &rivertype.JobRow{ID: inHand}, func(ctx context.Context) error {
		require.NoError(t, host.sweepTaken(ctx, b.River))
		require.Equal(t, lost, job(transcode.ID), "it may be on its way")
		require.NoError(t, host.sweepTaken(ctx, b.River))
		return nil
	}))
	require.Greater(t, job(transcode.ID), lost)
	old, err := b.River.JobGet(t.Context(), lost)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, old.State)
	require.Equal(t, inHand, job(held.ID))
	require.Equal(t, young, job(fresh.ID))
}
