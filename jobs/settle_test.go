package jobs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/media"
	"weir/mist"
	"weir/storage"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	code := func(code string) dbsqlc.Rendition {
		f := failed(code, StageStore, "")
		stage := string(f.Stage)
		return dbsqlc.Rendition{State: RenditionFailed, ErrorCode: &f.Code, ErrorStage: &stage, ErrorMessage: &f.Text}
	}
	ok := dbsqlc.Rendition{State: RenditionOK}
	for _, test := range []struct {
		name       string
		left       int32
		freeTries  int32
		age        time.Duration
		renditions []dbsqlc.Rendition
		state      string
		code       string
		wait       time.Duration
	}{
		{"all ok", 0, 0, 0, []dbsqlc.Rendition{ok, ok}, StateSucceeded, "", 0},
		{"one open", 2, 0, 0, []dbsqlc.Rendition{ok, {State: RenditionPushed}}, "", "", 0},
		{"a failure does not end what is open", 2, 0, 0, []dbsqlc.Rendition{code(CodeNothingReturned), {State: RenditionPushing}}, "", "", 0},
		{"again", 2, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateQueued, CodeNothingReturned, 2 * time.Second},
		{"and again", 1, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateQueued, CodeNothingReturned, 10 * time.Second},
		{"no attempt left", 0, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateFailed, CodeNothingReturned, 0},
		{"a final one decides", 2, 0, 0, []dbsqlc.Rendition{code(CodeNothingReturned), code(string(storage.CodeBucketMissing))}, StateFailed, string(storage.CodeBucketMissing), 0},
		{"what the source decides is final", 2, 0, 0, []dbsqlc.Rendition{code(string(media.CodePrepareFailed))}, StateFailed, string(media.CodePrepareFailed), 0},

		{"a fault of the host eats no attempt", 0, 0, 0, []dbsqlc.Rendition{ok, code(CodePushFailed)}, StateQueued, CodePushFailed, 2 * time.Second},
		{"its waits grow", 0, 3, time.Hour, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateQueued, CodeMistUnavailable, 16 * time.Second},
		{"up to a bound", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateQueued, CodeMistUnavailable, freeMax},
		{"until a day is over", 2, 100, freeFor, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateFailed, CodeMistUnavailable, 0},
		{"a full gateway is waited for", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeGatewayFull)}, StateQueued, CodeGatewayFull, gatewayMax},
		{"a lost host's starts elsewhere, soon", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeHostLost)}, StateQueued, CodeHostLost, lostMax},
		{"what eats comes before what does not", 0, 0, 0, []dbsqlc.Rendition{code(CodePushFailed), code(CodeNothingReturned)}, StateFailed, CodeNothingReturned, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := decide(&dbsqlc.Transcode{AttemptsLeft: test.left, FreeTries: test.freeTries}, test.renditions, test.age)
			require.Equal(t, test.state, v.state)
			require.Equal(t, test.wait, v.wait)
			if test.code != "" {
				require.Equal(t, test.code, v.failure.Code)
				require.Equal(t, v.state == StateQueued && !v.failure.Eats(), v.free)
			}
		})
	}
}

// Eight renditions end at the same moment, a thousand times over: exactly one
// callback each.
func TestSettleWritesOneCallback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const (
		rounds = 1000
		ways   = 8
	)
	names := make([]string, ways)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	for range rounds {
		transcode := b.run(t, names...)
		var group errgroup.Group
		start := make(chan struct{})
		for _, name := range names {
			group.Go(func() error {
				<-start
				return b.store(t.Context(), &transcode, name)
			})
		}
		close(start)
		require.NoError(t, group.Wait())
	}
	require.Equal(t, rounds, b.count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'succeeded' AND ratio = 1"))
	require.Equal(t, rounds, b.count(t, "SELECT count(DISTINCT transcode_id) FROM weir.callbacks"))
	require.Equal(t, rounds, b.count(t, "SELECT count(*) FROM weir.callbacks"))
	require.Equal(t, rounds, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))
}

// Stores doubled, as by a taken-over job, change nothing either.
func TestSettleTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	transcode := b.run(t, "a", "b")
	var group errgroup.Group
	for range 4 {
		for _, name := range []string{"a", "b"} {
			group.Go(func() error { return b.store(t.Context(), &transcode, name) })
		}
	}
	require.NoError(t, group.Wait())
	require.Equal(t, StateSucceeded, b.get(t, transcode.ID).State)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.callbacks"))
}

// A cancel and the last store at once: one of them decides, and neither hangs.
func TestSettleAgainstCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 50 {
		transcode := b.run(t, "a", "b", "c")
		var group errgroup.Group
		for _, name := range []string{"a", "b", "c"} {
			group.Go(func() error { return b.store(t.Context(), &transcode, name) })
		}
		group.Go(func() error {
			_, err := b.transcodes.Cancel(t.Context(), "studio", transcode.ID)
			if state := transcode.State; err != nil && state != StateSucceeded {
				require.ErrorIs(t, err, ErrFinished)
			}
			return nil
		})
		require.NoError(t, group.Wait())
		require.True(t, terminal(b.get(t, transcode.ID).State))
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.callbacks WHERE transcode_id = $1", transcode.ID))
	}
}

func TestFailedAttemptGoesBackToTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.boot(t, "mist-2", 1)
	transcode := b.run(t, "a", "b")
	require.NoError(t, b.store(t.Context(), &transcode, "a"))
	fail := func(name string, f *Failure) {
		require.NoError(t, failRendition(t.Context(), b.pool, b.client,
			mist.Name{Transcode: transcode.ID, Attempt: int(b.get(t, transcode.ID).Attempt)}, name, f))
	}
	fail("b", failed(CodeNothingReturned, StageTranscode, "test"))
	again := b.get(t, transcode.ID)
	require.Equal(t, StateQueued, again.State)
	require.Equal(t, CodeNothingReturned, *again.ErrorCode)
	require.EqualValues(t, maxAttempts-1, again.AttemptsLeft)
	require.NotContains(t, *again.ErrorMessage, "test")
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, "test", *attempt.ErrorDetail)
	require.Zero(t, b.count(t, "SELECT count(*) FROM weir.callbacks"))

	// The next attempt goes elsewhere, and keeps what is ok.
	free, err := dbsqlc.New().HostFree(t.Context(), b.pool)
	require.NoError(t, err)
	placements := assign([]dbsqlc.Transcode{again}, free)
	require.Equal(t, "mist-2", placements[0].host)
	b.place(t, transcode.ID, "mist-2")
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.pool, transcode.ID)
	require.NoError(t, err)
	require.Equal(t, []string{RenditionOK, RenditionExpected}, []string{renditions[0].State, renditions[1].State})
	require.Equal(t, []int32{1, 2}, []int32{renditions[0].Attempt, renditions[1].Attempt})

	// What the old attempt still writes changes nothing.
	require.NoError(t, b.store(t.Context(), &transcode, "b"))
	require.Equal(t, StatePlaced, b.get(t, transcode.ID).State)

	// A final failure ends it, with its one callback.
	fail("b", failed(string(storage.CodeBucketMissing), StageStore, ""))
	require.Equal(t, StateFailed, b.get(t, transcode.ID).State)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.callbacks"))

	// An operator's retry is a new run with a callback of its own.
	detail, err := b.transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	require.Equal(t, StateQueued, detail.Transcode.State)
	require.Nil(t, detail.Callback)
	third := b.place(t, transcode.ID, testHost)
	require.EqualValues(t, 3, third.Attempt)
	_, err = b.transcodes.Cancel(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM weir.callbacks"))
	_, err = b.transcodes.Retry(t.Context(), transcode.ID)
	require.ErrorIs(t, err, ErrNotFailed)
}

// Faults of ours and of hosts cost nothing but time, and of that a day.
func TestFreeAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	transcode := b.run(t, "a")
	for i := range 2 * maxAttempts {
		require.NoError(t, failRendition(t.Context(), b.pool, b.client,
			mist.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}, "a", failed(CodeMistUnavailable, StageTranscode, "")))
		again := b.get(t, transcode.ID)
		require.Equal(t, StateQueued, again.State)
		require.EqualValues(t, maxAttempts, again.AttemptsLeft)
		require.EqualValues(t, i+1, again.FreeTries)
		require.Equal(t, freeWait(failed(CodeMistUnavailable, StageTranscode, ""), int32(i)), again.NotBefore.Sub(again.UpdatedAt))
		transcode = b.start(t, transcode.ID)
	}
	b.exec(t, "UPDATE weir.transcodes SET run_at = now() - interval '1 day' WHERE id = $1", transcode.ID)
	require.NoError(t, failRendition(t.Context(), b.pool, b.client,
		mist.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}, "a", failed(CodeMistUnavailable, StageTranscode, "")))
	ended := b.get(t, transcode.ID)
	require.Equal(t, StateFailed, ended.State)
	require.Equal(t, CodeMistUnavailable, *ended.ErrorCode)

	// An operator's retry has a day of its own.
	_, err := b.transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	transcode = b.start(t, transcode.ID)
	require.Zero(t, transcode.FreeTries)
	require.NoError(t, failRendition(t.Context(), b.pool, b.client,
		mist.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}, "a", failed(CodeMistUnavailable, StageTranscode, "")))
	require.Equal(t, StateQueued, b.get(t, transcode.ID).State)
}

