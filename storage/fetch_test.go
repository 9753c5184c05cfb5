package storage

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// once calls do before the nth GET is passed on.
func once(n int32, do func(r *http.Request)) func(http.ResponseWriter, *http.Request, func()) {
	var gets atomic.Int32
	return func(_ http.ResponseWriter, r *http.Request, pass func()) {
		if r.Method == http.MethodGet && gets.Add(1) == n {
			do(r)
		}
		pass()
	}
}

func TestFetchMeetsChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, content := b.stored(t, "a", 3*partBytes)
	key := loc.Key()
	t.Run("replaced", func(t *testing.T) {
		t.Parallel()
		for _, n := range []int32{1, 2} {
			client := b.front(t, &Config{}, once(n, func(r *http.Request) {
				other := bytes.Clone(content)
				other[0] ^= byte(n)
				_, err := b.sdk.PutObject(context.WithoutCancel(r.Context()), &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(other)})
				if err != nil {
					panic(err)
				}
			}))
			target := b.target()
			_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
			requireCode(t, err, CodeSourceChanged)
			requireNothing(t, target)
		}
	})
	t.Run("shortened", func(t *testing.T) {
		t.Parallel()
		loc, _ := b.stored(t, "short", 3*partBytes)
		key := loc.Key()
		client := b.front(t, &Config{}, once(1, func(r *http.Request) {
			_, err := b.sdk.PutObject(context.WithoutCancel(r.Context()), &s3.PutObjectInput{Bucket: &b.bucket, Key: &key})
			if err != nil {
				panic(err)
			}
		}))
		target := b.target()
		_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
		requireCode(t, err, CodeSourceChanged)
		requireNothing(t, target)
	})
	t.Run("vanished", func(t *testing.T) {
		t.Parallel()
		for _, n := range []int32{1, 2} {
			loc, _ := b.stored(t, "vanishing", 3*partBytes)
			client := b.front(t, &Config{}, once(n, func(r *http.Request) {
				if err := b.client.Delete(context.WithoutCancel(r.Context()), loc); err != nil {
					panic(err)
				}
			}))
			target := b.target()
			_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
			requireCode(t, err, CodeObjectMissing)
			requireNothing(t, target)
		}
	})
}

func TestFetchLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, content := b.stored(t, "a", partBytes+1)
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		target := b.target()
		_, err := b.client.Fetch(t.Context(), loc, target, FetchOptions{MaxBytes: partBytes})
		requireCode(t, err, CodeSourceTooLarge)
		requireNothing(t, target)
	})
	// /dev/full is a full disk that every Linux has.
	t.Run("disk full", func(t *testing.T) {
		t.Parallel()
		target := b.target()
		require.NoError(t, os.Symlink("/dev/full", target+partialSuffix))
		_, err := b.client.Fetch(t.Context(), loc, target, FetchOptions{})
		requireCode(t, err, CodeSpoolFull)
		requireNothing(t, target)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		// Nobody makes a file in /sys, root neither.
		_, err := b.client.Fetch(t.Context(), loc, "/sys/weir-test", FetchOptions{})
		requireCode(t, err, CodeSpoolReadonly)
	})
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		_, err := b.client.Fetch(t.Context(), loc, b.dir+"/none/a", FetchOptions{})
		requireCode(t, err, CodeSpoolFailed)
	})
	t.Run("what a crash left is taken over", func(t *testing.T) {
		t.Parallel()
		target := b.target()
		require.NoError(t, os.WriteFile(target+partialSuffix, make([]byte, 3*partBytes), 0o600))
		require.NoError(t, os.WriteFile(target, []byte("old"), 0o600))
		_, err := b.client.Fetch(t.Context(), loc, target, FetchOptions{})
		require.NoError(t, err)
		requireSame(t, target, content)
	})
}

// A server that stops in the middle of a part is left; the part comes again.
func TestFetchStalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, content := b.stored(t, "a", 3*partBytes)
	stall := func(config Config, stalls func(n int32) bool) (*Client, *atomic.Int32) {
		var gets atomic.Int32
		client := b.frontTo(t, &config, func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
			if r.Method == http.MethodGet && stalls(gets.Add(1)) {
				passTo(&halfWriter{ResponseWriter: w, left: partBytes / 2, hung: func() { gone(t, r) }})
				return
			}
			passTo(w)
		})
		return client, &gets
	}
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		client, gets := stall(Config{StallTimeout: testStall}, func(n int32) bool { return n == 2 })
		target := b.target()
		_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
		require.NoError(t, err)
		requireSame(t, target, content)
		require.GreaterOrEqual(t, gets.Load(), int32(4), "three parts, one of them twice")
	})
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		client, _ := stall(Config{StallTimeout: endlessStall, MaxAttempts: 2}, func(int32) bool { return true })
		target := b.target()
		_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
		requireCode(t, err, CodeS3Unavailable)
		requireNothing(t, target)
	})
}

// halfWriter passes some bytes on and then hangs until the client is gone.
type halfWriter struct {
	http.ResponseWriter
	left int
	hung func()
}

func (h *halfWriter) Write(p []byte) (int, error) {
	if len(p) <= h.left {
		h.left -= len(p)
		return h.ResponseWriter.Write(p)
	}
	n, err := h.ResponseWriter.Write(p[:h.left])
	if err != nil {
		return n, err
	}
	if err := http.NewResponseController(h.ResponseWriter).Flush(); err != nil {
		return n, err
	}
	h.hung()
	return n, errors.New("the client is gone")
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, _ := b.stored(t, "a", 3*partBytes)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	target := b.target()
	_, err := b.client.Fetch(ctx, loc, target, FetchOptions{OnProgress: func(int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	requireNothing(t, target)
}

// Progress tells of each part, in order, and needs no lock of the listener.
func TestProgressIsSteady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loc, _ := b.stored(t, "a", 4*partBytes)
	var steps []int64
	_, err := b.client.Fetch(b.ctx, loc, b.target(), FetchOptions{OnProgress: func(done, total int64) {
		require.EqualValues(t, 4*partBytes, total)
		steps = append(steps, done)
	}})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(steps), 4)
	require.IsIncreasing(t, steps)
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.client.Fetch(b.ctx, b.at(t, "none"), b.target(), FetchOptions{})
	text := err.Error()
	for _, part := range []string{"fetch", "s3://" + b.bucket + "/none", string(CodeObjectMissing), "404", CodeObjectMissing.Advice()} {
		require.Contains(t, text, part)
	}
	require.NotContains(t, text, "\n")
	require.Empty(t, Code("").Advice())
}
