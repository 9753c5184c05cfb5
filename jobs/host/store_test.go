package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertest"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/media"
	"weir/storage"
)

// A store waits for what can pass; what S3 refuses would be refused for a day.
func TestPatientWith(t *testing.T) {
	t.Parallel()
	patient := map[storage.Code]bool{
		storage.CodeS3Unavailable: true, storage.CodeChecksumMismatch: true, storage.CodeUploadUnverified: true, storage.CodeSpoolFull: true,
	}
	for _, code := range storage.Codes() {
		err := fmt.Errorf("upload: %w", &storage.Error{Code: code})
		require.Equal(t, patient[code], patientWith(err), code)
	}
	require.False(t, patientWith(jobs.Failed(string(storage.CodeS3Unavailable), jobs.StageStore, "")), "no storage error")
}

// testS3 is the way to the real server, which a test may block.
type testS3 struct {
	url string
	// meets is asked before each request is passed on; false: it has answered.
	meets atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

func newS3(t *testing.T, bucket testBucket) *testS3 {
	t.Helper()
	target, err := url.Parse(bucket.Endpoint)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	s := &testS3{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meets := s.meets.Load(); meets == nil || (*meets)(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// away answers every request as a server in trouble does.
func (s *testS3) away() {
	meets := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	}
	s.meets.Store(&meets)
}

// tells of each upload, or part of one, that comes.
func (s *testS3) tells(begun chan<- struct{}) {
	meets := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			begun <- struct{}{}
		}
		return true
	}
	s.meets.Store(&meets)
}

// hangs never answers an upload; each tells that it has begun.
func (s *testS3) hangs(begun chan<- struct{}) {
	meets := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return true
		}
		_, _ = io.Copy(io.Discard, r.Body)
		begun <- struct{}{}
		<-r.Context().Done()
		return false
	}
	s.meets.Store(&meets)
}

func (s *testS3) back() { s.meets.Store(nil) }

// impatient is a client's setting that gives up at the first refusal.
func impatient() *storage.Config { return &storage.Config{MaxAttempts: 1} }

// storing is a transcode whose renditions wait to be stored through endpoint.
func storing(t *testing.T, b *jobstest.Bundle, bucket testBucket, endpoint string, names ...string) dbsqlc.Transcode {
	t.Helper()
	req := jobstest.MakeRequest("", names...)
	req.OutputURL = bucket.at(t, endpoint, "out")
	transcode := b.RunRequest(t, req)
	b.Exec(t, "UPDATE weir.attempts SET transcoded_at = now(), process_started_at = now(), prepared = '{}' WHERE transcode_id = $1", transcode.ID)
	b.Exec(t, "UPDATE weir.transcodes SET state = 'storing' WHERE id = $1", transcode.ID)
	return b.Get(t, transcode.ID)
}

// finishes leaves a rendition's file as an earlier try of its store does.
func finishes(t *testing.T, h *Host, transcode *dbsqlc.Transcode, rendition string) {
	t.Helper()
	name := engine.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}
	path := h.finishedPath(name, rendition)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), spoolMode))
	require.NoError(t, os.WriteFile(path, []byte("video of "+rendition), 0o600))
	sum, err := storage.Checksum(path)
	require.NoError(t, err)
	done := finished{Bytes: fileBytes(path), Checksum: sum, Verdict: media.Verdict{OK: true, Frames: 600, DurationMS: 20_000}}
	require.NoError(t, done.keep(path))
}

// storeOnce works a new job of a rendition once, as River does.
func storeOnce(t *testing.T, b *jobstest.Bundle, h *Host, transcode *dbsqlc.Transcode, rendition string) error {
	t.Helper()
	return newStore(t, b, h, transcode, rendition)()
}

// newStore is what storeOnce does, for a goroutine to do.
func newStore(t *testing.T, b *jobstest.Bundle, h *Host, transcode *dbsqlc.Transcode, rendition string) func() error {
	t.Helper()
	args := jobs.StoreArgs{TranscodeID: transcode.ID, Attempt: transcode.Attempt, Rendition: rendition}
	job, err := b.River.Insert(t.Context(), args, &river.InsertOpts{Queue: jobs.StoreQueue(h.ID)})
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1 WHERE id = $1", job.Job.ID)
	row, err := b.River.JobGet(t.Context(), job.Job.ID)
	require.NoError(t, err)
	worker := &storeWorker{host: h}
	return func() error {
		return worker.Work(rivertest.WorkContext(t.Context(), b.River), &river.Job[jobs.StoreArgs]{JobRow: row, Args: args})
	}
}

func renditionOf(t *testing.T, b *jobstest.Bundle, transcode uuid.UUID, name string) dbsqlc.Rendition {
	t.Helper()
	r, err := dbsqlc.New().RenditionGet(t.Context(), b.Pool, dbsqlc.RenditionGetParams{TranscodeID: transcode, Name: name})
	require.NoError(t, err)
	return r
}

