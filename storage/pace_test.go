package storage

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// testRate and testWindow ask for 25 bytes of each window; testTrickle gives five.
	testRate, testWindow = 250, 100 * time.Millisecond
	testTrickle          = 20 * time.Millisecond
)

// trickler sends byte by byte, and never stalls.
type trickler struct {
	http.ResponseWriter
	gone <-chan struct{}
}

func (w *trickler) Write(p []byte) (int, error) {
	tick := time.NewTicker(testTrickle)
	defer tick.Stop()
	for i := range p {
		if n, err := w.ResponseWriter.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return i + 1, err
		}
		select {
		case <-w.gone:
			return i + 1, http.ErrAbortHandler
		case <-tick.C:
		}
	}
	return len(p), nil
}

// A source that sends a byte now and then is given up, however it sends them.
func TestFetchTrickles(t *testing.T) {
	t.Parallel()
	content := randomBytes(1000)
	config := func() *Config { return &Config{LeastRate: testRate, RateWindow: testWindow} }
	for name, handler := range map[string]http.HandlerFunc{
		"ranges":    func(w http.ResponseWriter, r *http.Request) { serve(w, r, `"v1"`, content) },
		"no ranges": func(w http.ResponseWriter, _ *http.Request) { whole(w, content) },
		"no length": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc, client := source(t, config(), func(w http.ResponseWriter, r *http.Request) {
				handler(&trickler{w, r.Context().Done()}, r)
			})
			target := filepath.Join(t.TempDir(), "target")
			_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
			requireCode(t, err, CodeSourceTooSlow)
			requireNothing(t, target)
		})
	}
	t.Run("S3", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		loc, _ := b.stored(t, "a", 1000)
		client := b.frontTo(t, config(), func(w http.ResponseWriter, r *http.Request, passTo func(http.ResponseWriter)) {
			passTo(&trickler{w, r.Context().Done()})
		})
		target := b.target()
		_, err := client.Fetch(b.ctx, loc, target, FetchOptions{})
		requireCode(t, err, CodeSourceTooSlow)
		requireNothing(t, target)
	})
	t.Run("fast enough", func(t *testing.T) {
		t.Parallel()
		loc, client := source(t, &Config{LeastRate: 1, RateWindow: testWindow}, func(w http.ResponseWriter, r *http.Request) {
			serve(&trickler{w, r.Context().Done()}, r, `"v1"`, content[:20])
		})
		target := filepath.Join(t.TempDir(), "target")
		_, err := client.Fetch(t.Context(), loc, target, FetchOptions{})
		require.NoError(t, err)
		requireSame(t, target, content[:20])
	})
}
