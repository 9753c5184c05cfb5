package storage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"weir/storage/dial/dialtest"
)

const plantedQuery = "sig=planted-signature"

// source serves handler and returns its URL with a secret query, and a client
// that may fetch it.
func source(t *testing.T, config *Config, handler http.HandlerFunc) (Location, *Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config.AllowHTTP = true
	config.Guard = cmp.Or(config.Guard, dialtest.Loopback())
	config.MaxBackoff = testBackoff
	client, err := New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return parsed(t, server.URL+"/a.mp4?"+plantedQuery), client
}

func randomBytes(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

// serve answers as a good server does, ranges and If-Match included.
func serve(w http.ResponseWriter, r *http.Request, etag string, content []byte) {
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "a.mp4", time.Time{}, bytes.NewReader(content))
}

// whole answers as a server without ranges does.
func whole(w http.ResponseWriter, content []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content)
}

func TestFetchWeb(t *testing.T) {
	t.Parallel()
	content := randomBytes(3*partBytes + 1)
	var broke, refused, brokeWhole, shortened atomic.Bool
	tests := []struct {
		name    string
		content []byte
		total   int64
		etag    string
		handler http.HandlerFunc
	}{
		{"ranges", content, int64(len(content)), `"v1"`, func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, `"v1"`, content)
		}},
		{"a weak ETag", content, int64(len(content)), `W/"v1"`, func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, `W/"v1"`, content)
		}},
		{"small", content[:1], 1, "", func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, "", content[:1])
		}},
		{"empty", nil, 0, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes */0")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}},
		{"no ranges", content, int64(len(content)), "", func(w http.ResponseWriter, _ *http.Request) {
			whole(w, content)
		}},
		{"no length", content, -1, "", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(content)
		}},
		{"broken in a part", content, int64(len(content)), `"v1"`, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("Range"), fmt.Sprintf("bytes=%d-", partBytes)) && !broke.Swap(true) {
				serve(&halfWriter{ResponseWriter: w, left: 100, hung: func() { panic(http.ErrAbortHandler) }}, r, `"v1"`, content)
			}
			if r.Header.Get("Range") == fmt.Sprintf("bytes=%d-%d", partBytes+100, 2*partBytes-1) {
				refused.Store(true)
			}
			serve(w, r, `"v1"`, content)
		}},
		{"broken without ranges", content, int64(len(content)), "", func(w http.ResponseWriter, _ *http.Request) {
			if !brokeWhole.Swap(true) {
				w.Header().Set("Content-Length", fmt.Sprint(len(content)))
				_, _ = w.Write(content[:100])
				panic(http.ErrAbortHandler)
			}
			whole(w, content)
		}},
		{"less than was asked for", content, int64(len(content)), `"v1"`, func(w http.ResponseWriter, r *http.Request) {
			var from, to int
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, min(to, from+3*mib)))
			shortened.Store(true)
			serve(w, r, `"v1"`, content)
		}},
		{"nothing tells the version", content, int64(len(content)), "", func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, "", content)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			loc, client := source(t, &Config{}, test.handler)
			target := filepath.Join(t.TempDir(), "target")
			var told, total int64
			fetched, err := client.Fetch(t.Context(), loc, target, FetchOptions{
				OnProgress: func(done, of int64) { told, total = done, of },
			})
			require.NoError(t, err)
			require.EqualValues(t, len(test.content), fetched.Bytes)
			require.Equal(t, test.etag, fetched.ETag)
			requireSame(t, target, test.content)
			require.EqualValues(t, len(test.content), told)
			if told > 0 {
				require.Equal(t, test.total, total)
			}
		})
	}
	t.Cleanup(func() {
		require.True(t, refused.Load(), "a broken part goes on where it broke")
		require.True(t, shortened.Load())
	})
}

