package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// outputRequest asks for a rendition and outputs of these types.
func outputRequest(rendition string, types ...string) *jobs.Request {
	req := jobstest.MakeRequest("", rendition)
	for _, kind := range types {
		req.Outputs = append(req.Outputs, jobs.Output{Type: kind, URL: req.OutputURL, Shown: req.OutputShown})
	}
	return req
}

// What is asked for lies in rows from the first transaction on, and its places are sealed.
func TestAcceptOutputs(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	req := outputRequest("a", jobs.OutputTypes()...)
	req.Outputs[1].Segment, req.Outputs[2].OnlyShort = 4*time.Second, true
	req.Outputs[4].URL, req.Outputs[4].Shown = "s3+http://K:OTHER@127.0.0.1:9/b/copy", "s3+http://127.0.0.1:9/b/copy"
	transcode := b.AcceptRequest(t, req)
	require.True(t, transcode.Packages)
	detail, err := b.Transcodes.Get(t.Context(), "studio", transcode.ID)
	require.NoError(t, err)
	require.Len(t, detail.Outputs, len(req.Outputs))
	for i, o := range detail.Outputs {
		require.Equal(t, req.Outputs[i].Type, o.Type)
		require.Equal(t, req.Outputs[i].Shown, o.URL)
		require.Equal(t, jobs.OutputExpected, o.State)
		require.NotContains(t, string(o.Sealed), "OTHER")
		opened, err := jobs.SealedOutputOf(o.Ordinal).Open(b.Sealer, transcode.ID, o.Sealed)
		require.NoError(t, err)
		require.Equal(t, req.Outputs[i].URL, opened)
	}
	require.EqualValues(t, 4000, detail.Outputs[1].SegmentMs)
	require.True(t, detail.Outputs[2].OnlyShort)
	_, err = jobs.SealedOutputOf(0).Open(b.Sealer, transcode.ID, detail.Outputs[4].Sealed)
	require.Error(t, err, "a place opens for its own output alone")

	plain := b.Accept(t, "a")
	require.False(t, plain.Packages)
	outputs, err := dbsqlc.New().OutputList(t.Context(), b.Pool, plain.ID)
	require.NoError(t, err)
	require.Empty(t, outputs, "nothing asked for is today's")
}

const packageJobs = "SELECT count(*) FROM weir.river_job WHERE kind = 'package' AND state = 'available' AND queue = $1"

// The last rendition that is ok begins the package job, once, and it alone brings the end.
func TestPackageComesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	req := jobstest.MakeRequest("", "a", "b")
	for _, kind := range []string{jobs.OutputTS, jobs.OutputHLS} {
		req.Outputs = append(req.Outputs, jobs.Output{Type: kind, URL: req.OutputURL, Shown: req.OutputShown})
	}
	transcode := b.RunRequest(t, req)
	queue := jobs.StoreQueue(jobstest.Host)
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	require.Zero(t, b.Count(t, packageJobs, queue))
	require.NoError(t, b.Store(t.Context(), &transcode, "b"))
	require.Equal(t, jobs.StateRunning, b.Get(t, transcode.ID).State)
	require.Equal(t, 1, b.Count(t, packageJobs, queue))
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, transcode.ID, 1) })
	require.Equal(t, 1, b.Count(t, packageJobs, queue), "it has begun")
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.callbacks"))

	kept, err := b.Package(t.Context(), &transcode)
	require.NoError(t, err)
	require.EqualValues(t, 1, kept)
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks WHERE body LIKE '%\"manifest\":\"s3://b/out/index.m3u8\"%'"))
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.outputs WHERE state = 'ok' AND bytes > 0 AND attempt = 1"))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'residue'"), "work files may go")
	events := eventsOf(t, b, transcode.ID)
	last := events[len(events)-3:]
	require.Equal(t, []string{"rendition.ready b", "output.ready", "transcode.succeeded"}, typesOf(last), "of files their renditions tell")
	require.Equal(t, jobs.OutputHLS, *last[1].Output)
}

