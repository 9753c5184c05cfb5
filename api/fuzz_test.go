package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/api/events"
	"weir/jobs"
)

// fuzzTarget is the API over a database that nobody answers for: what is accepted
// comes back as 503.
func fuzzTarget(f *testing.F) http.Handler {
	f.Helper()
	pool, err := pgxpool.New(f.Context(), "postgres://u@127.0.0.1:1/none")
	require.NoError(f, err)
	f.Cleanup(pool.Close)
	inserter, err := jobs.NewInserter(pool)
	require.NoError(f, err)
	tokens, err := api.ParseTokens("studio=" + studio)
	require.NoError(f, err)
	handler, err := api.New(&api.Config{
		Transcodes: &jobs.Transcodes{DB: pool, River: inserter, Sealer: sealer(f)}, Tokens: tokens,
		Events: events.New(pool, slog.New(slog.DiscardHandler)),
		Logger: slog.New(slog.DiscardHandler), Ready: nothing,
	})
	require.NoError(f, err)
	return handler
}

func FuzzSubmit(f *testing.F) {
	handler := fuzzTarget(f)
	for _, body := range []object{submission(), fileSubmission(), vodSubmission()} {
		text, err := json.Marshal(body)
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, text := range []string{
		"", "null", "[]", `{"profiles":[{"name":"a","width":1e3}]}`, `{"source":{"url":"s3+https://K:S@h/b/k"},"source":{}}`,
		`{"external_id":"\ud800","profiles":[[]]}`, `{"profiles":[{"bitrate":1e400}]}`,
		`{"profiles":[{"name":"a","width":1,"height":1,"bitrate":1000,"quality":44,"fps":30000,"fps_den":1001,"gop":"9999.5","profile":"None","encoder":"h264","color_depth":8.0,"chroma_format":0e9}]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		req := httptest.NewRequest(http.MethodPost, vodPath, strings.NewReader(text))
		req.Header.Set("Authorization", "Bearer "+studio)
		req.Header.Set("Content-Type", "application/json")
		refused := httptest.NewRecorder()
		handler.ServeHTTP(refused, req)
		var refusal map[string]string
		require.NoError(t, json.Unmarshal(refused.Body.Bytes(), &refusal), refused.Body)
		require.NotEmpty(t, refusal["error"])
		require.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusServiceUnavailable}, refused.Code)
		for _, path := range []string{"/v1/transcodes", "/api/transcode/file"} {
			req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(text))
			req.Header.Set("Authorization", "Bearer "+studio)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, req)
			var p problem
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &p), answer.Body)
			require.Equal(t, answer.Code, p.Status)
			switch answer.Code {
			case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
				require.NotEmpty(t, p.Errors)
				for _, e := range p.Errors {
					require.True(t, strings.HasPrefix(e.Location, "body"), e.Location)
				}
			case http.StatusServiceUnavailable:
			default:
				require.Fail(t, "another answer", "%d %s", answer.Code, answer.Body)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	handler := fuzzTarget(f)
	for _, word := range []string{"", "AAAA", strings.Repeat("A", 32), strings.Repeat("_", 32)} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		req := httptest.NewRequest(http.MethodGet, "/v1/transcodes", nil)
		req.URL.RawQuery = "page=" + word
		req.Header.Set("Authorization", "Bearer "+studio)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, req)
		require.Contains(t, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, answer.Code, answer.Body)
	})
}

func FuzzTokens(f *testing.F) {
	for _, text := range []string{"", "a=b", "*=x,b=sha256:00", ",,=="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := api.ParseTokens(text)
		require.Equal(t, err == nil, tokens != nil)
	})
}
