package host

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
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
