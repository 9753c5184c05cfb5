package host

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/host/outputs"
	"weir/jobs/jobstest"
	"weir/storage"
)

// The master of a host that died was on its way, and comes when another attempt's stands: a
// server that knows conditions refuses it.
func TestLateMasterIsRefused(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	way := newS3(t, bucket)
	h := newHost(t, b, impatient())
	transcode := packages(t, b, h, bucket, way.url)
	server, err := url.Parse(bucket.Endpoint)
	require.NoError(t, err)
	held := make(chan *http.Request, 1)
	meets := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/out/index.m3u8") {
			return true
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.RequestURI, late.URL.Scheme, late.URL.Host = "", server.Scheme, server.Host
		late.Body = io.NopCloser(bytes.NewReader(body))
		held <- late
		<-r.Context().Done()
		return false
	}
	way.meets.Store(&meets)
	dying, dies := context.WithCancel(t.Context())
	died := make(chan error, 1)
	go func() { died <- stopsWith(dying, b, h, &transcode) }()
	var late *http.Request
	select {
	case late = <-held:
	case err := <-died:
		require.NoError(t, err, "it came to no master")
	}
	dies()
	require.ErrorIs(t, <-died, context.Canceled)
	way.back()

	other, again := second(t, b, h, &transcode)
	require.NoError(t, packageOnce(t, b, other, &again))
	newer := bucket.get(t, "out/index.m3u8")
	require.Equal(t, "2", bucket.whole(t, newer))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	answer, err := transport.RoundTrip(late)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusPreconditionFailed, answer.StatusCode)
	require.Equal(t, newer, bucket.get(t, "out/index.m3u8"))
}

// What lands between an attempt's look and its own upload is written over, once the attempt
// has made sure that it is still its turn.
func TestLateObjectIsWrittenOver(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	way := newS3(t, bucket)
	h := newHost(t, b, impatient())
	transcode := packages(t, b, h, bucket, way.url)
	landed := make(chan struct{}, 1)
	landed <- struct{}{}
	meets := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/out/a.mp4") {
			select {
			case <-landed:
				key := "out/a.mp4"
				_, err := bucket.Client().PutObject(r.Context(), &s3.PutObjectInput{Bucket: &bucket.name, Key: &key, Body: strings.NewReader("late")})
				return err == nil
			default:
			}
		}
		return true
	}
	way.meets.Store(&meets)
	require.NoError(t, packageOnce(t, b, h, &transcode))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.NotEqual(t, "late", bucket.get(t, "out/a.mp4"))
	require.Empty(t, landed)
}

// On a server that knows no conditions what came too late lies at the names that players
// look for: it is found by its signature, and written anew. What nobody signed is somebody's.
func TestLateObjectsAreMended(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	transcode := packages(t, b, h, bucket, bucket.Endpoint, func(req *jobs.Request) {
		for _, kind := range []string{jobs.OutputFMP4, jobs.OutputThumbnails} {
			req.Outputs = append(req.Outputs, jobs.Output{Type: kind, URL: req.OutputURL, Shown: "shown", Segment: time.Second})
		}
	})
	require.NoError(t, stops(t, b, h, &transcode))
	older := bucket.get(t, "out/index.m3u8")
	other, again := second(t, b, h, &transcode)
	require.NoError(t, packageOnce(t, b, other, &again))
	names := []string{"out/index.m3u8", "out/a.mp4", "out/fmp4/master.m3u8", "out/fmp4/index.mpd", "out/thumbnails/0.jpg", "out/thumbnails/thumbnails.vtt"}
	made := map[string]string{}
	for _, name := range names {
		made[name] = bucket.get(t, name)
	}
	lands := func(key, content string, by map[string]string) {
		_, err := bucket.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket.name, Key: &key, Body: strings.NewReader(content), Metadata: by})
		require.NoError(t, err)
	}
	late := map[string]string{"weir": outputs.By(transcode.ID, 1)}
	worker := &residueWorker{host: other}
	job := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: transcode.ID}}
	var later *river.JobSnoozeError
	for _, age := range []time.Duration{0, lateSoon, residueAgain} {
		for _, name := range names {
			lands(name, older, late)
		}
		job.CreatedAt = other.clock.now().Add(-age)
		require.ErrorAs(t, worker.Work(t.Context(), job), &later, age)
		for _, name := range names {
			require.Equal(t, made[name], bucket.get(t, name), "%s after %s", name, age)
		}
		require.NoDirExists(t, other.Spool+"/"+mendFolder)
		if age == 0 {
			require.LessOrEqual(t, later.Duration, lateSoon)
		}
	}

	// Nobody's, and another transcode's.
	lands("out/a.mp4", "the caller's own", nil)
	lands("out/index.m3u8", "a newer one", map[string]string{"weir": outputs.By(again.ID, 9)})
	removed := "out/fmp4/index.mpd"
	_, err := bucket.Client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket.name, Key: &removed})
	require.NoError(t, err)
	require.ErrorAs(t, worker.Work(t.Context(), job), &later)
	require.Equal(t, "the caller's own", bucket.get(t, "out/a.mp4"))
	require.Equal(t, "a newer one", bucket.get(t, "out/index.m3u8"))
	_, err = bucket.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket.name, Key: &removed})
	require.Error(t, err, "who removed it wants none")
}
