package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answerTime is above what the loopback takes on a busy machine; silence is what is
// waited for an answer that must not come.
const (
	answerTime = 10 * time.Second
	silence    = 200 * time.Millisecond
)

// testBundle asks a server, over what stands before it.
type testBundle struct {
	server *httptest.Server
	client *http.Client
}

func setup(t *testing.T, handler http.HandlerFunc) *testBundle {
	t.Helper()
	server := httptest.NewServer(handler)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return &testBundle{server: server, client: client}
}

// ask sends a request for at most so long and returns the status.
func (b *testBundle) ask(t *testing.T, method, address, body string, limit time.Duration) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/bucket/key", strings.NewReader(body))
	require.NoError(t, err)
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// ok answers what it got as a whole.
func ok(_ http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	b := setup(t, ok)
	g, err := newGate(t.Context(), b.server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	passes := func() {
		t.Helper()
		status, err := b.ask(t, http.MethodPost, g.address, "hello", answerTime)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	passes()

	g.refuse()
	_, err = b.ask(t, http.MethodPost, g.address, "hello", answerTime)
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "refused at once")
	require.NoError(t, g.heal(t.Context()))
	passes()

	g.freeze()
	_, err = b.ask(t, http.MethodPost, g.address, "hello", silence)
	require.ErrorIs(t, err, context.DeadlineExceeded, "silent")
	require.NoError(t, g.heal(t.Context()))
	passes()
}

func TestDoor(t *testing.T) {
	t.Parallel()
	b := setup(t, ok)
	d, err := newDoor(t.Context(), b.server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	put := func(limit time.Duration) (int, error) {
		return b.ask(t, http.MethodPut, d.address, strings.Repeat("x", 1<<20), limit)
	}
	status, err := put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1, d.uploadsOf("key"))

	d.set(doorThrottles)
	status, err = put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)

	d.set(doorStalls)
	_, err = put(silence)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, d.uploadsOf("key"), "what is not whole does not count")

	d.set(doorOpen)
	status, err = put(answerTime)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 2, d.uploadsOf("key"))
}
