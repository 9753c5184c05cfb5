package jobs

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

// The raw statements on River's own table hold against the pinned River: a dead
// owner's running jobs are ended and come again as new rows.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := dbsqlc.New()
	dead, alive := uuid.New(), uuid.New()
	transcode := b.place(t, b.accept(t, "a").ID, testHost)
	stored := b.run(t, "a")
	storeJob, err := b.client.Insert(t.Context(), StoreArgs{TranscodeID: stored.ID, Attempt: 1, Rendition: "a"}, storeOpts(testHost))
	require.NoError(t, err)
	elsewhere := b.accept(t, "a")
	b.boot(t, "mist-2", 1)
	b.place(t, elsewhere.ID, "mist-2")
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(),
		attempted_by = ARRAY[$1, $2] WHERE queue = ANY($3)`,
		"somebody", clientID(testHost, dead), []string{hostQueue(testHost), storeQueue(testHost)})
	require.NoError(t, err)
	// One is this boot's own: it stays.
	own, err := b.client.Insert(t.Context(), StoreArgs{TranscodeID: stored.ID, Attempt: 1, Rendition: "own"}, storeOpts(testHost))
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(),
		attempted_by = ARRAY[$1] WHERE id = $2`, clientID(testHost, alive), own.Job.ID)
	require.NoError(t, err)

	host := &Host{ID: testHost, BootID: alive, DB: b.pool, Log: silent()}
	for range 2 { // the second time there is nothing left
		b.tx(t, func(ctx context.Context, tx pgx.Tx) error { return host.takeOver(ctx, tx, b.client) })
	}

	attempt, err := q.AttemptGet(t.Context(), b.pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	job, err := b.client.JobGet(t.Context(), *attempt.JobID)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateAvailable, job.State)
	require.Equal(t, hostQueue(testHost), job.Queue)
	rendition, err := q.RenditionGet(t.Context(), b.pool, dbsqlc.RenditionGetParams{TranscodeID: stored.ID, Name: "a"})
	require.NoError(t, err)
	require.Greater(t, *rendition.JobID, storeJob.Job.ID)
	old, err := b.client.JobGet(t.Context(), storeJob.Job.ID)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateCancelled, old.State)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.river_job WHERE state = 'running'"))
	// Two transcodes of this host, one of another; two stores of this one.
	list, err := b.client.JobList(t.Context(), river.NewJobListParams().Kinds("transcode", "store").States(rivertype.JobStateAvailable))
	require.NoError(t, err)
	require.Len(t, list.Jobs, 4)
}
