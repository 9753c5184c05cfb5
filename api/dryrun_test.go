package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/internal/devstack"
	"weir/jobs/host/preview"
	"weir/jobs/tenants"
	"weir/media"
	"weir/mist"
	"weir/storage"
	"weir/storage/dial/dialtest"
)

// A dry run says what would be made, and keeps nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	objects, err := storage.New(&storage.Config{Guard: dialtest.Loopback(), AllowHTTP: true, MaxAttempts: 1})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	b := setup(t, func(cfg *api.Config) {
		cfg.AllowHTTPSource = true
		cfg.Preview = preview.New(&preview.Config{Storage: objects, Stores: &tenants.Stores{DB: cfg.Transcodes.DB, Sealer: cfg.Transcodes.Sealer}, Media: &media.Tools{}, Plan: (*mist.Engine)(nil).PlanSize, Dir: t.TempDir()})
	})
	dir := t.TempDir()
	require.NoError(t, devstack.MakeClip(t.Context(), filepath.Join(dir, "clip.mp4"), devstack.Clip{Duration: time.Second}))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	endpoint := strings.TrimPrefix(os.Getenv("WEIR_TEST_S3_ENDPOINT"), "http://")
	output := "s3+http://" + os.Getenv("WEIR_TEST_S3_ACCESS_KEY") + ":" + os.Getenv("WEIR_TEST_S3_SECRET_KEY") + "@" + endpoint + "/weir-none-" + uuid.NewString() + "/out"

	body := submission()
	body["source"], body["output"] = object{"url": server.URL + "/clip.mp4?token=PLANTED"}, object{"url": output}
	body["profiles"] = []any{profile("360p", 642, 362)}
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes?dry_run=true", body)
	require.Equal(t, http.StatusOK, a.status, a.text)
	require.Empty(t, a.header.Get("Location"))
	require.NotContains(t, a.text, planted)
	require.NotContains(t, a.text, os.Getenv("WEIR_TEST_S3_SECRET_KEY"))
	var got api.DryRun
	a.decode(t, &got)
	require.False(t, got.OK, "the bucket is not there")
	require.Equal(t, "s3_bucket_missing", got.Output.Error.Code)
	require.Nil(t, got.Source.Error)
	require.True(t, got.Source.Probed)
	require.Equal(t, []any{int64(1000), 1280, 720, "h264", "aac"}, []any{*got.Source.DurationMS, *got.Source.Width, *got.Source.Height, *got.Source.VideoCodec, *got.Source.AudioCodec})

	// The example of the guide says of renditions what was said of this one.
	guide, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	_, example, _ := strings.Cut(string(guide), "### Dry runs\n")
	_, example, _ = strings.Cut(example, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	var want api.DryRun
	require.NoError(t, json.Unmarshal([]byte(example), &want))
	require.Equal(t, want.Renditions, got.Renditions)
	require.Equal(t, want.Warnings, got.Warnings)

	for _, refused := range []func(o object){func(o object) { delete(o, "callback_url") }, func(o object) { o["profiles"] = object{} }} {
		wrong := submission()
		refused(wrong)
		b.do(t, studio, http.MethodPost, "/v1/transcodes?dry_run=true", wrong).problem(t, http.StatusUnprocessableEntity)
	}
	b.do(t, operator, http.MethodPost, "/v1/transcodes?dry_run=true", body).problem(t, http.StatusForbidden)
	// One that was meant and is misspelled is no transcode.
	for _, query := range []string{"dryrun=true", "DRY_RUN=true", "dry_run=", "dry_run=maybe", "dry_run=false&dry_run=true"} {
		b.do(t, studio, http.MethodPost, "/v1/transcodes?"+query, body).problem(t, http.StatusUnprocessableEntity)
	}
	require.Zero(t, b.count(t, "transcodes"))
	require.NotContains(t, b.log.String(), planted)
}