// A dead host's transcode goes on, however many attempts it has had.
func TestLostHostsCostNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	control := &Control{DB: b.pool, River: b.client, Log: silent()}
	transcode := b.run(t, "a")
	for range 2 * maxAttempts {
		b.exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 second'")
		require.NoError(t, control.reap(t.Context(), testHost))
		again := b.get(t, transcode.ID)
		require.Equal(t, StateQueued, again.State)
		require.EqualValues(t, maxAttempts, again.AttemptsLeft)
		require.LessOrEqual(t, again.NotBefore.Sub(again.UpdatedAt), lostMax)
		b.boot(t, testHost, 4)
		transcode = b.start(t, transcode.ID)
	}
	b.exec(t, "UPDATE weir.transcodes SET run_at = now() - interval '1 day' WHERE id = $1", transcode.ID)
	b.exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 second'")
	require.NoError(t, control.reap(t.Context(), testHost))
	ended := b.get(t, transcode.ID)
	require.Equal(t, StateFailed, ended.State)
	require.Equal(t, CodeHostLost, *ended.ErrorCode)
}

// A cancel says where it met the transcode.
func TestCancelSaysWhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range []struct {
		step  string
		stage Stage
	}{
		{AttemptPlaced, StageFetch}, {AttemptFetched, StageProbe}, {AttemptPrepared, StageTranscode}, {AttemptStarted, StageTranscode},
	} {
		transcode := b.start(t, b.accept(t, "a").ID)
		b.exec(t, "UPDATE weir.attempts SET stage = $2 WHERE transcode_id = $1", transcode.ID, test.step)
		_, err := b.transcodes.Cancel(t.Context(), "studio", transcode.ID)
		require.NoError(t, err)
		require.Equal(t, string(test.stage), *b.get(t, transcode.ID).ErrorStage, test.step)
	}
	duration := int64(1)
	require.Equal(t, StagePrepare, StageAt(&dbsqlc.Transcode{State: StateRunning, SourceDurationMs: &duration}, AttemptFetched))
}

// A process that starts again leaves what is pushed, and begins the rest anew; another
// boot can't do it.
func TestStartAgainInRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	boot := b.boot(t, testHost, 4)
	transcode := b.start(t, b.accept(t, "a", "b", "c").ID)
	b.exec(t, "UPDATE weir.attempts SET stage = 'started', boot_id = $2, process = '1:2:x' WHERE transcode_id = $1", transcode.ID, boot)
	b.exec(t, "UPDATE weir.renditions SET state = 'pushed' WHERE transcode_id = $1 AND name = 'a'", transcode.ID)
	b.exec(t, `UPDATE weir.renditions SET state = 'pushing', track_index = 1, push_pid = 4, recorded_bytes = 9,
		recorded_reason = 'SHM_LOST', pushed_ms = 900 WHERE transcode_id = $1 AND name = 'b'`, transcode.ID)
	b.exec(t, "UPDATE weir.renditions SET track_index = 2 WHERE transcode_id = $1 AND name = 'c'", transcode.ID)
	q := dbsqlc.New()
	other := uuid.New()
	changed, err := q.AttemptStartAgain(t.Context(), b.pool, dbsqlc.AttemptStartAgainParams{
		TranscodeID: transcode.ID, Number: 1, BootID: &other, Reruns: 1})
	require.NoError(t, err)
	require.Zero(t, changed)
	changed, err = q.AttemptStartAgain(t.Context(), b.pool, dbsqlc.AttemptStartAgainParams{
		TranscodeID: transcode.ID, Number: 1, BootID: &boot, Reruns: 1})
	require.NoError(t, err)
	require.EqualValues(t, 1, changed)
	require.NoError(t, q.RenditionExpectAgain(t.Context(), b.pool, dbsqlc.RenditionExpectAgainParams{TranscodeID: transcode.ID, Attempt: 1}))
	attempt, err := q.AttemptGet(t.Context(), b.pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, AttemptPrepared, attempt.Stage)
	require.Nil(t, attempt.Process)
	require.EqualValues(t, 1, attempt.Reruns)
	require.Zero(t, attempt.HungStarts)
	renditions, err := q.RenditionList(t.Context(), b.pool, transcode.ID)
	require.NoError(t, err)
	require.Equal(t, []string{RenditionPushed, RenditionExpected, RenditionExpected},
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
	b := setup(t)
	done := b.run(t, "a")
	require.NoError(t, b.store(t.Context(), &done, "a"))
	open := b.run(t, "a", "b")
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
		{"same external id", "UPDATE weir.transcodes SET external_id = 'one'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := b.pool.Exec(t.Context(), test.sql)
			require.Error(t, err)
			require.Contains(t, []string{"23514", "23505"}, sqlState(t, err), "%v", err)
		})
	}
	// The ratio does not go down; it is kept, because a report that is late is no error.
	b.tx(t, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE weir.transcodes SET ratio = 0.5 WHERE id = $1", open.ID)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "UPDATE weir.transcodes SET ratio = 0.2 WHERE id = $1", open.ID)
		return err
	})
	require.InDelta(t, 0.5, b.get(t, open.ID).Ratio, 0)
}
