package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// A source that trickles sends a byte so often: it never stalls, and never ends.
const trickleEvery = 100 * time.Millisecond

// trickle serves a film by the byte.
func trickle(t *testing.T) (url string) {
	t.Helper()
	const bytes = 1 << 30
	stopping, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(bytes))
		w.WriteHeader(http.StatusOK)
		tick := time.NewTicker(trickleEvery)
		defer tick.Stop()
		for {
			if _, err := w.Write([]byte{0}); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			case <-stopping.Done():
				return
			}
		}
	}))
	t.Cleanup(func() { stop(); server.Close() })
	return server.URL + "/film.mp4"
}

// TestTricklingSource: while one tenant's source comes by the byte another's transcode goes
// its whole way, at the first attempt.
func TestTricklingSource(t *testing.T) {
	t.Parallel()
	const own, others = "the-token-of-studio-in-this-test", "the-token-of-other-in-this-test"
	b := setupOwn(t, func(cfg *devstack.Config) {
		cfg.Slots = 2
		cfg.Settings = map[string]string{"WEIR_SOURCE_HTTP": "true", "WEIR_API_TOKENS": "studio=" + own + ",other=" + others}
	})
	b.API.Token = others
	slow := b.request(t, "")
	slow.Source.URL = trickle(t)
	trickling := b.submit(t, slow)
	b.awaitTranscode(t, trickling, atStage("fetch"))

	b.API.Token = own
	source, facts := b.source(t, plain())
	transcode := b.succeeds(t, b.submit(t, b.request(t, source)), facts)
	require.Equal(t, 1, transcode.Attempt)

	b.API.Token = others
	still, err := b.API.Transcode(b.ctx, trickling)
	require.NoError(t, err)
	require.Equal(t, []any{"running", "fetch", 1}, []any{still.State, still.Stage, still.Attempt})
	b.cancels(t, trickling)
}