func TestFetchWebRefusals(t *testing.T) {
	t.Parallel()
	content := randomBytes(3*partBytes + 1)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(r.URL.String())) // a server that repeats what it was sent
		}
	}
	var version, unknown atomic.Int32
	changing := func(w http.ResponseWriter, r *http.Request) {
		n := version.Add(1)
		serve(w, r, fmt.Sprintf(`"v%d"`, n), content)
	}
	tests := []struct {
		name    string
		code    Code
		stalls  bool
		handler http.HandlerFunc
	}{
		{"404", CodeObjectMissing, false, status(http.StatusNotFound)},
		{"410", CodeObjectMissing, false, status(http.StatusGone)},
		{"401", CodeSourceRefused, false, status(http.StatusUnauthorized)},
		{"403", CodeSourceRefused, false, status(http.StatusForbidden)},
		{"400", CodeSourceRefused, false, status(http.StatusBadRequest)},
		{"204", CodeSourceRefused, false, status(http.StatusNoContent)},
		{"429", CodeSourceUnreachable, false, status(http.StatusTooManyRequests)},
		{"503", CodeSourceUnreachable, false, status(http.StatusServiceUnavailable)},
		{"hangs up", CodeSourceUnreachable, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"stalls", CodeSourceUnreachable, true, func(w http.ResponseWriter, r *http.Request) {
			serve(&halfWriter{ResponseWriter: w, left: 100, hung: func() { gone(t, r) }}, r, "", content)
		}},
		{"says nothing", CodeSourceUnreachable, true, func(_ http.ResponseWriter, r *http.Request) { gone(t, r) }},
		{"changes, with ETag", CodeSourceChanged, false, changing},
		// Two versions of one length, of which nothing tells but their bytes, never get into one file.
		{"changes, and nothing tells", CodeSourceChanged, false, func(w http.ResponseWriter, r *http.Request) {
			if unknown.Add(1) == 1 {
				serve(w, r, "", content)
				return
			}
			whole(w, content[1:])
		}},
		{"changes its length", CodeSourceChanged, false, func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, "", content[:len(content)-int(version.Add(1))])
		}},
		{"too large", CodeSourceTooLarge, false, func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, "", append(content, content...))
		}},
		{"too large, without a length", CodeSourceTooLarge, false, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			for range 3 {
				_, _ = w.Write(content)
			}
		}},
		{"nonsense range", CodeSourceRefused, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-2/9")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"other range", CodeSourceRefused, false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-8/9")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"redirects for ever", CodeSourceRefused, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}},
		{"redirects to another scheme", CodeSourceRefused, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://localhost/a?"+plantedQuery, http.StatusFound)
		}},
		{"redirects to a file", CodeSourceRefused, false, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd?"+plantedQuery, http.StatusFound)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := &Config{MaxAttempts: 2}
			if test.stalls {
				config.StallTimeout = endlessStall
			}
			loc, client := source(t, config, test.handler)
			target := filepath.Join(t.TempDir(), "target")
			_, err := client.Fetch(t.Context(), loc, target, FetchOptions{MaxBytes: int64(len(content))})
			requireCode(t, err, test.code)
			requireClosed(t, err, "planted-signature")
			requireNothing(t, target)
		})
	}
}

func TestFetchWebUnreachable(t *testing.T) {
	t.Parallel()
	client, err := New(&Config{AllowHTTP: true, MaxAttempts: 2, MaxBackoff: testBackoff, Guard: dialtest.Loopback()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	for _, raw := range []string{"http://127.0.0.1:1/a?", "https://weir.invalid/a?", "http://user:planted-signature@127.0.0.1:1/a?"} {
		target := filepath.Join(t.TempDir(), "target")
		_, err := client.Fetch(t.Context(), parsed(t, raw+plantedQuery), target, FetchOptions{})
		requireCode(t, err, CodeSourceUnreachable)
		requireClosed(t, err, "planted-signature")
	}
	// A certificate that nobody signed.
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err = client.Fetch(t.Context(), parsed(t, server.URL+"/a?"+plantedQuery), filepath.Join(t.TempDir(), "a"), FetchOptions{})
	requireCode(t, err, CodeSourceUnreachable)
	require.ErrorContains(t, err, "certificate")
}

func TestFetchWebRedirect(t *testing.T) {
	t.Parallel()
	content := randomBytes(partBytes + 1)
	var referer atomic.Value
	far, _ := source(t, &Config{}, func(w http.ResponseWriter, r *http.Request) {
		referer.Store(r.Referer())
		serve(w, r, `"v1"`, content)
	})
	loc, client := source(t, &Config{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, string(far.Secret()), http.StatusTemporaryRedirect)
	})
	target := filepath.Join(t.TempDir(), "target")
	_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
	require.NoError(t, err)
	requireSame(t, target, content)
	require.Empty(t, referer.Load(), "the next server learns no query")
}

func TestFetchWebCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	loc, client := source(t, &Config{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		gone(t, r)
	})
	target := filepath.Join(t.TempDir(), "target")
	_, err := client.Fetch(ctx, loc, target, FetchOptions{})
	require.ErrorIs(t, err, context.Canceled)
	requireHidden(t, err, "planted-signature")
	requireNothing(t, target)
}

// A presigned URL is for GET only, so that no HEAD may be sent.
func TestFetchPresigned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, content := b.stored(t, "dir/a b.mp4", 2*partBytes+1)
	key := loc.Key()
	signed, err := s3.NewPresignClient(b.sdk).PresignGetObject(b.ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
	require.NoError(t, err)
	web := b.newClient(t, &Config{AllowHTTP: true})
	target := b.target()
	_, err = web.Fetch(b.ctx, parsed(t, signed.URL), target, FetchOptions{})
	require.NoError(t, err)
	requireSame(t, target, content)

	_, err = web.Fetch(b.ctx, parsed(t, signed.URL+"0"), b.target(), FetchOptions{})
	requireCode(t, err, CodeSourceRefused)
	require.NotContains(t, shown(err), "X-Amz")
}
