package jobs_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// Eight renditions end at the same moment, a thousand times over: exactly one
// callback each.
func TestSettleWritesOneCallback(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const (
		rounds = 1000
		ways   = 8
	)
	names := make([]string, ways)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	for range rounds {
		transcode := b.Run(t, names...)
		var group errgroup.Group
		start := make(chan struct{})
		for _, name := range names {
			group.Go(func() error {
				<-start
				return b.Store(t.Context(), &transcode, name)
			})
		}
		close(start)
		require.NoError(t, group.Wait())
	}
	require.Equal(t, rounds, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'succeeded' AND ratio = 1"))
	require.Equal(t, rounds, b.Count(t, "SELECT count(DISTINCT transcode_id) FROM weir.callbacks"))
	require.Equal(t, rounds, b.Count(t, "SELECT count(*) FROM weir.callbacks"))
	require.Equal(t, rounds, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))
}

// Stores doubled, as by a taken-over job, change nothing either.
func TestSettleTwice(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Run(t, "a", "b")
	var group errgroup.Group
	for range 4 {
		for _, name := range []string{"a", "b"} {
			group.Go(func() error { return b.Store(t.Context(), &transcode, name) })
		}
	}
	require.NoError(t, group.Wait())
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks"))
}

// A cancel and the last store at once: one of them decides, and neither hangs.
func TestSettleAgainstCancel(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for range 50 {
		transcode := b.Run(t, "a", "b", "c")
		var group errgroup.Group
		for _, name := range []string{"a", "b", "c"} {
			group.Go(func() error { return b.Store(t.Context(), &transcode, name) })
		}
		group.Go(func() error {
			_, err := b.Transcodes.Cancel(t.Context(), "studio", transcode.ID)
			if state := transcode.State; err != nil && state != jobs.StateSucceeded {
				require.ErrorIs(t, err, jobs.ErrFinished)
			}
			return nil
		})
		require.NoError(t, group.Wait())
		require.True(t, jobs.Terminal(b.Get(t, transcode.ID).State))
		require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks WHERE transcode_id = $1", transcode.ID))
	}
}

func TestFailedAttemptGoesBackToTheQueue(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mist-2", 1)
	transcode := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	fail := func(name string, f *jobs.Failure) {
		b.Fail(t, transcode.ID, b.Get(t, transcode.ID).Attempt, name, f)
	}
	fail("b", jobs.Failed(jobs.CodeNothingReturned, jobs.StageTranscode, "test"))
	again := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateQueued, again.State)
	require.Equal(t, jobs.CodeNothingReturned, *again.ErrorCode)
	require.EqualValues(t, jobs.MaxAttempts-1, again.AttemptsLeft)
	require.NotContains(t, *again.ErrorMessage, "test")
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, "test", *attempt.ErrorDetail)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.callbacks"))

	// The next attempt goes elsewhere, and keeps what is ok.
	require.Equal(t, jobstest.Host, *again.HostID, "placement goes by it")
	b.Place(t, transcode.ID, "mist-2")
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, transcode.ID)
	require.NoError(t, err)
	require.Equal(t, []string{jobs.RenditionOK, jobs.RenditionExpected}, []string{renditions[0].State, renditions[1].State})
	require.Equal(t, []int32{1, 2}, []int32{renditions[0].Attempt, renditions[1].Attempt})

	// What the old attempt still writes changes nothing.
	require.NoError(t, b.Store(t.Context(), &transcode, "b"))
	require.Equal(t, jobs.StatePlaced, b.Get(t, transcode.ID).State)

	// A final failure ends it, with its one callback.
	fail("b", jobs.Failed("s3_bucket_missing", jobs.StageStore, ""))
	require.Equal(t, jobs.StateFailed, b.Get(t, transcode.ID).State)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks"))

	// An operator's retry is a new run with a callback of its own.
	detail, err := b.Transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	require.Equal(t, jobs.StateQueued, detail.Transcode.State)
	require.Nil(t, detail.Callback)
	third := b.Place(t, transcode.ID, jobstest.Host)
	require.EqualValues(t, 3, third.Attempt)
	_, err = b.Transcodes.Cancel(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.callbacks"))
	_, err = b.Transcodes.Retry(t.Context(), transcode.ID)
	require.ErrorIs(t, err, jobs.ErrNotFailed)
}

