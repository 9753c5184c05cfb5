package jobs_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

func taskRequest(attempt string) *jobs.Request {
	req := jobstest.MakeRequest("task-1", "360p")
	req.Form, req.Body = jobs.FormVOD, []byte("attempt "+attempt)
	return req
}

// postTask posts an attempt of a task, and says whether it is a transcode of its own.
func postTask(t *testing.T, b *jobstest.Bundle, attempt string) (dbsqlc.Transcode, bool) {
	t.Helper()
	got, created, err := b.Transcodes.Accept(t.Context(), taskRequest(attempt))
	require.NoError(t, err)
	return got, created
}

func callbackOf(t *testing.T, b *jobstest.Bundle, transcode *dbsqlc.Transcode) string {
	t.Helper()
	detail, err := b.Transcodes.Get(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	require.NotNil(t, detail.Callback)
	return detail.Callback.State
}

// TestTaskAgainAfterItsEnd: Studio counts a task's attempts anew when a person has it
// retried, so the body of an end comes again, and Studio waits for another one.
func TestTaskAgainAfterItsEnd(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	running := b.RunRequest(t, taskRequest("0"))
	b.Fail(t, running.ID, running.Attempt, "360p", jobs.Failed(jobs.CodeCancelled, jobs.StageStore, ""))
	require.Equal(t, jobs.StateFailed, b.Get(t, running.ID).State)

	// A failure begins a new run, with a callback of its own.
	again, created := postTask(t, b, "0")
	require.False(t, created)
	require.Equal(t, running.ID, again.ID)
	retried := b.Get(t, running.ID)
	require.Equal(t, jobs.StateQueued, retried.State)
	require.Equal(t, int32(2), retried.Run)
	again, _ = postTask(t, b, "0")
	require.Equal(t, int32(2), b.Get(t, again.ID).Run, "it is under way: nothing begins anew")

	// A success is told again, once it was told.
	started := b.Start(t, running.ID)
	_, err := dbsqlc.New().RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{TranscodeID: started.ID, Name: "360p", Attempt: started.Attempt})
	require.NoError(t, err)
	require.NoError(t, b.Store(t.Context(), &started, "360p"))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, started.ID).State)
	redeliveries := func() (n int) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.river_job WHERE kind = 'callback' AND args->>'redelivery' = 'true'").Scan(&n))
		return n
	}
	again, _ = postTask(t, b, "0")
	require.Equal(t, started.ID, again.ID)
	require.Zero(t, redeliveries(), "it is still to come")
	b.Exec(t, "UPDATE weir.callbacks SET state = 'delivered', delivered_at = now() WHERE transcode_id = $1 AND run = 2", started.ID)
	again, created = postTask(t, b, "0")
	require.Equal(t, started.ID, again.ID)
	require.False(t, created)
	require.Equal(t, 1, redeliveries())
	require.Equal(t, jobs.StateSucceeded, b.Get(t, started.ID).State)
}

// TestTaskReplaced: what another attempt replaces says nothing any more, unless it stands;
// and is no longer there to be retried.
func TestTaskReplaced(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	failed := b.RunRequest(t, taskRequest("0"))
	b.Fail(t, failed.ID, failed.Attempt, "360p", jobs.Failed(jobs.CodeCancelled, jobs.StageStore, ""))
	require.Equal(t, jobs.CallbackPending, callbackOf(t, b, &failed))

	running := b.RunRequest(t, taskRequest("1"))
	require.Equal(t, jobs.CallbackSuperseded, callbackOf(t, b, &failed), "the task takes an old attempt's words for its own progress")
	_, err := b.Transcodes.Retry(t.Context(), failed.ID)
	require.ErrorIs(t, err, jobs.ErrReplaced)
	_, err = b.Pool.Exec(t.Context(), "UPDATE weir.transcodes SET state = 'queued', run = run + 1, finished_at = NULL WHERE id = $1", failed.ID)
	require.ErrorContains(t, err, "transcodes_replaced_has_ended")
	_, err = b.Pool.Exec(t.Context(), "UPDATE weir.transcodes SET former_external_id = external_id, external_id = NULL WHERE id = $1", running.ID)
	require.ErrorContains(t, err, "transcodes_replaced_has_ended")

	newest, created := postTask(t, b, "2")
	require.True(t, created)
	was := b.Get(t, running.ID)
	require.Equal(t, jobs.StateCancelled, was.State)
	require.Equal(t, "task-1", *jobs.TaskOf(&was))
	require.Equal(t, jobs.CallbackSuperseded, callbackOf(t, b, &running))

	// A success that was not told yet is told: its outputs stand until there are others.
	started := b.Start(t, newest.ID)
	b.Exec(t, "UPDATE weir.renditions SET planned_width = 640, planned_height = 360 WHERE transcode_id = $1", started.ID)
	_, err = dbsqlc.New().RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{TranscodeID: started.ID, Name: "360p", Attempt: started.Attempt})
	require.NoError(t, err)
	b.Exec(t, `UPDATE weir.transcodes SET source = '{"container": "mpegts", "duration_us": 20000000, "bytes": 1000}', source_duration_ms = 20000 WHERE id = $1`, started.ID)
	require.NoError(t, b.Store(t.Context(), &started, "360p"))
	_, created = postTask(t, b, "3")
	require.True(t, created)
	require.Equal(t, jobs.CallbackPending, callbackOf(t, b, &newest))
}