// What a push left is finished and judged once, however often the upload is tried, and by
// whichever boot; what is not needed any more goes, and what is in the way is shown.
func TestStoreFinishesOnce(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	s3 := newS3(t, bucket)
	transcode := storing(t, b, bucket, s3.url, "a")
	h := newHost(t, b, impatient())
	name := engine.Name{Transcode: transcode.ID, Attempt: 1}
	pushes(t, b, h, name, "a")
	in := filepath.Join(h.folder(name), inFolder)
	require.DirExists(t, in)

	s3.away()
	require.ErrorContains(t, storeOnce(t, b, h, &transcode, "a"), string(storage.CodeS3Unavailable))
	r := renditionOf(t, b, transcode.ID, "a")
	require.Equal(t, jobs.RenditionPushed, r.State)
	require.Equal(t, string(storage.CodeS3Unavailable), *r.ErrorCode)
	require.Equal(t, string(storage.CodeS3Unavailable), *b.Get(t, transcode.ID).ErrorCode)
	require.NoFileExists(t, h.pushedPath(name, "a"))
	require.NoDirExists(t, in)
	require.FileExists(t, h.finishedPath(name, "a"))

	s3.back()
	restarted := newHost(t, b, impatient())
	restarted.Spool, restarted.Media = h.Spool, &media.Tools{FFmpeg: "/nowhere", FFprobe: "/nowhere"}
	require.NoError(t, storeOnce(t, b, restarted, &transcode, "a"))
	r = renditionOf(t, b, transcode.ID, "a")
	require.Equal(t, jobs.RenditionOK, r.State)
	require.Nil(t, r.ErrorCode)
	require.EqualValues(t, 50, *r.Frames)
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateSucceeded, ended.State)
	require.Nil(t, ended.ErrorCode)
}

// pushes makes a source of two seconds, and the push of a rendition of it.
func pushes(t *testing.T, b *jobstest.Bundle, h *Host, name engine.Name, rendition string) {
	t.Helper()
	h.Media = &media.Tools{}
	path := h.sourcePath(name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), spoolMode))
	made, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=2",
		"-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-b:v", "500k", "-c:a", "aac", "-f", "mpegts", path).CombinedOutput()
	require.NoError(t, err, "%s", made)
	source, err := h.Media.Probe(t.Context(), path)
	require.NoError(t, err)
	prepared, err := h.Media.Prepare(t.Context(), source, path, filepath.Dir(path), media.Options{})
	require.NoError(t, err)
	sourceJSON, err := json.Marshal(source)
	require.NoError(t, err)
	preparedJSON, err := json.Marshal(prepared)
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.transcodes SET source = $1 WHERE id = $2", sourceJSON, name.Transcode)
	b.Exec(t, "UPDATE weir.attempts SET prepared = $1 WHERE transcode_id = $2", preparedJSON, name.Transcode)
	b.Exec(t, "UPDATE weir.renditions SET planned_width = 640, planned_height = 360, bitrate = 100000000 WHERE transcode_id = $1", name.Transcode)
	// A Broadcaster that returns what it got.
	content, err := os.ReadFile(prepared.Path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.pushedPath(name, rendition), content, 0o600))
}

// slowJudge finishes to a file of several parts, and judges as it is told to.
type slowJudge struct {
	*media.Tools
	judges func(ctx context.Context, v *media.Verdict) error
}

func (slowJudge) Finish(_ context.Context, _ media.Pushed, out string) (*media.Listed, error) {
	return nil, os.WriteFile(out, make([]byte, 20<<20), 0o600)
}

func (j slowJudge) Judge(ctx context.Context, _ string, _ media.Want) (v media.Verdict, err error) {
	return v, j.judges(ctx, &v)
}