// Faults of ours and of hosts cost nothing but time, and of that a day.
func TestFreeAttempts(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Run(t, "a")
	for i := range 2 * jobs.MaxAttempts {
		b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed(jobs.CodeMistUnavailable, jobs.StageTranscode, ""))
		again := b.Get(t, transcode.ID)
		require.Equal(t, jobs.StateQueued, again.State)
		require.EqualValues(t, jobs.MaxAttempts, again.AttemptsLeft)
		require.EqualValues(t, i+1, again.FreeTries)
		require.Equal(t, jobs.FreeWait(jobs.Failed(jobs.CodeMistUnavailable, jobs.StageTranscode, ""), int32(i)), again.NotBefore.Sub(again.UpdatedAt))
		transcode = b.Start(t, transcode.ID)
	}
	b.Exec(t, "UPDATE weir.transcodes SET run_at = now() - interval '1 day' WHERE id = $1", transcode.ID)
	b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed(jobs.CodeMistUnavailable, jobs.StageTranscode, ""))
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateFailed, ended.State)
	require.Equal(t, jobs.CodeMistUnavailable, *ended.ErrorCode)

	// An operator's retry has a day of its own.
	_, err := b.Transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	transcode = b.Start(t, transcode.ID)
	require.Zero(t, transcode.FreeTries)
	b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed(jobs.CodeMistUnavailable, jobs.StageTranscode, ""))
	require.Equal(t, jobs.StateQueued, b.Get(t, transcode.ID).State)
}

// A dead host's transcode goes on, however many attempts it has had.
func TestLostHostsCostNoAttempt(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	lose := func(id uuid.UUID) {
		t.Helper()
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			taken, err := b.Decider(tx).Lose(ctx, id, jobstest.Host)
			require.True(t, taken)
			return err
		})
	}
	transcode := b.Run(t, "a")
	for range 2 * jobs.MaxAttempts {
		b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 second'")
		lose(transcode.ID)
		again := b.Get(t, transcode.ID)
		require.Equal(t, jobs.StateQueued, again.State)
		require.EqualValues(t, jobs.MaxAttempts, again.AttemptsLeft)
		require.LessOrEqual(t, again.NotBefore.Sub(again.UpdatedAt), jobs.LostMax)
		b.Boot(t, jobstest.Host, 4)
		transcode = b.Start(t, transcode.ID)
	}
	b.Exec(t, "UPDATE weir.transcodes SET run_at = now() - interval '1 day' WHERE id = $1", transcode.ID)
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 second'")
	lose(transcode.ID)
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateFailed, ended.State)
	require.Equal(t, jobs.CodeHostLost, *ended.ErrorCode)
}

// A cancel says where it met the transcode.
func TestCancelSaysWhere(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for _, test := range []struct {
		step  string
		stage jobs.Stage
	}{
		{jobs.AttemptPlaced, jobs.StageFetch}, {jobs.AttemptFetched, jobs.StageProbe}, {jobs.AttemptPrepared, jobs.StageTranscode}, {jobs.AttemptStarted, jobs.StageTranscode},
	} {
		transcode := b.Start(t, b.Accept(t, "a").ID)
		b.Exec(t, "UPDATE weir.attempts SET stage = $2 WHERE transcode_id = $1", transcode.ID, test.step)
		_, err := b.Transcodes.Cancel(t.Context(), "studio", transcode.ID)
		require.NoError(t, err)
		require.Equal(t, string(test.stage), *b.Get(t, transcode.ID).ErrorStage, test.step)
	}
	duration := int64(1)
	require.Equal(t, jobs.StagePrepare, jobs.StageAt(&dbsqlc.Transcode{State: jobs.StateRunning, SourceDurationMs: &duration}, jobs.AttemptFetched))
}

