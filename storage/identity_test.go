package storage

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// What a source is called changes with its bytes, and else it does not.
func TestFetchTellsVersionsApart(t *testing.T) {
	t.Parallel()
	one, other := randomBytes(1000), randomBytes(1000)
	date := func(hour int) string { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC).Format(http.TimeFormat) }
	for _, test := range []struct {
		name        string
		etag, dated func(version int) string
	}{
		{"by ETag", func(version int) string { return `"v` + string(rune('0'+version)) + `"` }, nil},
		{"by date", nil, date},
		{"by date, with a weak ETag", func(int) string { return `W/"same"` }, date},
		{"by bytes", nil, nil},
		{"by bytes, with an ETag that no row holds", func(version int) string { return "\"\xff" + string(rune('0'+version)) + `"` }, nil},
		{"by bytes, with a weak ETag", func(int) string { return `W/"same"` }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			version, content := 1, one
			loc, client := source(t, &Config{}, func(w http.ResponseWriter, r *http.Request) {
				if test.etag != nil {
					w.Header().Set("ETag", test.etag(version))
				}
				if test.dated != nil {
					w.Header().Set("Last-Modified", test.dated(version))
				}
				http.ServeContent(w, r, "a.mp4", time.Time{}, bytes.NewReader(content))
			})
			fetch := func() string {
				fetched, err := client.Fetch(t.Context(), loc, filepath.Join(t.TempDir(), "target"), FetchOptions{})
				require.NoError(t, err)
				require.NotEmpty(t, fetched.Identity)
				require.True(t, utf8.ValidString(fetched.ETag+fetched.Identity))
				return fetched.Identity
			}
			first := fetch()
			require.Equal(t, first, fetch())
			version, content = 2, other
			require.NotEqual(t, first, fetch())
		})
	}
	t.Run("in S3", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		loc, _ := b.stored(t, "a", 1000)
		first, err := b.client.Fetch(b.ctx, loc, b.target(), FetchOptions{})
		require.NoError(t, err)
		again, err := b.client.Fetch(b.ctx, loc, b.target(), FetchOptions{})
		require.NoError(t, err)
		require.Equal(t, first, again)
		b.stored(t, "a", 1000)
		next, err := b.client.Fetch(b.ctx, loc, b.target(), FetchOptions{})
		require.NoError(t, err)
		require.NotEqual(t, first.Identity, next.Identity)
	})
}

// A server that does not know If-Match sends ranges of what is there now.
func TestFetchMeetsChangeThatIsNotRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, _ := b.stored(t, "a", 3*partBytes)
	other, _ := b.stored(t, "b", 3*partBytes)
	key := other.Key()
	client := b.front(t, &Config{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
		asked := r.Header.Get("Range")
		if r.Method != http.MethodGet || strings.HasPrefix(asked, "bytes=0-") {
			pass()
			return
		}
		out, err := b.sdk.GetObject(context.WithoutCancel(r.Context()), &s3.GetObjectInput{Bucket: &b.bucket, Key: &key, Range: &asked})
		if err != nil {
			panic(err)
		}
		defer out.Body.Close()
		w.Header().Set("ETag", *out.ETag)
		w.Header().Set("Content-Range", *out.ContentRange)
		w.WriteHeader(http.StatusPartialContent)
		var part bytes.Buffer
		_, _ = part.ReadFrom(out.Body)
		_, _ = w.Write(part.Bytes())
	})
	target := b.target()
	_, err := client.Fetch(b.ctx, loc, target, FetchOptions{})
	requireCode(t, err, CodeSourceChanged)
	requireNothing(t, target)
}
