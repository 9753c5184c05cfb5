package preview_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs"
	"weir/jobs/host/preview"
	"weir/media"
	"weir/mist"
	"weir/storage"
	"weir/storage/dial/dialtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// previewer looks as a daemon does.
func previewer(t *testing.T, tools *media.Tools) *preview.Previewer {
	t.Helper()
	objects, err := storage.New(&storage.Config{Guard: dialtest.Loopback(), AllowHTTP: true, MaxAttempts: 1, StallTimeout: 5 * time.Second})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	dir := t.TempDir()
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "nothing of a source stays")
	})
	return preview.New(&preview.Config{Storage: objects, Media: tools, Plan: (*mist.Engine)(nil).PlanSize, Dir: dir})
}

func request(source, output string) *jobs.Request {
	return &jobs.Request{
		Tenant: "studio", SourceURL: source, OutputURL: output,
		Profiles: []jobs.Profile{{Name: "360p", Width: 642, Height: 362, Bitrate: 800_000}},
	}
}

// s3 is a folder of the tests' server.
func s3(bucket string) string {
	return "s3+" + os.Getenv("WEIR_TEST_S3_ENDPOINT")[:len("http")] + "://" + os.Getenv("WEIR_TEST_S3_ACCESS_KEY") + ":" + os.Getenv("WEIR_TEST_S3_SECRET_KEY") +
		"@" + os.Getenv("WEIR_TEST_S3_ENDPOINT")[len("http://"):] + "/" + bucket + "/out"
}

// The index of a long file is at its end: the look reads that, and its beginning, and no
// more.
func TestPreview(t *testing.T) {
	t.Parallel()
	clip := filepath.Join(t.TempDir(), "clip.mp4")
	require.NoError(t, devstack.MakeClip(t.Context(), clip, devstack.Clip{Width: 320, Height: 180, FPS: 10, Duration: 2 * time.Second}))
	whole, err := os.ReadFile(clip)
	require.NoError(t, err)
	index := bytes.Index(whole, []byte("moov")) - 4
	require.Positive(t, index)
	free := make([]byte, 64<<20)
	binary.BigEndian.PutUint32(free, uint32(len(free)))
	copy(free[4:], "free")
	long := append(append(append([]byte{}, whole[:index]...), free...), whole[index:]...)
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(&counting{w, &sent}, r, "clip.mp4", time.Time{}, bytes.NewReader(long))
	}))
	t.Cleanup(server.Close)

	found, err := previewer(t, &media.Tools{}).Look(t.Context(), request(server.URL+"/clip.mp4", s3("none-of-ours")))
	require.NoError(t, err)
	require.Nil(t, found.Source)
	require.Nil(t, found.Header)
	require.EqualValues(t, len(long), *found.Bytes)
	require.Equal(t, media.Glimpse{DurationMS: 2000, Width: 320, Height: 180, VideoCodec: "h264", AudioCodec: "aac", BitRate: found.Glimpse.BitRate}, *found.Glimpse)
	require.Positive(t, found.Glimpse.BitRate)
	require.Equal(t, []engine.Size{{Width: 640, Height: 360}}, found.Sizes)
	require.Equal(t, []string{host(found)}, []string{"360p"})
	require.Equal(t, "s3_bucket_missing", found.Output.Code)
	require.LessOrEqual(t, sent.Load(), int64(16<<20))

	// Without ffprobe the rest is found out all the same.
	found, err = previewer(t, nil).Look(t.Context(), request(server.URL+"/clip.mp4", s3("none-of-ours")))
	require.NoError(t, err)
	require.EqualValues(t, len(long), *found.Bytes)
	require.Nil(t, found.Glimpse)
	require.Empty(t, found.Sizes)
}

func host(found *preview.Found) string {
	if len(found.Warnings) == 0 {
		return ""
	}
	return found.Warnings[0].Rendition
}

type counting struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.sent.Add(int64(len(b)))
	return c.ResponseWriter.Write(b)
}

// What is no video, is not there, or is a playlist that names other places, is told as a
// transcode would fail; nothing else is opened for it.
func TestPreviewOfBadSources(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(inside.Close)
	bodies := map[string]string{
		"/text.mp4": "this is no video", "/list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + inside.URL + "/x.ts\n#EXT-X-ENDLIST\n", "/empty.mp4": "",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, there := bodies[r.URL.Path]
		if !there {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	p := previewer(t, &media.Tools{})
	for path := range bodies {
		found, err := p.Look(t.Context(), request(server.URL+path, s3("none-of-ours")))
		require.NoError(t, err, path)
		require.Nil(t, found.Source, path)
		require.Equal(t, "source_unreadable", found.Header.Code, path)
		require.Nil(t, found.Glimpse, path)
	}
	found, err := p.Look(t.Context(), request(server.URL+"/none.mp4", s3("none-of-ours")))
	require.NoError(t, err)
	require.Equal(t, "object_missing", found.Source.Code)
	require.Nil(t, found.Bytes)
	require.Zero(t, reached.Load())
}

// Of one tenant two at once: a source that hangs holds up nobody else's look.
func TestPreviewAtOnce(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	p := previewer(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := p.Look(ctx, request(server.URL+"/x", s3("none-of-ours")))
			ended <- err
		}()
		<-asked
	}
	_, err := p.Look(ctx, request(server.URL+"/x", s3("none-of-ours")))
	require.ErrorIs(t, err, preview.ErrBusy)
	other := request("http://127.0.0.1:1/x", s3("none-of-ours"))
	other.Tenant = "other"
	found, err := p.Look(ctx, other)
	require.NoError(t, err)
	require.Equal(t, "source_unreachable", found.Source.Code)
	cancel()
	for range 2 {
		require.NoError(t, <-ended)
	}
}