// A process that starts again leaves what is pushed, and begins the rest anew; another
// boot can't do it.
func TestStartAgainInRows(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	boot := b.Boot(t, jobstest.Host, 4)
	transcode := b.Start(t, b.Accept(t, "a", "b", "c").ID)
	b.Exec(t, "UPDATE weir.attempts SET stage = 'started', boot_id = $2, process = '1:2:x' WHERE transcode_id = $1", transcode.ID, boot)
	b.Exec(t, "UPDATE weir.renditions SET state = 'pushed' WHERE transcode_id = $1 AND name = 'a'", transcode.ID)
	b.Exec(t, `UPDATE weir.renditions SET state = 'pushing', track_index = 1, push_pid = 4, recorded_bytes = 9,
		recorded_reason = 'SHM_LOST', pushed_ms = 900 WHERE transcode_id = $1 AND name = 'b'`, transcode.ID)
	b.Exec(t, "UPDATE weir.renditions SET track_index = 2 WHERE transcode_id = $1 AND name = 'c'", transcode.ID)
	q := dbsqlc.New()
	other := uuid.New()
	changed, err := q.AttemptStartAgain(t.Context(), b.Pool, dbsqlc.AttemptStartAgainParams{
		TranscodeID: transcode.ID, Number: 1, BootID: &other, Reruns: 1})
	require.NoError(t, err)
	require.Zero(t, changed)
	changed, err = q.AttemptStartAgain(t.Context(), b.Pool, dbsqlc.AttemptStartAgainParams{
		TranscodeID: transcode.ID, Number: 1, BootID: &boot, Reruns: 1})
	require.NoError(t, err)
	require.EqualValues(t, 1, changed)
	require.NoError(t, q.RenditionExpectAgain(t.Context(), b.Pool, dbsqlc.RenditionExpectAgainParams{TranscodeID: transcode.ID, Attempt: 1}))
	attempt, err := q.AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, jobs.AttemptPrepared, attempt.Stage)
	require.Nil(t, attempt.Process)
	require.EqualValues(t, 1, attempt.Reruns)
	require.Zero(t, attempt.HungStarts)
	renditions, err := q.RenditionList(t.Context(), b.Pool, transcode.ID)
	require.NoError(t, err)
	require.Equal(t, []string{jobs.RenditionPushed, jobs.RenditionExpected, jobs.RenditionExpected},
		[]string{renditions[0].State, renditions[1].State, renditions[2].State})
	for _, r := range renditions[1:] {
		require.Nil(t, r.TrackIndex)
		require.Nil(t, r.RecordedReason)
	}
	require.EqualValues(t, 900, renditions[1].PushedMs, "progress does not go down")
}

