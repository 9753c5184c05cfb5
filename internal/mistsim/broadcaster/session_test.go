package broadcaster_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
)

const (
	// waitFor bounds the wait for what goroutines do; no test waits so long when all is well.
	waitFor = 20 * time.Second
	look    = 5 * time.Millisecond
)

// clock is one that a test moves.
type clock struct{ elapsed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.elapsed.Load()) }
func (c *clock) advance(d time.Duration) { c.elapsed.Add(int64(d)) }

// send posts a segment of a manifest and forgets it until the test ends.
func (b *bundle) send(t *testing.T, done *sync.WaitGroup, manifest, lengthMS string, data []byte) <-chan int {
	t.Helper()
	req := b.request(t, "/live/"+manifest+"/0.ts", header(t, with(nil)), data)
	req.Header.Set("Content-Duration", lengthMS)
	status := make(chan int, 1)
	done.Go(func() {
		resp, err := b.client.Do(req)
		if err != nil {
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	})
	return status
}

// stuck is a Broadcaster whose segments take far longer than a test.
func stuck(t *testing.T, cfg broadcaster.Config) *bundle {
	t.Helper()
	cfg.Timeout = time.Hour
	b := setup(t, cfg)
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeThroughput, Factor: 1000}))
	return b
}

func (b *bundle) inFlight(t *testing.T, manifest string, sent, waiting int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s, w := b.InFlight(manifest)
		return s == sent && w == waiting
	}, waitFor, look, "%d in flight, %d of them waiting", sent, waiting)
}

// TestChangedHeader: profiles are those of the manifest's first segment.
func TestChangedHeader(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := small(t)
	first := b.do(t, b.request(t, "/live/m/5.ts", header(t, with(nil)), data)).parts(t)
	for _, config := range []string{"", header(t, with(object{"name": "b", "width": 320})), header(t, with(object{"profile": "H264Best"}))} {
		later := b.do(t, b.request(t, "/live/m/1.ts", config, data)).parts(t)
		require.Len(t, later, len(first))
		require.Equal(t, "a", later[0].header.Get("Rendition-Name"))
		require.Equal(t, first[0].codec.Width, later[0].codec.Width)
	}
	require.Equal(t, http.StatusBadRequest, b.do(t, b.request(t, "/live/m/1.ts", "nojson", data)).status, "but it must be JSON")
}

// TestManifests: a gateway with the real one's limits takes ten, and keeps each for a
// minute after its last segment.
func TestManifests(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := setup(t, broadcaster.Config{Now: c.now})
	data := small(t)
	post := func(id int) *answer {
		return b.do(t, b.request(t, fmt.Sprintf("/live/%d/0.ts", id), header(t, with(nil)), data))
	}
	for id := range 10 {
		require.Equal(t, http.StatusOK, post(id).status)
	}
	full := post(10)
	require.Equal(t, http.StatusInternalServerError, full.status)
	require.Equal(t, fmt.Sprintf("Could not create stream ID: url=%s/live/10/0.ts\n", b.url), string(full.body))
	c.advance(time.Minute)
	require.Equal(t, http.StatusOK, post(0).status, "one that it has")
	require.Equal(t, http.StatusInternalServerError, post(10).status, "still full")
	c.advance(time.Millisecond)
	for id := 10; id < 19; id++ {
		require.Equal(t, http.StatusOK, post(id).status, "in the place of one that was not used for a minute")
	}
	require.Equal(t, http.StatusInternalServerError, post(19).status, "the used one is still there")
}

// TestOrchestratorFull: garbage is answered like any segment.
func TestOrchestratorFull(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{MaxSessions: 1})
	data := small(t)
	require.Equal(t, http.StatusOK, b.post(t, data, with(nil)).status)
	for _, body := range [][]byte{data, []byte("garbage")} {
		got := b.post(t, body, with(nil))
		require.Equal(t, http.StatusServiceUnavailable, got.status)
		require.Equal(t, "No sessions available\n", string(got.body))
	}
	require.Equal(t, http.StatusOK, b.do(t, b.request(t, "/live/stream-1/1.ts", "", data)).status, "it keeps what it has")
}