// What stores alone make is an end without a package job.
func TestFilesAloneArePackagedByNobody(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.RunRequest(t, outputRequest("a", jobs.OutputTS))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.outputs WHERE state = 'ok' AND bytes = 600"))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind IN ('package', 'residue')"))
}

// What fails an attempt's outputs fails it as anything else does; the next one packages
// what is stored.
func TestPackageFails(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for _, test := range []struct{ code, state string }{
		{"package_failed", jobs.StateQueued}, {"tool_killed", jobs.StateQueued}, {jobs.CodeStoreExpired, jobs.StateFailed},
	} {
		transcode := b.RunRequest(t, outputRequest("a", jobs.OutputHLS, jobs.OutputMP4))
		require.NoError(t, b.Store(t.Context(), &transcode, "a"))
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			return b.Decider(tx).FailPackage(ctx, transcode.ID, 1, jobs.Failed(test.code, jobs.StagePackage, "x"))
		})
		after := b.Get(t, transcode.ID)
		require.Equal(t, test.state, after.State, test.code)
		require.Equal(t, test.code, *after.ErrorCode)
		require.Equal(t, string(jobs.StagePackage), *after.ErrorStage)
		if test.state == jobs.StateFailed {
			_, err := b.Transcodes.Retry(t.Context(), transcode.ID)
			require.NoError(t, err)
		}
		again := b.Start(t, transcode.ID)
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, transcode.ID, 2) })
		require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.attempts WHERE transcode_id = $1 AND number = 2 AND package_job_id IS NOT NULL", transcode.ID))
		kept, err := b.Package(t.Context(), &transcode)
		require.NoError(t, err)
		require.Zero(t, kept, "an old attempt writes nothing")
		kept, err = b.Package(t.Context(), &again)
		require.NoError(t, err)
		require.EqualValues(t, 2, kept)
		require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	}
}

// A host that dies with all renditions stored costs no attempt: another one packages.
func TestPackageOfADeadHost(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.RunRequest(t, outputRequest("a", jobs.OutputHLS))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	b.Dies(t, jobstest.Host)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		taken, err := b.Decider(tx).Lose(ctx, transcode.ID, jobstest.Host)
		require.True(t, taken)
		return err
	})
	require.Zero(t, b.Count(t, packageJobs, jobs.StoreQueue(jobstest.Host)), "the dead host's job is ended")
	queued := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateQueued, queued.State)
	require.Equal(t, transcode.AttemptsLeft+1, queued.AttemptsLeft)
	b.Boot(t, "mist-2", 1)
	b.Place(t, transcode.ID, "mist-2")
	detail, err := b.Transcodes.Get(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	rows := jobs.Rows{Transcode: detail.Transcode, Attempt: *detail.Attempt, Renditions: detail.Renditions}
	require.Equal(t, jobs.DoSettle, jobs.Plan(rows, time.Now()).Do)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, transcode.ID, 2) })
	require.Equal(t, 1, b.Count(t, packageJobs, jobs.StoreQueue("mist-2")))
	detail, err = b.Transcodes.Get(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	rows.Attempt = *detail.Attempt
	require.Equal(t, jobs.DoFinish, jobs.Plan(rows, time.Now()).Do, "the slot is free while it packages")
	rows.Attempt.Stage = jobs.AttemptTranscoded
	require.Equal(t, jobs.DoClean, jobs.Plan(rows, time.Now()).Do)
}

// A cancel ends what is packaged.
func TestCancelWhilePackaging(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.RunRequest(t, outputRequest("a", jobs.OutputHLS))
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	detail, err := b.Transcodes.Cancel(t.Context(), "", transcode.ID)
	require.NoError(t, err)
	require.Equal(t, jobs.OutputFailed, detail.Outputs[0].State)
	require.Equal(t, jobs.CodeCancelled, *detail.Outputs[0].ErrorCode)
	require.Equal(t, string(jobs.StagePackage), *detail.Transcode.ErrorStage)
	require.Zero(t, b.Count(t, packageJobs, jobs.StoreQueue(jobstest.Host)))
	kept, err := b.Package(t.Context(), &transcode)
	require.NoError(t, err)
	require.Zero(t, kept)
}
