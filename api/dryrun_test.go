package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
