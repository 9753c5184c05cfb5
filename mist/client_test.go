package mist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/secret"
	"weir/storage/dial/dialtest"

	"github.com/stretchr/testify/require"
)

// exchange is a request to a real Mist and its answer, as recorded.
type exchange struct {
	AtS      float64         `json:"at_s"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
}

// recorded finds the exchange at a time of a recording.
func recorded(t *testing.T, file string, atS float64) exchange {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var all []exchange
	require.NoError(t, json.Unmarshal(raw, &all))
	for _, e := range all {
		if e.AtS == atS {
			return e
		}
	}
	require.Failf(t, "no such exchange", "%s at %v s", file, atS)
	return exchange{}
}

// player answers requests with given answers, one after the other.
type player struct {
	client  *Client
	mu      sync.Mutex
	answers []string
	paths   []string
	asked   []string
}

func setup(t *testing.T, answers ...string) *player {
	t.Helper()
	p := &player{answers: answers}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	client, err := New(&Config{URL: server.URL + "/api2"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	p.client = client
	return p
}

// ServeHTTP answers as Mist does: 200 whatever is asked, as JavaScript, and as
// if nothing was asked unless the content type is exactly right.
func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/javascript")
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || len(p.answers) == 0 {
		_, _ = io.WriteString(w, `{"LTS":1,"authorize":{"local":true,"status":"OK"}}`+"\n\n")
		return
	}
	p.paths = append(p.paths, r.URL.Path)
	p.asked = append(p.asked, string(body))
	_, _ = io.WriteString(w, p.answers[0]+"\n\n")
	p.answers = p.answers[1:]
}

func (p *player) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func TestNewRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1:4242", "http://127.0.0.1:4242", "http://127.0.0.1:4242/api", "ftp://127.0.0.1/api2",
		"http:///api2", "http://user:hunter2@127.0.0.1:4242/api2", "http://127.0.0.1:4242/api2?x=1", "http://user:hunter2@[::1/api2",
	} {
		_, err := New(&Config{URL: address})
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := New(&Config{Timeout: -time.Second})
	require.Error(t, err)
	c, err := New(&Config{})
	require.NoError(t, err)
	require.Equal(t, DefaultURL, c.URL())
	c, err = New(nil)
	require.NoError(t, err)
	require.Equal(t, DefaultURL, c.URL())
}

// account is a Mist with an account, asked from elsewhere: it wants a login on
// every connection, so each of our requests comes on a new one here.
func account(username, password string) (http.HandlerFunc, *[]string) {
	const challenge = "9f2d6b0c5a1e4d7f8091a2b3c4d5e6f7"
	var seen []string
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		var cmd struct {
			Authorize struct{ Username, Password string } `json:"authorize"`
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &cmd)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		seen = append(seen, string(body))
		if cmd.Authorize.Username == username && cmd.Authorize.Password == md5hex(md5hex(password)+challenge) {
			_, _ = io.WriteString(w, `{"LTS":1,"authorize":{"status":"OK"},"config":{"iid":"i1","version":"3.10","time":1795354928}}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"authorize":{"status":"CHALL","challenge":%q}}`, challenge)
	}, &seen
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name               string
		username, password string
		kind               error
		requests           int
	}{
		{"right", "weir", "hunter2", nil, 2},
		{"wrong password", "weir", "hunter3", ErrAuth, 2},
		{"wrong user", "wier", "hunter2", ErrAuth, 2},
		{"none", "", "", ErrAuth, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			handler, seen := account("weir", "hunter2")
			server := httptest.NewServer(handler)
			defer server.Close()
			c, err := New(&Config{URL: server.URL + "/api2", Username: tc.username, Password: secret.Secret(tc.password)})
			require.NoError(t, err)
			info, err := c.Info(t.Context())
			require.Len(t, *seen, tc.requests)
			require.NotContains(t, strings.Join(*seen, ""), "hunter")
			if tc.kind == nil {
				require.NoError(t, err)
				require.Equal(t, Info{Version: "3.10", IID: "i1", Time: time.Unix(1795354928, 0)}, info)
				return
			}
			require.ErrorIs(t, err, tc.kind)
			require.NotContains(t, err.Error(), "hunter")
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	write := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		kind    error
	}{
		{"web page", write(200, "<!DOCTYPE html><html><title>MistServer MI</title></html>"), ErrUnexpected},
		{"empty", write(200, ""), ErrUnexpected},
		{"other JSON", write(200, `{"hello":"world"}`), ErrUnexpected},
		{"an array", write(200, `[1,2]`), ErrUnexpected},
		{"null", write(200, `null`), ErrUnexpected},
		{"not executed", write(200, `{"LTS":1,"authorize":{"local":true,"status":"OK"}}`), ErrUnexpected},
		{"no iid", write(200, `{"LTS":1,"authorize":{"status":"OK"},"config":{"version":"3.10"}}`), ErrUnexpected},
		{"no account, from elsewhere", write(200, `{"authorize":{"status":"NOACC"}}`), ErrAuth},
		{"not found", write(404, "404"), ErrUnexpected},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, ErrUnexpected},
		{"forbidden", write(403, "Please login first or provide a valid token authentication."), ErrAuth},
		{"gateway", write(502, "bad gateway"), ErrUnavailable},
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			block := strings.Repeat(" ", 1<<20)
			for range maxReply>>20 + 1 {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}, ErrUnexpected},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"LTS":1,`)
		}, ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			c, err := New(&Config{URL: server.URL + "/api2"})
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Info(t.Context())
			require.ErrorIs(t, err, tc.kind)
			require.Contains(t, err.Error(), server.URL+"/api2")
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "info", e.Op)
		})
	}
}

func TestNoAccountServesItsOwnMachine(t *testing.T) {
	t.Parallel()
	p := setup(t, `{"LTS":1,"authorize":{"status":"NOACC"},"config":{"iid":"i1","time":1}}`)
	info, err := p.client.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, "i1", info.IID)
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	c, err := New(&Config{URL: "http://" + dialtest.Nobody(t) + "/api2"})
	require.NoError(t, err)
	_, err = c.Info(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
	require.Contains(t, err.Error(), "connection refused")
}

func TestSilence(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)

	c, err := New(&Config{URL: server.URL + "/api2", Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	_, err = c.Info(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// A caller that gives up is not Mist's fault.
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	_, err = c.Info(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, stopped)
	require.NotErrorIs(t, err, ErrUnavailable)
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]number{
		"0": 0, "12": 12, "-3": -3, "1.9": 1, "null": 0, `"7"`: 0, "{}": 0, "true": 0,
		"18446744073709551615": 1<<63 - 1, "-18446744073709551615": -1 << 63, "1e400": 1<<63 - 1, "1e3": 1000,
	} {
		var n number
		require.NoError(t, json.Unmarshal([]byte(in), &n), in)
		require.Equal(t, want, n, in)
	}
}