// TestSlowOrchestrator: once the oldest segment in flight is older than twice its own
// length, and 1.5 s at least, there is nobody to send another to, until it is back.
func TestSlowOrchestrator(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		lengthMS string
		limit    time.Duration
	}{
		"2 s":   {"2000", 4 * time.Second},
		"1 s":   {"1000", 2 * time.Second},
		"0.5 s": {"500", 1500 * time.Millisecond},
	}
	data := small(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{}
			b := stuck(t, broadcaster.Config{Now: c.now})
			var all sync.WaitGroup
			defer all.Wait()
			defer b.Close()
			b.send(t, &all, "m", tc.lengthMS, data)
			b.inFlight(t, "m", 1, 0)
			c.advance(tc.limit - time.Millisecond)
			b.send(t, &all, "m", tc.lengthMS, data)
			b.inFlight(t, "m", 2, 1)
			c.advance(time.Millisecond)
			refused := b.do(t, b.request(t, "/live/m/2.ts", "", data))
			require.Equal(t, http.StatusServiceUnavailable, refused.status)
			require.Equal(t, "No sessions available\n", string(refused.body))
			b.send(t, &all, "another", tc.lengthMS, data)
			b.inFlight(t, "another", 1, 0)
		})
	}
}

// TestSlowSenderLeaves: a segment whose sender has left is still in flight.
func TestSlowSenderLeaves(t *testing.T) {
	t.Parallel()
	c := &clock{}
	b := stuck(t, broadcaster.Config{Now: c.now})
	defer b.Close()
	impatient := &http.Client{Transport: &http.Transport{}, Timeout: 500 * time.Millisecond}
	defer impatient.CloseIdleConnections()
	data := small(t)
	_, err := impatient.Do(b.request(t, "/live/m/0.ts", header(t, with(nil)), data))
	require.Error(t, err)
	b.inFlight(t, "m", 1, 0)
	c.advance(4 * time.Second)
	for range 5 {
		require.Equal(t, http.StatusServiceUnavailable, b.do(t, b.request(t, "/live/m/0.ts", "", data)).status)
	}
}

// TestBusy: an orchestrator works on one segment of a manifest, four wait, and the
// next one loses its connection and the manifest its orchestrator.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := stuck(t, broadcaster.Config{})
	var all sync.WaitGroup
	defer all.Wait()
	defer b.Close()
	data := small(t)
	b.send(t, &all, "m", "10000", data)
	b.inFlight(t, "m", 1, 0)
	for i := range 4 {
		b.send(t, &all, "m", "10000", data)
		b.inFlight(t, "m", i+2, i+1)
	}
	require.Zero(t, <-b.send(t, &all, "m", "10000", data), "no answer")
	require.Equal(t, http.StatusServiceUnavailable, <-b.send(t, &all, "m", "10000", data))
}

// TestOneAtATime: segments of a manifest follow each other, those of several do not.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeThroughput, Factor: 0.5}))
	const (
		segments = 3
		each     = 500 * time.Millisecond // half of a second of source
	)
	var all sync.WaitGroup
	defer all.Wait()
	data := small(t)
	began := time.Now()
	var answers []<-chan int
	for range segments {
		answers = append(answers, b.send(t, &all, "m", "1000", data))
	}
	for _, status := range answers {
		require.Equal(t, http.StatusOK, <-status)
	}
	require.GreaterOrEqual(t, time.Since(began), segments*each)
	require.EqualValues(t, segments, b.Segments())
}

// TestTimeout: a segment that takes too long drops the connection.
func TestTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{Timeout: time.Millisecond})
	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeThroughput, Factor: 1000}))
	var all sync.WaitGroup
	defer all.Wait()
	data := small(t)
	require.Zero(t, <-b.send(t, &all, "m", "1", data))
	require.NoError(t, b.SetFaults(broadcaster.Faults{}))
	require.Equal(t, http.StatusOK, <-b.send(t, &all, "m", "60000", data), "four times its length is time enough")
}
