package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir/jobs"
	"weir/jobs/jobstest"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
)

// Against the pinned River: jobs are dated by the database, whose time stands still in
// a transaction; this program's does not.
func TestInsertedByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	tx, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	var now time.Time
	require.NoError(t, tx.QueryRow(t.Context(), "SELECT now()").Scan(&now))

	job, err := b.River.InsertTx(t.Context(), tx, jobs.PlaceArgs{}, nil)
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateAvailable, job.Job.State)
	require.True(t, now.Equal(job.Job.CreatedAt) && now.Equal(job.Job.ScheduledAt), "%s, %s, now %s", job.Job.CreatedAt, job.Job.ScheduledAt, now)

	later := now.Add(time.Hour)
	job, err = b.River.InsertTx(t.Context(), tx, jobs.PlaceArgs{}, &river.InsertOpts{ScheduledAt: later})
	require.NoError(t, err)
	require.Equal(t, rivertype.JobStateScheduled, job.Job.State)
	require.True(t, later.Equal(job.Job.ScheduledAt))
}

// TestEveryJobIsTold: also one that comes a moment behind another of its queue, which River
// itself leaves to whoever fetches that one.
func TestEveryJobIsTold(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	conn, err := b.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), `LISTEN "weir.river_insert"`)
	require.NoError(t, err)
	const jobsOfAMoment = 3
	for range jobsOfAMoment {
		_, err := b.River.Insert(t.Context(), jobs.PlaceArgs{}, nil)
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("a job was not told of"))
	defer cancel()
	for range jobsOfAMoment {
		told, err := conn.Conn().WaitForNotification(ctx)
		require.NoError(t, errors.Join(err, context.Cause(ctx)))
		require.JSONEq(t, `{"queue": "`+jobs.PlaceQueue+`"}`, told.Payload)
	}
}
