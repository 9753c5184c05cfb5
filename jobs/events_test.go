package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// eventsOf are a transcode's, as far as readers may go.
func eventsOf(t *testing.T, b *jobstest.Bundle, id uuid.UUID) []dbsqlc.Event {
	t.Helper()
	q := dbsqlc.New()
	settled, err := q.EventSettled(t.Context(), b.Pool)
	require.NoError(t, err)
	events, err := q.EventListOfTranscode(t.Context(), b.Pool, dbsqlc.EventListOfTranscodeParams{TranscodeID: id, Settled: settled, PageSize: 1000})
	require.NoError(t, err)
	return events
}

func typesOf(events []dbsqlc.Event) []string {
	types := make([]string, len(events))
	for i, e := range events {
		types[i] = e.Type
		if e.Rendition != nil {
			types[i] += " " + *e.Rendition
		}
	}
	return types
}

// Each change that callers hear of leaves a row, whichever way it went.
func TestEventsOfEachChange(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	ended := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &ended, "a"))
	require.NoError(t, b.Store(t.Context(), &ended, "b"))
	events := eventsOf(t, b, ended.ID)
	require.Equal(t, []string{
		"transcode.queued", "transcode.placed", "transcode.started", "rendition.pushed a", "rendition.pushed b",
		"rendition.ready a", "rendition.ready b", "transcode.succeeded",
	}, typesOf(events))
	last := events[len(events)-1]
	require.Equal(t, "studio", last.Tenant)
	require.Equal(t, jobs.StateSucceeded, last.State)
	require.InDelta(t, 1, last.Ratio, 0)
	require.Equal(t, jobstest.Host, *last.HostID)
	require.Nil(t, last.ErrorCode)

	cancelled := b.Start(t, b.Accept(t, "a").ID)
	_, err := b.Transcodes.Cancel(t.Context(), "studio", cancelled.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"transcode.queued", "transcode.placed", "transcode.started", "rendition.failed a", "transcode.cancelled"},
		typesOf(eventsOf(t, b, cancelled.ID)))

	failed := b.Run(t, "a")
	b.Fail(t, failed.ID, failed.Attempt, "a", jobs.Failed(jobs.CodeSegmentRejected, jobs.StageStore, ""))
	if b.Get(t, failed.ID).State == jobs.StateQueued { // tried again
		b.Exec(t, "UPDATE weir.transcodes SET attempts_left = 1, not_before = now() WHERE id = $1", failed.ID)
		again := b.Start(t, failed.ID)
		b.Fail(t, failed.ID, again.Attempt, "a", jobs.Failed(jobs.CodeSegmentRejected, jobs.StageStore, ""))
	}
	_, err = b.Transcodes.Retry(t.Context(), failed.ID)
	require.NoError(t, err)
	events = eventsOf(t, b, failed.ID)
	require.Contains(t, typesOf(events), "transcode.failed")
	last = events[len(events)-1]
	require.Equal(t, "transcode.retried", last.Type)
	require.EqualValues(t, 2, last.Run)
}

// A change that is rolled back has no event, and holds nobody up.
func TestEventsOfARollback(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Accept(t, "a")
	tx, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = dbsqlc.New().TranscodePlace(t.Context(), tx, dbsqlc.TranscodePlaceParams{Ids: []uuid.UUID{transcode.ID}, HostIds: []string{jobstest.Host}})
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	b.Place(t, transcode.ID, jobstest.Host)
	require.Equal(t, []string{"transcode.queued", "transcode.placed"}, typesOf(eventsOf(t, b, transcode.ID)))
}

// A reader never goes past an id that may still come: of a transaction that drew it
// early and ends late, whatever was committed meanwhile.
func TestEventsSettleBehindWhoDrewFirst(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	early, late := b.Accept(t, "a"), b.Accept(t, "a")
	q := dbsqlc.New()
	place := func(id uuid.UUID) dbsqlc.TranscodePlaceParams {
		return dbsqlc.TranscodePlaceParams{Ids: []uuid.UUID{id}, HostIds: []string{jobstest.Host}}
	}
	tx, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = q.TranscodePlace(t.Context(), tx, place(early.ID))
	require.NoError(t, err)
	_, err = q.TranscodePlace(t.Context(), b.Pool, place(late.ID))
	require.NoError(t, err)
	settled, err := q.EventSettled(t.Context(), b.Pool)
	require.NoError(t, err)
	drawn := int64(b.Count(t, "SELECT max(id) FROM weir.events WHERE transcode_id = $1", late.ID))
	require.Less(t, settled, drawn, "the id before it is not there yet")
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, []string{"transcode.queued", "transcode.placed"}, typesOf(eventsOf(t, b, early.ID)))
	require.Equal(t, []string{"transcode.queued", "transcode.placed"}, typesOf(eventsOf(t, b, late.ID)))
}

// Readers that go on from where they were, beside many that write at once, get every
// event once and in order.
func TestEventsAreReadOnceAndInOrder(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const writers, each = 8, 40
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var writing, reading errgroup.Group
	done := make(chan struct{})
	for range writers {
		writing.Go(func() error {
			for range each {
				transcode, _, err := b.Transcodes.Accept(ctx, jobstest.MakeRequest("", "a"))
				if err == nil {
					_, err = b.Transcodes.Cancel(ctx, "studio", transcode.ID)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	var read []int64
	reading.Go(func() error {
		q, after, ending := dbsqlc.New(), int64(0), false
		for {
			select {
			case <-done:
				ending = true
			default:
			}
			settled, err := q.EventSettled(ctx, b.Pool)
			if err != nil {
				return err
			}
			list, err := q.EventListAfter(ctx, b.Pool, dbsqlc.EventListAfterParams{After: after, Settled: settled, PageSize: 10000})
			if err != nil {
				return err
			}
			for _, e := range list {
				read = append(read, e.ID)
			}
			after = max(after, settled)
			if ending {
				return nil
			}
		}
	})
	require.NoError(t, writing.Wait())
	close(done)
	require.NoError(t, reading.Wait())
	require.IsIncreasing(t, read)
	require.Len(t, read, b.Count(t, "SELECT count(*) FROM weir.events"))
	require.Len(t, read, writers*each*3, "queued, rendition.failed, cancelled")
}
