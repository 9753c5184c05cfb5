package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/api"
)

// serving bounds what these tests wait for.
const serving = 30 * time.Second

// lookEvery is how often a test looks whether something has come about.
const lookEvery = 10 * time.Millisecond

func serve(t *testing.T, handler http.Handler) (url string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()
	return "http://" + listener.Addr().String(), cancel, done
}

func await(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(serving):
		require.Fail(t, "it did not end")
		return nil
	}
}

// TestServeDrains: a request that has begun gets its answer after the stop.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	url, stop, ended := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "whole")
	}))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	text := make(chan string, 1)
	go func() {
		resp, err := client.Get(url)
		if err != nil {
			text <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		text <- string(body)
	}()
	<-begun
	stop()
	close(finish)
	require.NoError(t, await(t, ended))
	require.Equal(t, "whole", <-text)
	_, err := client.Get(url)
	require.Error(t, err, "the listener is closed")
}

func TestServeSaysWhenTheListenerFails(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = api.Serve(t.Context(), listener, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, listener.Addr().String())
}

// TestRequestLog: a line per request, with the route and not the path.
func TestRequestLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID.String()
	b.do(t, studio, http.MethodGet, "/v1/transcodes/"+id+"?x=hush", nil)
	b.do(t, "hush", http.MethodGet, "/hush", nil)
	type line struct {
		Msg, Method, Route, Tenant string
		Status                     int
	}
	var lines []line
	for text := range strings.Lines(b.log.String()) {
		var l line
		require.NoError(t, json.Unmarshal([]byte(text), &l))
		lines = append(lines, l)
	}
	require.Equal(t, []line{
		{"request", "POST", "POST /v1/transcodes", "studio", 202},
		{"request", "GET", "GET /v1/transcodes/{id}", "studio", 422},
		{"request", "GET", "", "", 404},
	}, lines)
	require.NotContains(t, b.log.String(), "hush")
	require.NotContains(t, b.log.String(), id)
}

// TestBodyThatEndsEarly: the caller's fault, not ours.
func TestBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(serving)))
	_, err = io.WriteString(conn, "POST /v1/transcodes HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "+studio+
		"\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "400 Bad Request")
}

// answersWithin is far below what a body that comes slowly is waited for, and enough for a busy machine.
const answersWithin = 10 * time.Second

// TestTooLargeAtOnce: a body that says that it is too large is not waited for.
func TestTooLargeAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, stop, ended := serve(t, b.handler)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "POST /v1/transcodes HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer "+studio+"\r\n"+
		"Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n{")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(answersWithin)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	stop()
	require.NoError(t, await(t, ended))
}

func TestAnswersAreNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/transcodes", "/v1/transcodes/x", "/nothing", "/docs", "/healthz"} {
		for _, token := range []string{studio, "wrong"} {
			a := b.do(t, token, http.MethodGet, path, nil)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"), path)
			require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), path)
		}
	}
}

// Headers beyond their limit are refused before anything is done with them.
func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	url, stop, ended := serve(t, http.NotFoundHandler())
	defer func() {
		stop()
		require.NoError(t, await(t, ended))
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", strings.Repeat("x", 64<<10))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
}
