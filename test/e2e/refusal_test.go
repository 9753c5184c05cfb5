package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// No source of these is worth a second attempt.
func TestBadSource(t *testing.T) {
	t.Parallel()
	content := func(content string) func(*testing.T, *testBundle) string {
		return func(t *testing.T, b *testBundle) string {
			local := filepath.Join(t.TempDir(), "source.mp4")
			require.NoError(t, os.WriteFile(local, []byte(content), 0o600))
			return string(b.upload(t, local, "source.mp4"))
		}
	}
	answering := func(status int) func(*testing.T, *testBundle) string {
		return func(t *testing.T, _ *testBundle) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			t.Cleanup(server.Close)
			return server.URL + "/source.mp4"
		}
	}
	for _, test := range []struct {
		name   string
		source func(*testing.T, *testBundle) string
		want   failure
	}{
		{"garbage", content(strings.Repeat("This is no video. ", 5000)), failure{"source_unreadable", "probe", "input", false}},
		{"empty", content(""), failure{"source_unreadable", "probe", "input", false}},
		{"sound only", func(t *testing.T, b *testBundle) string {
			return string(b.upload(t, clip{name: "sound.mp4", args: tone + aac}.file(t), "sound.mp4"))
		}, failure{"source_no_video", "probe", "input", false}},
		{"cut off", func(t *testing.T, b *testBundle) string {
			local := plain().file(t)
			info, err := os.Stat(local)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(local, info.Size()/2))
			return string(b.upload(t, local, "cut.mp4"))
		}, failure{"source_unreadable", "probe", "input", false}},
		{"missing object", func(t *testing.T, b *testBundle) string { return string(b.missing(t)) }, failure{"object_missing", "fetch", "input", false}},
		{"missing bucket", func(t *testing.T, b *testBundle) string {
			return strings.Replace(string(b.missing(t)), b.Bucket, "no-such-bucket", 1)
		}, failure{"s3_bucket_missing", "fetch", "storage", false}},
		{"wrong secret", func(t *testing.T, b *testBundle) string {
			return strings.Replace(string(b.missing(t)), string(b.S3.SecretKey), "not-the-secret", 1)
		}, failure{"s3_credentials_refused", "fetch", "storage", false}},
		{"wrong key", func(t *testing.T, b *testBundle) string {
			return strings.Replace(string(b.missing(t)), b.S3.AccessKey+":", "not-the-key:", 1)
		}, failure{"s3_credentials_refused", "fetch", "storage", false}},
		{"too large", func(t *testing.T, _ *testBundle) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(sourceMax+1))
			}))
			t.Cleanup(server.Close)
			return server.URL + "/source.mp4"
		}, failure{"source_too_large", "fetch", "input", false}},
		{"404 of a web server", answering(http.StatusNotFound), failure{"object_missing", "fetch", "input", false}},
		{"403 of a web server", answering(http.StatusForbidden), failure{"source_refused", "fetch", "input", false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.request(t, "")
			req.Source.URL = test.source(t, b)
			b.fails(t, b.submit(t, req), test.want)
		})
	}
}

func TestSourceServerDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	req := b.request(t, "")
	req.Source.URL = closed.URL + "/source.mp4"
	b.fails(t, b.submit(t, req), failure{"source_unreachable", "fetch", "network", true})
}

// An output that can't be written is found out at the end, and no other attempt
// would find another.
func TestBadOutput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		output func(*testing.T, *testBundle) string
		want   failure
	}{
		{"wrong secret", func(t *testing.T, b *testBundle) string {
			return strings.Replace(string(b.object(t, "out")), string(b.S3.SecretKey), "not-the-secret", 1)
		}, failure{"s3_credentials_refused", "store", "storage", false}},
		{"missing bucket", func(t *testing.T, b *testBundle) string {
			return strings.Replace(string(b.object(t, "out")), b.Bucket, "no-such-bucket", 1)
		}, failure{"s3_bucket_missing", "store", "storage", false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			source, _ := b.source(t, plain())
			req := b.request(t, source, sized("a", 160, 96), sized("b", 160, 96))
			req.Output.URL = test.output(t, b)
			b.fails(t, b.submit(t, req), test.want)
		})
	}
}