// TestLadderInRows: a transcode without renditions can fail, be tried again, be cancelled and
// be lost, but not succeed; its renditions come with an attempt.
func TestLadderInRows(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	accept := func() dbsqlc.Transcode { return b.AcceptRequest(t, jobstest.MakeRequest("")) }
	fail := func(transcode *dbsqlc.Transcode, code string) {
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, transcode.ID); err != nil {
				return err
			}
			return b.Decider(tx).FailUnpushed(ctx, transcode.ID, transcode.Attempt, jobs.Failed(code, jobs.StageFetch, ""))
		})
	}
	// What the source decides is final.
	started := b.Start(t, accept().ID)
	require.True(t, started.Ladder)
	fail(&started, "object_missing")
	failed := b.Get(t, started.ID)
	require.Equal(t, jobs.StateFailed, failed.State)
	require.Equal(t, "object_missing", *failed.ErrorCode)
	require.Equal(t, jobs.CallbackPending, callbackOf(t, b, &failed))
	_, err := b.Transcodes.Retry(t.Context(), failed.ID)
	require.NoError(t, err)

	// Else another attempt follows.
	started = b.Start(t, accept().ID)
	fail(&started, "source_unreachable")
	require.Equal(t, jobs.StateQueued, b.Get(t, started.ID).State)

	// Nothing decides by renditions that are not there.
	started = b.Start(t, accept().ID)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		return b.Decider(tx).Settle(ctx, started.ID, started.Attempt)
	})
	require.Equal(t, jobs.StateRunning, b.Get(t, started.ID).State)
	_, err = b.Transcodes.Cancel(t.Context(), "", started.ID)
	require.NoError(t, err)
	started = b.Start(t, accept().ID)
	_, err = b.Pool.Exec(t.Context(), `WITH told AS (INSERT INTO weir.callbacks (id, transcode_id, run, url, body) VALUES (gen_random_uuid(), $1, 1, '', ''))
		UPDATE weir.transcodes SET state = 'succeeded', ratio = 1, finished_at = now() WHERE id = $1`, started.ID)
	require.ErrorContains(t, err, "no renditions")

	// A host that dies takes it no further.
	b.Dies(t, jobstest.Host)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		taken, err := b.Decider(tx).Lose(ctx, started.ID, jobstest.Host)
		require.True(t, taken)
		return err
	})
	require.Equal(t, jobs.StateQueued, b.Get(t, started.ID).State)

	// The ladder of an attempt, and that of another source.
	b.Boot(t, jobstest.Host, 4)
	b.Exec(t, "UPDATE weir.transcodes SET not_before = now() WHERE id = $1", started.ID)
	started = b.Start(t, started.ID)
	set := func(names ...string) {
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			return b.Decider(tx).SetLadder(ctx, started.ID, started.Attempt, jobstest.MakeRequest("", names...).Profiles)
		})
	}
	names := func() (list []string) {
		renditions, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, started.ID)
		require.NoError(t, err)
		for _, r := range renditions {
			require.Equal(t, started.Attempt, r.Attempt)
			list = append(list, r.Name)
		}
		return list
	}
	set("low", "high")
	require.Equal(t, []string{"low", "high"}, names())
	set()
	require.Equal(t, []string{"low", "high"}, names())
	set("360p0", "720p0", "1080p0")
	require.Equal(t, []string{"360p0", "720p0", "1080p0"}, names())
}
