package broadcaster_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
)

func (b *bundle) misbehave(t *testing.T, f broadcaster.Faults) int {
	t.Helper()
	text, err := json.Marshal(f)
	require.NoError(t, err)
	resp, err := b.client.Post(b.url+broadcaster.FaultsPath, "application/json", bytes.NewReader(text))
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestAnsweredFaults: instead of a rendition.
func TestAnsweredFaults(t *testing.T) {
	t.Parallel()
	data := small(t)
	cases := map[string]struct {
		status int
		text   string
	}{
		broadcaster.ModeRefuse:   {422, "TranscoderInvalidVideo"},
		broadcaster.ModeAttempts: {422, "hit max transcode attempts"},
		broadcaster.ModeError:    {500, "out of order"},
		broadcaster.ModeForbid:   {403, "Could not create stream ID: url=http://"},
		broadcaster.ModeFull:     {503, "No sessions available"},
	}
	for mode, c := range cases {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			require.Equal(t, http.StatusOK, b.misbehave(t, broadcaster.Faults{Mode: mode, Segments: 1}))
			got := b.post(t, data, with(nil))
			require.Equal(t, c.status, got.status)
			require.Contains(t, string(got.body), c.text)
			require.Len(t, b.post(t, data, with(nil)).parts(t), 1, "once only")
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{MaxManifests: 100})
	data := small(t)
	require.Equal(t, http.StatusBadRequest, b.misbehave(t, broadcaster.Faults{Mode: "nonsense"}))

	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeError, Match: "other-stream"})
	require.Equal(t, http.StatusOK, b.post(t, data, with(nil)).status, "another stream's")
	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeError, Match: "stream-"})
	require.Equal(t, http.StatusInternalServerError, b.post(t, data, with(nil)).status)

	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeContentType})
	require.Equal(t, "text/plain", b.post(t, data, with(nil)).header.Get("Content-Type"))
	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeGarbage})
	require.Empty(t, b.post(t, data, with(nil)).parts(t)[0].frames)
	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeFewer})
	fewer := b.post(t, data, with(nil), with(object{"name": "b"})).parts(t)
	require.Len(t, fewer, 1)
	require.Equal(t, "a", fewer[0].header.Get("Rendition-Name"))
	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeTruncate})
	require.Less(t, len(b.post(t, data, with(nil)).parts(t)[0].frames), 30)

	const delay = 100
	b.misbehave(t, broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: delay})
	began := time.Now()
	require.Equal(t, http.StatusOK, b.post(t, data, with(nil)).status)
	require.GreaterOrEqual(t, time.Since(began), delay*time.Millisecond)

	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeClose}))
	_, err := b.client.Do(b.request(t, "/live/x/0.ts", header(t, with(nil)), data))
	require.Error(t, err)
}
