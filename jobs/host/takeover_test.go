package host

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// The raw statements on River's own table hold against the pinned River: a dead
// owner's running jobs are ended and come again as new rows.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	q := dbsqlc.New()
	dead, alive := uuid.New(), uuid.New()
	transcode := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	stored := b.Run(t, "a")
	storeJob, err := b.River.Insert(t.Context(), jobs.StoreArgs{TranscodeID: stored.ID, Attempt: 1, Rendition: "a"}, &river.InsertOpts{Queue: jobs.StoreQueue(jobstest.Host)})
	require.NoError(t, err)
	elsewhere := b.Accept(t, "a")
	b.Boot(t, "mist-2", 1)
	b.Place(t, elsewhere.ID, "mist-2")
	_, err = b.Pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(),
		attempted_by = ARRAY[$1, $2] WHERE queue = ANY($3)`,
		"somebody", jobs.ClientID(jobstest.Host, dead), []string{jobs.HostQueue(jobstest.Host), jobs.StoreQueue(jobstest.Host)})
	require.NoError(t, err)
	// One is this boot's own: it stays.
	own, err := b.River.Insert(t.Context(), jobs.StoreArgs{TranscodeID: stored.ID, Attempt: 1, Rendition: "own"}, &river.InsertOpts{Queue: jobs.StoreQueue(jobstest.Host)})
	require.NoError(t, err)
	_, err = b.Pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(),
		attempted_by = ARRAY[$1] WHERE id = $2`, jobs.ClientID(jobstest.Host, alive), own.Job.ID)
	require.NoError(t, err)

	host := &Host{ID: jobstest.Host, BootID: alive, DB: b.Pool, Log: jobstest.Silent()}
	for range 2 { // the second time there is nothing left
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return host.takeOver(ctx, tx, b.River) })
	}

	attempt, err := q.AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	job, err := b.River.JobGet(t.Context(), *attempt.JobID)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateAvailable, job.State)
	require.Equal(t, jobs.HostQueue(jobstest.Host), job.Queue)
	rendition, err := q.RenditionGet(t.Context(), b.Pool, dbsqlc.RenditionGetParams{TranscodeID: stored.ID, Name: "a"})
	require.NoError(t, err)
	require.Greater(t, *rendition.JobID, storeJob.Job.ID)
	old, err := b.River.JobGet(t.Context(), storeJob.Job.ID)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, old.State)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE state = 'running'"))
	// Two transcodes of this host, one of another; two stores of this one.
	list, err := b.River.JobList(t.Context(), river.NewJobListParams().Kinds("transcode", "store").States(rivertype.JobStateAvailable))
	require.NoError(t, err)
	require.Len(t, list.Jobs, 4)
}

func TestSweepJobs(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	b.Run(t, "a")
	_, err := b.Pool.Exec(t.Context(), "DELETE FROM weir.river_job")
	require.NoError(t, err)
	host := &Host{ID: jobstest.Host, DB: b.Pool, Log: jobstest.Silent()}
	for range 2 {
		require.NoError(t, host.sweepJobs(t.Context(), b.River))
	}
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode'"))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'store'"))
}
