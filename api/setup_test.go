package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/api"
	"weir/api/events"
	"weir/api/view"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tokens of the tests' callers.
const (
	studio   = "studio-token-1"
	other    = "other-token-2"
	operator = "operator-token-3"
)

type bundle struct {
	pool    *pgxpool.Pool
	jobs    *jobs.Transcodes
	url     string
	client  *http.Client
	handler http.Handler
	log     *buffer
	// stopEvents stops what a daemon's stop stops of them.
	stopEvents func()
	// ready is what the dependencies say.
	ready map[string]error
}

func setup(t *testing.T, change ...func(*api.Config)) *bundle {
	t.Helper()
	b := &bundle{pool: dbtest.New(t), log: &buffer{}, ready: map[string]error{"postgres": nil}}
	inserter, err := jobs.NewInserter(b.pool)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `INSERT INTO weir.stores (tenant, name, endpoint, region, path_style, allowed, may_read, may_write, set_by)
		SELECT tenant, 'main', '', '', true, '{*}', true, true, 'a test' FROM unnest('{studio,other}'::text[]) tenant`)
	require.NoError(t, err)
	b.jobs = &jobs.Transcodes{DB: b.pool, River: inserter, Sealer: sealer(t)}
	tokens, err := api.ParseTokens("studio=" + studio + ",other=" + other + ",*=" + operator)
	require.NoError(t, err)
	hub := events.New(b.pool, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(t.Context())
	b.stopEvents = stop
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(running) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	cfg := &api.Config{
		Transcodes: b.jobs, Tokens: tokens, Events: hub, Logger: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Ready: func(context.Context) map[string]error { return b.ready },
	}
	for _, f := range change {
		f(cfg)
	}
	b.handler, err = api.New(cfg)
	require.NoError(t, err)
	srv := httptest.NewServer(b.handler)
	t.Cleanup(srv.Close)
	b.url, b.client = srv.URL, srv.Client()
	return b
}

func sealer(tb testing.TB) *secret.Sealer {
	tb.Helper()
	s, err := secret.NewSealer(secret.Key{1, 2, 3})
	require.NoError(tb, err)
	return s
}

// nothing is a Ready of no dependencies.
func nothing(context.Context) map[string]error { return nil }

// answer is what a request came to.
type answer struct {
	status int
	header http.Header
	text   string
}

func (a *answer) decode(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.text), v), a.text)
}

func (a *answer) transcode(t *testing.T) (v view.Transcode) {
	t.Helper()
	a.decode(t, &v)
	return v
}

// problem is a problem document as a caller reads it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

func (a *answer) problem(t *testing.T, status int) (p problem) {
	t.Helper()
	require.Equal(t, status, a.status, a.text)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
	a.decode(t, &p)
	require.Equal(t, status, p.Status)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	for _, e := range p.Errors {
		require.Nil(t, e.Value)
		require.NotEmpty(t, e.Message)
	}
	return p
}

// locations are the fields that a problem names.
func (p *problem) locations() (list []string) {
	for _, e := range p.Errors {
		list = append(list, e.Location)
	}
	return list
}

func (b *bundle) do(t *testing.T, token, method, path string, body any) *answer {
	t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	case io.Reader:
		reader = body
	default:
		text, err := json.Marshal(body)
		require.NoError(t, err)
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, reader)
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return b.send(t, req)
}

func (b *bundle) send(t *testing.T, req *http.Request) *answer {
	t.Helper()
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return &answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
}

// object is a JSON object that tests change.
type object = map[string]any

func submission() object {
	return object{
		"source":       object{"url": "s3://media/in/clip.mp4"},
		"output":       object{"url": "s3://media/out/clip"},
		"callback_url": "https://studio.example/hook",
		"profiles":     []any{profile("720p", 1280, 720), profile("360p", 640, 360)},
	}
}

func profile(name string, width, height int) object {
	return object{"name": name, "width": width, "height": height, "bitrate": 1_000_000}
}

func fileSubmission() object {
	return object{
		"source_location": "s3://media/in/clip.mp4", "callback_url": "https://studio.example/hook",
		"manifestID": "m", "verificationFreq": 1, "profiles": []any{profile("720p", 1280, 720)},
	}
}

// submit posts a good request.
func (b *bundle) submit(t *testing.T, body object) view.Transcode {
	t.Helper()
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusAccepted, a.status, a.text)
	return a.transcode(t)
}

func (b *bundle) count(t *testing.T, table string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM weir."+table).Scan(&n))
	return n
}

// buffer takes a log from several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