// Each of these is refused by the schema, whoever writes it.
func TestSchemaHoldsTheInvariants(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	done := b.Run(t, "a")
	require.NoError(t, b.Store(t.Context(), &done, "a"))
	open := b.Run(t, "a", "b")
	packaged := b.RunRequest(t, outputRequest("a", jobs.OutputTS, jobs.OutputHLS))
	of := " WHERE transcode_id = '" + packaged.ID.String() + "' AND ordinal = 1"
	for _, test := range []struct{ name, sql string }{
		{"leave succeeded", "UPDATE weir.transcodes SET state = 'queued', finished_at = NULL WHERE id = '" + done.ID.String() + "'"},
		{"leave succeeded by a new run", "UPDATE weir.transcodes SET state = 'queued', finished_at = NULL, run = run + 1 WHERE id = '" + done.ID.String() + "'"},
		{"fail what succeeded", "UPDATE weir.transcodes SET state = 'failed', error_code = 'x', error_stage = 'x', error_message = 'x' WHERE id = '" + done.ID.String() + "'"},
		{"leave ok", "UPDATE weir.renditions SET state = 'failed', error_code = 'x', error_stage = 'x' WHERE transcode_id = '" + done.ID.String() + "'"},
		{"leave ok by a new attempt", "UPDATE weir.renditions SET state = 'expected', attempt = attempt + 1 WHERE transcode_id = '" + done.ID.String() + "'"},
		{"ok without evidence", "UPDATE weir.renditions SET state = 'ok' WHERE transcode_id = '" + open.ID.String() + "' AND name = 'a'"},
		{"ok without a size", "UPDATE weir.renditions SET planned_width = NULL, planned_height = NULL WHERE transcode_id = '" + done.ID.String() + "'"},
		{"half a size", "UPDATE weir.renditions SET planned_width = NULL WHERE transcode_id = '" + open.ID.String() + "'"},
		{"odd size", "UPDATE weir.renditions SET planned_height = 361 WHERE transcode_id = '" + open.ID.String() + "'"},
		{"warnings no list", "UPDATE weir.transcodes SET warnings = '{}' WHERE id = '" + open.ID.String() + "'"},
		{"expect again what is pushed", "UPDATE weir.renditions SET state = 'expected' WHERE transcode_id = '" + open.ID.String() + "'"},
		{"succeed with a rendition open", "UPDATE weir.transcodes SET state = 'succeeded', ratio = 1, finished_at = now() WHERE id = '" + open.ID.String() + "'"},
		{"end without a callback", "UPDATE weir.transcodes SET state = 'cancelled', finished_at = now() WHERE id = '" + open.ID.String() + "'"},
		{"fail without a code", "UPDATE weir.transcodes SET state = 'failed', finished_at = now() WHERE id = '" + open.ID.String() + "'"},
		{"second callback", "INSERT INTO weir.callbacks (id, transcode_id, run, url, body) SELECT gen_random_uuid(), transcode_id, run, url, body FROM weir.callbacks LIMIT 1"},
		{"change what is told", "UPDATE weir.callbacks SET body = 'other'"},
		{"attempt down", "UPDATE weir.transcodes SET attempt = 0 WHERE id = '" + open.ID.String() + "'"},
		{"no renditions", "INSERT INTO weir.transcodes SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'other'))).* FROM weir.transcodes t WHERE id = '" + open.ID.String() + "'"},
		{"a payload without end", "INSERT INTO weir.mist_events (host_id, trigger, headers, payload, payload_bytes, verdict) VALUES ('h', 't', '{}', repeat('x', 65537)::bytea, 65537, 'noted')"},
		{"an output that is ok without evidence", "UPDATE weir.outputs SET state = 'ok', bytes = 1, objects = '[]', stored_at = now()" + of},
		{"an output that is skipped for no reason", "UPDATE weir.outputs SET state = 'skipped'" + of},
		{"an output that failed without a code", "UPDATE weir.outputs SET state = 'failed'" + of},
		{"an output's attempt down", "UPDATE weir.outputs SET attempt = 0" + of},
		{"the same output twice", "INSERT INTO weir.outputs SELECT (jsonb_populate_record(o, '{\"ordinal\": 2}')).* FROM weir.outputs o" + of},
		{"an output with objects without end", "UPDATE weir.outputs SET objects = (SELECT jsonb_agg(n) FROM generate_series(1, 65) n)" + of},
		{"packages nothing", "INSERT INTO weir.transcodes SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'third', 'packages', true))).* FROM weir.transcodes t WHERE id = '" + open.ID.String() + "'"},
		{"half a clip", "UPDATE weir.transcodes SET clip_start_ms = 0, clip_clock = 'source' WHERE id = '" + open.ID.String() + "'"},
		{"a clip that ends before it begins", "UPDATE weir.transcodes SET clip_start_ms = 5, clip_end_ms = 5, clip_clock = 'source' WHERE id = '" + open.ID.String() + "'"},
		{"a clip from before the begin", "UPDATE weir.transcodes SET clip_start_ms = -1, clip_end_ms = 5, clip_clock = 'source' WHERE id = '" + open.ID.String() + "'"},
		{"a clip of another clock", "UPDATE weir.transcodes SET clip_start_ms = 0, clip_end_ms = 5, clip_clock = 'utc' WHERE id = '" + open.ID.String() + "'"},
		{"same external id", "UPDATE weir.transcodes SET external_id = 'one'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := b.Pool.Exec(t.Context(), test.sql)
			require.Error(t, err)
			require.Contains(t, []string{"23514", "23505"}, sqlState(t, err), "%v", err)
		})
	}
	// The ratio does not go down; it is kept, because a report that is late is no error.
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE weir.transcodes SET ratio = 0.5 WHERE id = $1", open.ID)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "UPDATE weir.transcodes SET ratio = 0.2 WHERE id = $1", open.ID)
		return err
	})
	require.InDelta(t, 0.5, b.Get(t, open.ID).Ratio, 0)
}

// Of two attempts with sources of their own, one's renditions can't complete the other's.
func TestSuccessIsOfOneSource(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	q := dbsqlc.New()
	for _, identities := range [][2]string{{"one", "one"}, {"one", "two"}} {
		transcode := b.Run(t, "a", "b")
		require.NoError(t, b.Store(t.Context(), &transcode, "a"))
		b.Fail(t, transcode.ID, 1, "b", jobs.Failed(jobs.CodePushFailed, jobs.StagePush, "x"))
		transcode = b.Start(t, transcode.ID)
		b.Exec(t, "UPDATE weir.attempts SET source_identity = ($1::text[])[number] WHERE transcode_id = $2", identities[:], transcode.ID)
		_, err := q.RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{TranscodeID: transcode.ID, Name: "b", Attempt: 2})
		require.NoError(t, err)
		if err := b.Store(t.Context(), &transcode, "b"); identities[0] != identities[1] {
			require.Equal(t, "23514", sqlState(t, err), "%v", err)
		} else {
			require.NoError(t, err)
		}
		_, err = b.Pool.Exec(t.Context(), "UPDATE weir.renditions SET state = 'expected', attempt = 2 WHERE transcode_id = $1 AND name = 'a'", transcode.ID)
		if identities[0] == identities[1] {
			require.Equal(t, "23514", sqlState(t, err), "%v", err)
		} else {
			require.NoError(t, err)
		}
	}
}

func sqlState(t *testing.T, err error) string {
	t.Helper()
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	return pgErr.Code
}
