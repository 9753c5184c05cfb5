package jobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// fullPatience is longer than a full queue is believed to be full.
const fullPatience = 10 * time.Second

// A tenant's queue takes as many as its limit says, and repeats of those; another's is
// another matter.
func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "INSERT INTO weir.tenants (name, queued_most) VALUES ('studio', 3)")
	first := b.AcceptRequest(t, jobstest.MakeRequest("first", "a"))
	b.Accept(t, "a")
	b.Accept(t, "a")
	_, _, err := b.Transcodes.Accept(t.Context(), jobstest.MakeRequest("", "a"))
	require.ErrorIs(t, err, jobs.ErrQueueFull)
	var full *jobs.QueueFull
	require.ErrorAs(t, err, &full)
	require.EqualValues(t, 3, full.Most)
	require.Positive(t, full.Wait)

	again, created, err := b.Transcodes.Accept(t.Context(), jobstest.MakeRequest("first", "a"))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID, again.ID)
	other := jobstest.MakeRequest("", "a")
	other.Tenant = "other"
	b.AcceptRequest(t, other)

	b.Place(t, first.ID, jobstest.Host)
	require.Eventually(t, func() bool {
		_, _, err := b.Transcodes.Accept(t.Context(), jobstest.MakeRequest("", "a"))
		return err == nil
	}, fullPatience, fullPatience/100)
}

// Many at once don't race past the limit.
func TestQueueIsFullForManyAtOnce(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const most, requests, atOnce = 40, 120, 8
	b.Exec(t, "INSERT INTO weir.tenants (name, queued_most) VALUES ('studio', $1)", most)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for range requests {
		group.Go(func() error {
			_, _, _ = b.Transcodes.Accept(t.Context(), jobstest.MakeRequest("", "a")) // most are refused
			return nil
		})
	}
	require.NoError(t, group.Wait())
	// Those that are accepted and not committed when the others are counted are not seen.
	require.InDelta(t, most, b.Count(t, "SELECT count(*) FROM weir.transcodes"), atOnce)
}
