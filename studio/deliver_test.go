package studio

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/secret"
	"weir/storage/dial/dialtest"
)

const (
	testEvent    = "019ab3c4-9f00-7a01-8b02-3c4d5e6f7081"
	testSecret   = secret.Secret("whsec-planted-signing-secret")
	testPassword = "planted-p4ssw0rd"
	testToken    = "planted-query-token"
	// patience is for a machine that is busy with other things.
	patience = 30 * time.Second
	// short ends deliveries that hang on purpose.
	short = 300 * time.Millisecond
)

type testBundle struct {
	client  *Client
	url     string
	arrived chan *http.Request
	bodies  chan string
}

// setup starts a receiver with handler behind what notes the requests.
func setup(t *testing.T, cfg Config, handler http.HandlerFunc) *testBundle {
	t.Helper()
	b := &testBundle{arrived: make(chan *http.Request, 16), bodies: make(chan string, 16)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		b.arrived <- r
		b.bodies <- string(body)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	if cfg.Timeout == 0 {
		cfg.Timeout = patience
	}
	cfg.Guard = cmp.Or(cfg.Guard, dialtest.Loopback())
	b.client = New(&cfg)
	t.Cleanup(b.client.Close)
	return b
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestDeliverSendsWhatTheContractSays(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Secret: testSecret, Version: "1.2.3"}, answer(http.StatusNoContent, ""))
	body := []byte(`{"status":"success"}`)
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url + "/hook?taskId=7"), Body: body, EventID: testEvent, Attempt: 3})
	require.Equal(t, Delivered, result.Fate)
	require.Equal(t, http.StatusNoContent, *result.Status)
	require.Empty(t, result.Err)
	require.Positive(t, result.Latency)

	r := <-b.arrived
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "/hook?taskId=7", r.URL.String())
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "weir/1.2.3", r.Header.Get("User-Agent"))
	require.Equal(t, testEvent, r.Header.Get("Weir-Event-Id"))
	require.Equal(t, "3", r.Header.Get("Weir-Attempt"))
	require.Empty(t, r.Header.Get("Authorization"))
	require.Equal(t, strconv.Itoa(len(body)), r.Header.Get("Content-Length"), "in one piece")
	got := <-b.bodies
	require.Equal(t, string(body), got, "byte for byte")
	require.NoError(t, Verify(r.Header.Get("Weir-Signature"), []byte(got), time.Now(), 0, testSecret))
}

func TestDeliverUnsignedStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, answer(http.StatusOK, "true"))
	require.Equal(t, Delivered, b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url), Body: []byte("{}")}).Fate)
	r := <-b.arrived
	for _, name := range []string{"Weir-Signature", "Webhook-Signature", "Weir-Event-Id", "Weir-Attempt", "Authorization"} {
		require.NotContains(t, r.Header, name)
	}
	require.NotEmpty(t, r.Header.Get("Webhook-Id"), "a status has one of its own")
	require.Equal(t, "weir/dev", r.Header.Get("User-Agent"))
}

func TestDeliverAuthorization(t *testing.T) {
	t.Parallel()
	cfg := Config{Bearer: "task-runner-token", BearerHosts: []string{"127.0.0.1"}}
	b := setup(t, cfg, answer(http.StatusOK, ""))
	b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url)})
	require.Equal(t, "Bearer task-runner-token", (<-b.arrived).Header.Get("Authorization"))

	b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(strings.Replace(b.url, "127.0.0.1", "localhost", 1))})
	require.Empty(t, (<-b.arrived).Header.Get("Authorization"), "not named in BearerHosts")

	b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(strings.Replace(b.url, "http://", "http://weir:"+testPassword+"@", 1))})
	r := <-b.arrived
	user, password, ok := r.BasicAuth()
	require.True(t, ok)
	require.Equal(t, "weir", user)
	require.Equal(t, testPassword, password)
}

func TestFateOfEveryStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			status = http.StatusTeapot
		}
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
	})
	retried := map[int]bool{408: true, 425: true, 429: true}
	for status := 200; status < 600; status++ {
		if http.StatusText(status) == "" && status%100 > 1 {
			continue
		}
		result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(fmt.Sprintf("%s/%d", b.url, status))})
		<-b.arrived
		<-b.bodies
		want := Refused
		switch {
		case status < 300:
			want = Delivered
		case status >= 500 || retried[status]:
			want = Retry
		}
		require.Equal(t, want, result.Fate, "status %d", status)
		require.Equal(t, status, *result.Status)
		require.Equal(t, want == Delivered, result.Err == "", "status %d: %s", status, result.Err)
	}
	require.Empty(t, b.arrived, "no redirect was followed")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	require.Equal(t, 17*time.Second, b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url)}).RetryAfter)

	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0, "18446744073709551615": time.Hour, "7200": time.Hour,
		"Sun, 22 Nov 2026 14:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 13:00:00 GMT": 0,
		"Sun, 22 Nov 2099 13:00:00 GMT": time.Hour,
	} {
		require.Equal(t, want, retryAfter(header, now), header)
	}
}

func TestDeliverEndlessAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("é", 1<<10)); err != nil {
				return
			}
		}
	})
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url)})
	require.Equal(t, Delivered, result.Fate)
	require.Equal(t, strings.Repeat("é", answerKept/2), result.Answer)
}

func TestDeliverAnswerStalls(t *testing.T) {
	t.Parallel()
	var result Result
	// On a busy machine the status itself may come later than that: then it has longer.
	for timeout := short; timeout < patience && result.Fate != Delivered; timeout *= 2 {
		b := setup(t, Config{Timeout: timeout}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "tru\x00\xffe")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		result = b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url)})
	}
	require.Equal(t, Delivered, result.Fate, "the status was said")
	require.Equal(t, "tru  e", result.Answer)
}

func TestDeliverSlow(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Timeout: short}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url)})
	require.Equal(t, Retry, result.Fate)
	require.Nil(t, result.Status)
	require.Contains(t, result.Err, "gave no answer within 300ms")
	require.GreaterOrEqual(t, result.Latency, short)
}

func TestDeliverInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := setup(t, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	result := b.client.Deliver(ctx, Delivery{URL: secret.Secret(b.url)})
	require.Equal(t, Retry, result.Fate)
	require.Contains(t, result.Err, "interrupted")
}

// A receiver that took the callback and died before it answered: it may have it.
func TestDeliverResetAfterRead(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url), Body: []byte("{}")})
	require.Equal(t, Retry, result.Fate)
	require.Nil(t, result.Status)
	require.NotEmpty(t, result.Err)
	<-b.arrived
	require.Empty(t, b.arrived, "one attempt is one request")
}

func TestDeliverNobodyListens(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, answer(http.StatusOK, ""))
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret("http://" + dialtest.Nobody(t) + "/x")})
	require.Equal(t, Retry, result.Fate)
	require.Contains(t, result.Err, "connection refused")
}

func TestDeliverUnusableURL(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, answer(http.StatusOK, ""))
	for _, raw := range []string{
		"", "/relative", "ftp://host/x", "file:///etc/passwd", "http://", "http://:80:80/", "javascript:alert(1)",
		b.url + "/\r\nX-Injected: 1", "http://user:" + testPassword + "@ho st/", "http://h\r\nX: 1/", "gopher://u:" + testPassword + "@h/",
	} {
		result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(raw)})
		require.Equal(t, Refused, result.Fate, "%q", raw)
		require.NotEmpty(t, result.Err)
		require.NotContains(t, result.Err, testPassword)
	}
	require.Empty(t, b.arrived)
}

func TestDeliverHeaderInjection(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{}, answer(http.StatusOK, ""))
	result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url), EventID: "x\r\nX-Injected: 1"})
	require.NotEqual(t, Delivered, result.Fate)
	require.Empty(t, b.arrived)

	userinfo := strings.Replace(b.url, "http://", "http://a%0d%0aX-Injected:b%0d%0aX-Injected%3A1@", 1)
	result = b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(userinfo + "/p%0d%0aX-Injected:%201?q=%0d%0aX-Injected:1")})
	require.Equal(t, Delivered, result.Fate)
	require.NotContains(t, (<-b.arrived).Header, "X-Injected")
}

// A receiver may send back all it got, whole or in an error page.
func TestNoSecretInTheResult(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s %s:%s %s%s %v", r.URL, r.RequestURI, user, password, r.Host, r.URL.Path, r.Header)
	}
	b := setup(t, Config{Secret: testSecret, Bearer: "planted-bearer", BearerHosts: []string{"127.0.0.1"}}, echo)
	shown := func(url string) string {
		delivery := Delivery{URL: secret.Secret(url), Body: []byte("{}"), EventID: testEvent}
		result := b.client.Deliver(t.Context(), delivery)
		text, err := json.Marshal(result)
		require.NoError(t, err)
		coded, err := json.Marshal(delivery)
		require.NoError(t, err)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", testSecret, "delivery", delivery, "config", b.client.cfg)
		return string(text) + string(coded) + log.String() + fmt.Sprintf("%v %+v %#v %x %v", delivery, delivery, delivery, delivery.URL, b.client.cfg)
	}
	path := "/hooks/planted-path-token?taskId=7&token=" + testToken
	all := shown(b.url+path) +
		shown(strings.Replace(b.url, "http://", "http://weir:"+testPassword+"@", 1)+path) +
		shown("http://weir:"+testPassword+"@127.0.0.1:1"+path) +
		shown("http://weir:"+testPassword+"@[::1"+path)
	for _, secret := range []string{
		testPassword, testToken, "planted-bearer", "planted-path-token", string(testSecret),
		"d2VpcjpwbGFudGVkLXA0c3N3MHJk", // base64 of user and password
	} {
		require.NotContains(t, all, secret)
	}
	require.Contains(t, all, secret.Redacted)
}
