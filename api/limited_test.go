package api_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *api.Config) { cfg.Rate = 1 })
	refused := func(token string) *answer {
		for range 1000 {
			if a := b.do(t, token, http.MethodGet, "/v1/transcodes", nil); a.status != http.StatusOK {
				return a
			}
		}
		return nil
	}
	a := refused(studio)
	require.NotNil(t, a)
	a.problem(t, http.StatusTooManyRequests)
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Equal(t, 1, seconds)
	require.Equal(t, http.StatusOK, b.do(t, other, http.MethodGet, "/v1/transcodes", nil).status)
	require.Equal(t, http.StatusOK, b.do(t, "", http.MethodGet, "/healthz", nil).status)
}

func TestTooManyWrongTokens(t *testing.T) {
	t.Parallel()
	const guesses = 2 // in a minute: the next one comes in half of one, which is long on any machine
	b := setup(t, func(cfg *api.Config) { cfg.FailedAuth = guesses })
	require.Equal(t, http.StatusOK, b.do(t, studio, http.MethodGet, "/v1/transcodes", nil).status)
	for range guesses {
		b.do(t, "guess", http.MethodGet, "/v1/transcodes", nil).problem(t, http.StatusUnauthorized)
	}
	for _, token := range []string{"guess", "", other} {
		a := b.do(t, token, http.MethodGet, "/v1/transcodes", nil)
		a.problem(t, http.StatusTooManyRequests)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusOK, b.do(t, studio, http.MethodGet, "/v1/transcodes", nil).status, "it was seen before")
}

// Of another tenant's transcodes nothing can be learnt: all answers are those about what
// is not there.
func TestOthersAreUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["external_id"] = "shared-name"
	id := b.submit(t, body).ID.String()
	const none = "0199c0de-0000-7000-8000-000000000000"
	for _, path := range []struct{ method, path string }{
		{http.MethodGet, "/v1/transcodes/"}, {http.MethodPost, "/v1/transcodes/"},
	} {
		end := ""
		if path.method == http.MethodPost {
			end = "/cancel"
		}
		theirs := b.do(t, other, path.method, path.path+id+end, nil)
		unknown := b.do(t, other, path.method, path.path+none+end, nil)
		require.Equal(t, http.StatusNotFound, theirs.status)
		require.Equal(t, unknown.status, theirs.status)
		require.Equal(t, unknown.text, theirs.text)
		theirs.header.Del("Date")
		unknown.header.Del("Date")
		require.Equal(t, unknown.header, theirs.header)
	}
	// The same name is free for the other tenant, and a list of it is empty.
	list := b.do(t, other, http.MethodGet, "/v1/transcodes?external_id=shared-name", nil)
	require.Equal(t, http.StatusOK, list.status)
	require.NotContains(t, list.text, id)
	a := b.do(t, other, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusAccepted, a.status, a.text)
	require.NotEqual(t, id, a.transcode(t).ID.String())
}
