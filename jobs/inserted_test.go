package jobs

import (
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
)

// Against the pinned River: jobs are dated by the database, whose time stands still in
// a transaction; this program's does not.
func TestInsertedByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	var now time.Time
	require.NoError(t, tx.QueryRow(t.Context(), "SELECT now()").Scan(&now))

	job, err := b.client.InsertTx(t.Context(), tx, PlaceArgs{}, nil)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateAvailable, job.Job.State)
	require.True(t, now.Equal(job.Job.CreatedAt) && now.Equal(job.Job.ScheduledAt), "%s, %s, now %s", job.Job.CreatedAt, job.Job.ScheduledAt, now)

	later := now.Add(time.Hour)
	job, err = b.client.InsertTx(t.Context(), tx, PlaceArgs{}, &river.InsertOpts{ScheduledAt: later})
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateScheduled, job.Job.State)
	require.True(t, later.Equal(job.Job.ScheduledAt))
}