// A file is uploaded while it is judged. Without a verdict that is OK there is no object,
// nor a part of one, and the rendition fails by the verdict.
func TestStoreUploadsWhatIsJudgedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ok      bool
		err     error
		state   string
		objects int
		code    string
	}{
		"OK":        {ok: true, state: jobs.RenditionOK, objects: 1},
		"not OK":    {state: jobs.RenditionFailed, code: media.ProblemTooLong},
		"no answer": {err: &media.Error{Code: media.CodeSpoolUnreadable, Text: "a test"}, state: jobs.RenditionFailed, code: string(media.CodeSpoolUnreadable)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, bucket := jobstest.New(t), newBucket(t)
			s3 := newS3(t, bucket)
			uploads := make(chan struct{}, 100)
			s3.tells(uploads)
			transcode := storing(t, b, bucket, s3.url, "a")
			h := newHost(t, b, impatient())
			pushes(t, b, h, engine.Name{Transcode: transcode.ID, Attempt: 1}, "a")
			h.Media = slowJudge{&media.Tools{}, func(ctx context.Context, v *media.Verdict) error {
				select {
				case <-uploads:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				v.Frames, v.DurationMS = 50, 2000
				if v.OK = c.ok; !c.ok {
					v.Problems = []media.Problem{{Code: media.ProblemTooLong, Text: "a test"}}
				}
				return c.err
			}}
			require.NoError(t, storeOnce(t, b, h, &transcode, "a"))
			r := renditionOf(t, b, transcode.ID, "a")
			require.Equal(t, c.state, r.State)
			if c.code != "" {
				require.Equal(t, c.code, *r.ErrorCode)
			}
			stored, err := bucket.Client().ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket.name})
			require.NoError(t, err)
			require.Len(t, stored.Contents, c.objects)
			left, err := bucket.HalfUploads(t.Context(), bucket.name)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// A finished file that is not the one that was judged is never ok.
func TestStoreComparesWhatWasJudged(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	transcode := storing(t, b, bucket, bucket.Endpoint, "a")
	h := newHost(t, b, impatient())
	finishes(t, h, &transcode, "a")
	path := h.finishedPath(engine.Name{Transcode: transcode.ID, Attempt: 1}, "a")
	require.NoError(t, os.WriteFile(path, []byte("audio of a"), 0o600)) // as long
	require.NoError(t, storeOnce(t, b, h, &transcode, "a"))
	r := renditionOf(t, b, transcode.ID, "a")
	require.Equal(t, jobs.RenditionFailed, r.State)
	require.Equal(t, string(media.CodeSpoolUnreadable), *r.ErrorCode)
}

// A storage that is away for a day ends it, with a code that says so.
func TestStoreEndsAfterADay(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	s3 := newS3(t, bucket)
	s3.away()
	transcode := storing(t, b, bucket, s3.url, "a", "b")
	h := newHost(t, b, impatient())
	finishes(t, h, &transcode, "a")
	finishes(t, h, &transcode, "b")
	require.Error(t, storeOnce(t, b, h, &transcode, "a"))
	require.Equal(t, jobs.StateStoring, b.Get(t, transcode.ID).State)
	b.Exec(t, "UPDATE weir.renditions SET pushed_at = now() - interval '25 h'")
	require.NoError(t, storeOnce(t, b, h, &transcode, "a"))
	// Its neighbour does not wait for a try of its own.
	require.NoError(t, storeOnce(t, b, h, &transcode, "b"))
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateFailed, ended.State)
	require.Equal(t, jobs.CodeStoreExpired, *ended.ErrorCode)
}

// What stalls leaves workers for what does not.
func TestStoresIntoAStallDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	stalls := newS3(t, bucket)
	h := newHost(t, b, &storage.Config{})
	begun := make(chan struct{}, 100)
	stalls.hangs(begun)
	insert := func(transcode dbsqlc.Transcode, rendition string) {
		finishes(t, h, &transcode, rendition)
		_, err := b.River.Insert(t.Context(), jobs.StoreArgs{TranscodeID: transcode.ID, Attempt: 1, Rendition: rendition},
			&river.InsertOpts{Queue: jobs.StoreQueue(h.ID)})
		require.NoError(t, err)
	}
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	stalled := storing(t, b, bucket, stalls.url, names...)
	for _, name := range names {
		insert(stalled, name)
	}
	client, err := jobs.NewClient(&jobs.Config{DB: b.Pool, Log: jobstest.Silent(), HostID: h.ID, BootID: h.BootID}, func(settings *river.Config) {
		h.Room(settings)
		delete(settings.Queues, jobs.HostQueue(h.ID)) // its jobs are none of this test's
		river.AddWorker(settings.Workers, river.WorkFunc(func(context.Context, *river.Job[jobs.CallbackArgs]) error { return nil }))
	})
	require.NoError(t, err)
	done, stop := client.Subscribe(river.EventKindJobCompleted)
	defer stop()
	require.NoError(t, client.Start(t.Context()))
	for range h.Stores {
		<-begun
	}
	insert(storing(t, b, bucket, bucket.Endpoint, "x"), "x")
	event := <-done
	var args jobs.StoreArgs
	require.NoError(t, json.Unmarshal(event.Job.EncodedArgs, &args))
	require.Equal(t, "x", args.Rendition)
	require.NoError(t, client.StopAndCancel(t.Context()))
	require.Empty(t, begun, "no more than its share went to the one that stalls")
}

// A host without a lease stores nothing: those who clean up after it may have been there.
func TestStoreEndsWithTheLease(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	s3 := newS3(t, bucket)
	transcode := storing(t, b, bucket, s3.url, "a")
	h := newHost(t, b, &storage.Config{})
	finishes(t, h, &transcode, "a")
	h.lease.begin(t.Context())
	var snoozed *river.JobSnoozeError
	require.ErrorAs(t, storeOnce(t, b, h, &transcode, "a"), &snoozed)

	asked := time.Now()
	h.lease.renewed(asked)
	begun := make(chan struct{}, 1)
	s3.hangs(begun)
	result := make(chan error, 1)
	work := newStore(t, b, h, &transcode, "a")
	go func() { result <- work() }()
	<-begun
	h.lease.expire(asked)
	require.ErrorAs(t, <-result, &snoozed)
	require.Equal(t, jobs.RenditionPushed, renditionOf(t, b, transcode.ID, "a").State)
	require.Nil(t, renditionOf(t, b, transcode.ID, "a").ErrorCode, "it is no fault of the storage's")

	h.lease.renewed(time.Now())
	s3.back()
	require.NoError(t, storeOnce(t, b, h, &transcode, "a"))
	require.Equal(t, jobs.RenditionOK, renditionOf(t, b, transcode.ID, "a").State)
}
