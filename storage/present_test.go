package storage

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// An upload over what was seen: where something else lies there by now, it stays.
func TestUploadOver(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"a part": mib, "parts": 2*partBytes + mib} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			loc := b.at(t, "by/name.mp4")
			nothing, err := b.client.Look(b.ctx, loc)
			require.NoError(t, err)
			path, _ := b.file(t, size)
			first, err := b.client.Upload(b.ctx, loc, path, UploadOptions{Over: nothing, By: "first"})
			require.NoError(t, err)
			seen, err := b.client.Look(b.ctx, loc)
			require.NoError(t, err)
			require.Equal(t, "first", seen.By)

			other, _ := b.file(t, size)
			_, err = b.client.Upload(b.ctx, loc, other, UploadOptions{Over: nothing})
			require.ErrorIs(t, err, ErrOvertaken)
			require.NoError(t, b.client.Verify(b.ctx, loc, first))
			require.Zero(t, b.uploads(t))
			second, err := b.client.Upload(b.ctx, loc, other, UploadOptions{Over: seen, By: "second"})
			require.NoError(t, err)
			_, err = b.client.Upload(b.ctx, loc, path, UploadOptions{Over: seen})
			require.ErrorIs(t, err, ErrOvertaken)
			require.NoError(t, b.client.Verify(b.ctx, loc, second))

			// The same bytes are there: as after an answer that was lost.
			_, err = b.client.Upload(b.ctx, loc, other, UploadOptions{Over: seen})
			require.NoError(t, err)
			require.NoError(t, b.client.Delete(b.ctx, loc))
			_, err = b.client.Upload(b.ctx, loc, path, UploadOptions{Over: seen})
			require.ErrorIs(t, err, ErrOvertaken, "it was removed meanwhile")
		})
	}
}

// Servers that refuse conditions, or compare by another ETag than they tell, get uploads
// without, and are not asked twice.
func TestUploadOverOnStrangers(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"refuses": http.StatusNotImplemented, "refuses the request": http.StatusBadRequest, "compares wrongly": http.StatusPreconditionFailed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			asked := make(chan struct{}, 9)
			client := b.front(t, &Config{MaxAttempts: 1}, func(w http.ResponseWriter, r *http.Request, pass func()) {
				if r.Method == http.MethodPut && r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != "" {
					asked <- struct{}{}
					w.WriteHeader(status)
					return
				}
				pass()
			})
			for range 2 {
				loc, _ := b.stored(t, "by/name.mp4", 10)
				seen, err := client.Look(b.ctx, loc)
				require.NoError(t, err)
				path, _ := b.file(t, mib)
				object, err := client.Upload(b.ctx, loc, path, UploadOptions{Over: seen})
				require.NoError(t, err)
				require.NoError(t, client.Verify(b.ctx, loc, object))
			}
			require.Len(t, asked, 1)
		})
	}
}

// A key that may not list is told that it may not see what is not there: its uploads replace
// whatever lies there, as before.
func TestLookRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.front(t, &Config{MaxAttempts: 1}, func(w http.ResponseWriter, r *http.Request, pass func()) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		pass()
	})
	seen, err := client.Look(b.ctx, b.at(t, "none"))
	require.NoError(t, err)
	require.Equal(t, Present{}, seen)
}