// A dry run tries each place that the request names, and says which rungs the default ladder
// has of the source.
func TestDryRunOfOutputs(t *testing.T) {
	t.Parallel()
	objects, err := storage.New(&storage.Config{Guard: dialtest.Loopback(), AllowHTTP: true, MaxAttempts: 1})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	b := setup(t, func(cfg *api.Config) {
		cfg.AllowHTTPSource = true
		cfg.Preview = preview.New(&preview.Config{Storage: objects, Stores: &tenants.Stores{DB: cfg.Transcodes.DB, Sealer: cfg.Transcodes.Sealer}, Media: &media.Tools{}, Plan: (*mist.Engine)(nil).PlanSize, Dir: t.TempDir()})
	})
	dir := t.TempDir()
	require.NoError(t, devstack.MakeClip(t.Context(), filepath.Join(dir, "clip.mp4"), devstack.Clip{Duration: time.Second}))
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	s3, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	bucket := "weir-dry-" + uuid.NewString()
	require.NoError(t, s3.S3.MakeBucket(t.Context(), bucket))
	t.Cleanup(func() { require.NoError(t, s3.S3.RemoveBucket(context.WithoutCancel(t.Context()), bucket)) })
	place, err := s3.S3.URL(bucket, "out")
	require.NoError(t, err)

	body := submission()
	body["source"], body["output"] = object{"url": server.URL + "/clip.mp4"}, object{"url": string(place)}
	delete(body, "profiles")
	body["outputs"] = []any{
		object{"type": "ts"}, object{"type": "hls"},
		object{"type": "source", "url": string(place) + "/source.mp4"},
	}
	look := func() (got api.DryRun) {
		a := b.do(t, studio, http.MethodPost, "/v1/transcodes?dry_run=true", body)
		require.Equal(t, http.StatusOK, a.status, a.text)
		require.NotContains(t, a.text, os.Getenv("WEIR_TEST_S3_SECRET_KEY"))
		a.decode(t, &got)
		return got
	}
	got := look()
	require.True(t, got.OK, "%+v", got)
	require.Len(t, got.Outputs, 3)
	var rungs []string
	for _, r := range got.Renditions {
		rungs = append(rungs, r.Name)
	}
	require.Equal(t, []string{"360p0", "720p0"}, rungs)
	require.Equal(t, []int{640, 360}, []int{*got.Renditions[0].Width, *got.Renditions[0].Height})

	body["outputs"] = append(body["outputs"].([]any), object{"type": "mp4", "url": strings.Replace(string(place), bucket, "weir-none-"+uuid.NewString(), 1)})
	got = look()
	require.False(t, got.OK, "its last output has no bucket")
	require.True(t, got.Output.Writable)
	require.Equal(t, []bool{true, true, true, false}, []bool{got.Outputs[0].Writable, got.Outputs[1].Writable, got.Outputs[2].Writable, got.Outputs[3].Writable})
	require.Equal(t, []string{"mp4", "s3_bucket_missing"}, []string{got.Outputs[3].Type, got.Outputs[3].Error.Code})

	// Without the source there is no ladder, and lists stay lists.
	body["source"] = object{"url": server.URL + "/none.mp4"}
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes?dry_run=true", body)
	require.Contains(t, a.text, `"renditions":[]`)
}

// What a storage refuses for good is told at once in Studio's form, and only that: no keys of
// the tenant's stores are tried, and one that does not answer is for the transcode to wait for.
func TestVODRefusedKeys(t *testing.T) {
	t.Parallel()
	objects, err := storage.New(&storage.Config{Guard: dialtest.Loopback(), AllowHTTP: true, MaxAttempts: 1})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	r := &recorder{}
	b := setup(t, r.in, func(cfg *api.Config) {
		cfg.Preview = preview.New(&preview.Config{Storage: objects, Stores: &tenants.Stores{DB: cfg.Transcodes.DB, Sealer: cfg.Transcodes.Sealer}, Dir: t.TempDir()})
	})
	s3, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	bucket := "weir-keys-" + uuid.NewString()
	require.NoError(t, s3.S3.MakeBucket(t.Context(), bucket))
	t.Cleanup(func() { require.NoError(t, s3.S3.RemoveBucket(context.WithoutCancel(t.Context()), bucket)) })
	host := strings.TrimPrefix(s3.S3.Endpoint, "http://")
	place := func(keys, bucket string) string { return "s3+http://" + keys + "@" + host + "/" + bucket + "/pb" }
	keys := s3.S3.AccessKey + ":" + string(s3.S3.SecretKey)
	var asks atomic.Int32
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asks.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // or nobody notices that the caller goes
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	body := func(name, hls, source string) object {
		o := vodSubmission()
		o["external_id"] = name
		locations := o["output_locations"].([]any)
		locations[0].(object)["url"], locations[1].(object)["url"] = hls, source+"/video"
		return o
	}
	for name, test := range map[string]struct{ hls, source, says string }{
		"another key":    {place("NOBODY:SECRET", bucket), place(keys, bucket), "output_locations[0].url: can't be written: The storage refused the credentials"},
		"another secret": {place(keys, bucket), place(s3.S3.AccessKey+":SECRET", bucket), "output_locations[1].url: can't be written: The storage refused the credentials"},
		"no bucket":      {place(keys, bucket+"-none"), place(keys, bucket), "output_locations[0].url: can't be written: The bucket does not exist"},
	} {
		got := b.do(t, studio, http.MethodPost, vodPath, body(name, test.hls, test.source)).vodRefusal(t, http.StatusBadRequest)
		require.Equal(t, "Invalid request payload", got.Error)
		require.Contains(t, got.Detail, test.says, name)
		require.NotContains(t, got.Detail, "SECRET")
	}
	require.Zero(t, b.count(t, "transcodes"))

	for name, hls := range map[string]string{
		"good": place(keys, bucket), "a store": "s3://media/out/1",
		"down":         "s3+http://K:S@" + strings.TrimPrefix(closed.URL, "http://") + "/bucket/pb",
		"silent":       "s3+http://K:S@" + strings.TrimPrefix(silent.URL, "http://") + "/bucket/pb",
		"unknown host": "s3+https://K:S@nowhere.invalid/bucket/pb",
	} {
		a := b.do(t, studio, http.MethodPost, vodPath, body(name, hls, place(keys, bucket)))
		require.Equal(t, http.StatusOK, a.status, "%s: %s", name, a.text)
	}
	a := b.do(t, studio, http.MethodPost, vodPath, body("silent again", "s3+http://K:S@"+strings.TrimPrefix(silent.URL, "http://")+"/bucket/pb2", place(keys, bucket)))
	require.Equal(t, http.StatusOK, a.status, a.text)
	require.EqualValues(t, 1, asks.Load(), "who did not answer is not waited for again")
	left, err := s3.S3.Client().ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	require.Empty(t, left.Contents)
}
