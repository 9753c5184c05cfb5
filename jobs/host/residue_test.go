package host

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/storage"
)

// An ended transcode keeps the objects of its renditions, and nothing else is left
// of its stores.
func TestResidue(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	bucket := newBucket(t)
	req := jobstest.MakeRequest("", "a", "b")
	req.OutputURL = bucket.at(t, bucket.Endpoint, "out")
	transcode := b.RunRequest(t, req)
	key := func(attempt, rendition string) string {
		return "out/" + transcode.ID.String() + "/" + attempt + "/" + rendition + ".ts"
	}
	for _, kept := range []string{key("1", "a"), key("1", "b"), "out/other.ts"} {
		bucket.put(t, kept, "x")
	}
	for _, half := range []string{key("1", "b"), key("2", "b"), "out/other.ts"} {
		_, err := bucket.Client().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket.name, Key: &half})
		require.NoError(t, err)
	}
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	b.Fail(t, transcode.ID, 1, "b", jobs.Failed(jobs.CodePushFailed, jobs.StagePush, "x"))
	transcode = b.Place(t, transcode.ID, jobstest.Host)
	require.EqualValues(t, 2, transcode.Attempt)
	started, err := b.Pool.Exec(t.Context(), "UPDATE weir.attempts SET process_started_at = now() WHERE transcode_id = $1", transcode.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2, started.RowsAffected())
	require.Equal(t, 0, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'residue'"), "it has not ended")
	_, err = b.Transcodes.Cancel(t.Context(), req.Tenant, transcode.ID)
	require.NoError(t, err)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'residue'"))

	worker := &residueWorker{host: newHost(t, b, &storage.Config{})}
	job := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: transcode.ID}}
	job.CreatedAt = worker.host.clock.now()
	var again *river.JobSnoozeError
	require.ErrorAs(t, worker.Work(t.Context(), job), &again)
	require.Greater(t, again.Duration, residueAgain-time.Minute)
	// What was on its way then lands behind it.
	bucket.put(t, key("2", "b"), "x")
	job.CreatedAt = job.CreatedAt.Add(-residueAgain)
	for range 2 { // the second time there is nothing left
		require.NoError(t, worker.Work(t.Context(), job))
	}

	halves, err := bucket.HalfUploads(t.Context(), bucket.name)
	require.NoError(t, err)
	require.Len(t, halves, 1, "another's")
	objects, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.name})
	require.NoError(t, err)
	var keys []string
	for _, object := range objects.Contents {
		keys = append(keys, *object.Key)
	}
	require.ElementsMatch(t, []string{key("1", "a"), "out/other.ts"}, keys)
}

// A key that may store and no more than that leaves the residue where it is, for good.
func TestResidueStaysWithoutTheRight(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	s3 := newS3(t, bucket)
	transcode := storing(t, b, bucket, s3.url, "a")
	key := "out/" + transcode.ID.String() + "/1/a.ts"
	bucket.put(t, key, "x")
	_, err := b.Transcodes.Cancel(t.Context(), transcode.Tenant, transcode.ID)
	require.NoError(t, err)
	refuses := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return false
	}
	s3.meets.Store(&refuses)
	worker := &residueWorker{host: newHost(t, b, impatient())}
	job := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: transcode.ID}}
	var final *river.JobCancelError
	require.ErrorAs(t, worker.Work(t.Context(), job), &final)
}

// TestResidueOfAReplaced: an attempt that failed when its master was out leaves it to players,
// until the next transcode of the task has been in its place for an hour.
func TestResidueOfAReplaced(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	task := func(attempt string) func(*jobs.Request) {
		return func(req *jobs.Request) {
			req.Form, req.ExternalID, req.Body = jobs.FormVOD, "task-1", []byte(attempt)
			req.Outputs = req.Outputs[:1]
		}
	}
	first := packages(t, b, h, bucket, bucket.Endpoint, task("0"))
	require.NoError(t, stops(t, b, h, &first))
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		return b.Decider(tx).FailPackage(ctx, first.ID, 1, jobs.Failed(jobs.CodeStoreExpired, jobs.StagePackage, "x"))
	})
	require.Equal(t, jobs.StateFailed, b.Get(t, first.ID).State)
	older := bucket.get(t, "out/index.m3u8")

	second := packages(t, b, h, bucket, bucket.Endpoint, task("1"))
	require.NoError(t, packageOnce(t, b, h, &second))
	newer := bucket.get(t, "out/index.m3u8")
	require.NotEqual(t, older, newer)
	worker := &residueWorker{host: h}
	job := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: second.ID}}
	job.CreatedAt = h.clock.now().Add(-residueAgain)
	var later *river.JobSnoozeError
	require.ErrorAs(t, worker.Work(t.Context(), job), &later)
	require.Equal(t, "1", bucket.whole(t, older), "who has it plays on")
	job.CreatedAt = h.clock.now().Add(-readersGrace)
	require.NoError(t, worker.Work(t.Context(), job))
	require.Equal(t, "1", bucket.whole(t, newer))
	prefix := "out/" + first.ID.String() + "/1/hls/"
	objects, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.name, Prefix: &prefix})
	require.NoError(t, err)
	require.Empty(t, objects.Contents)
}
