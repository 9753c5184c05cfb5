package storage

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

const (
	// mostFetched is what a fetch may hold in memory, whatever its size: it streams.
	mostFetched = 2 * mib
	// mostUploaded is what an upload may: the transfer manager's parts, see partBytes.
	mostUploaded = (partConcurrency+2)*partBytes + 2*mib
	// smallFile and largeFile are both of several parts.
	smallFile = 64 * mib
	largeFile = 256 * mib
)

// heap is the highest live heap that was seen during a transfer.
type heap struct{ before, peak uint64 }

func newHeap() *heap {
	h := &heap{before: live()}
	h.peak = h.before
	return h
}

// progress is an OnProgress that looks once for each part.
func (h *heap) progress() func(done, total int64) {
	seen := int64(-1)
	return func(done, _ int64) {
		if part := done / partBytes; part != seen {
			seen = part
			h.peak = max(h.peak, live())
		}
	}
}

func (h *heap) held() uint64 { return h.peak - h.before }

// live is what is in use right after a collection: garbage doesn't count, so that
// the collector's own timing doesn't either.
func live() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Not parallel, as the heap is the whole process's: parallel tests wait for this one.
func TestMemoryDoesNotGrow(t *testing.T) {
	b := setup(t)
	web := b.newClient(t, &Config{AllowHTTP: true})
	for name, size := range map[string]int64{"small": smallFile, "large": largeFile} {
		path := filepath.Join(b.dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Truncate(path, size))
		loc := b.at(t, name)
		key := loc.Key()
		signed, err := s3.NewPresignClient(b.sdk).PresignGetObject(b.ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
		require.NoError(t, err)

		h := newHeap()
		_, err = b.client.Upload(b.ctx, loc, path, UploadOptions{OnProgress: h.progress()})
		require.NoError(t, err)
		require.Less(t, h.held(), uint64(mostUploaded), "upload, %s", name)

		h = newHeap()
		_, err = b.client.Fetch(b.ctx, loc, path, FetchOptions{OnProgress: h.progress()})
		require.NoError(t, err)
		require.Less(t, h.held(), uint64(mostFetched), "fetch from S3, %s", name)

		h = newHeap()
		_, err = web.Fetch(b.ctx, parsed(t, signed.URL), path, FetchOptions{OnProgress: h.progress()})
		require.NoError(t, err)
		require.Less(t, h.held(), uint64(mostFetched), "fetch from the web, %s", name)
	}
}

// A server that a request names may answer without end.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	const pieces = 16
	piece := bytes.Repeat([]byte(" "), mostAnswer) // XML may hold any number of spaces
	b := setup(t)
	loc, path := b.at(t, "a"), filepath.Join(b.dir, "a")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for _, status := range []int{http.StatusOK, http.StatusForbidden} {
		var whole atomic.Int32
		client := b.front(t, &Config{MaxAttempts: 1}, func(w http.ResponseWriter, r *http.Request, _ func()) {
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("Content-Length", "1")
				return
			case status == http.StatusOK && r.URL.Query().Get("x-id") == "GetObject":
				return
			}
			w.WriteHeader(status)
			for range pieces {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
			whole.Add(1)
		})
		// What they make of it is not the point.
		_, _ = client.Upload(b.ctx, loc, path, UploadOptions{})
		_, _ = client.AbortUploads(b.ctx, loc)
		_, _ = client.Fetch(b.ctx, loc, b.target(), FetchOptions{})
		require.Zero(t, whole.Load(), "nobody read on")
	}
}
