package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

func TestCallers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID.String()
	for _, token := range []string{"", "wrong", studio + "x", "studio"} {
		for _, route := range []struct{ method, path string }{
			{http.MethodPost, "/v1/transcodes"},
			{http.MethodPost, "/api/transcode/file"},
			{http.MethodGet, "/v1/transcodes"},
			{http.MethodGet, "/v1/transcodes/" + id},
			{http.MethodPost, "/v1/transcodes/" + id + "/cancel"},
		} {
			a := b.do(t, token, route.method, route.path, nil)
			a.problem(t, http.StatusUnauthorized)
			require.Equal(t, `Bearer realm="weir"`, a.header.Get("WWW-Authenticate"))
		}
	}
	for _, path := range []string{"/openapi.json", "/docs", "/healthz", "/readyz"} {
		require.Equal(t, http.StatusOK, b.do(t, "", http.MethodGet, path, nil).status, path)
	}

	b.do(t, other, http.MethodGet, "/v1/transcodes/"+id, nil).problem(t, http.StatusNotFound)
	require.Equal(t, http.StatusOK, b.do(t, operator, http.MethodGet, "/v1/transcodes/"+id, nil).status)
	b.do(t, operator, http.MethodPost, "/v1/transcodes", submission()).problem(t, http.StatusForbidden)
	b.do(t, operator, http.MethodPost, "/api/transcode/file", fileSubmission()).problem(t, http.StatusForbidden)

	for header, status := range map[string]int{
		"bearer " + studio: http.StatusOK, "BEARER  " + studio: http.StatusOK, studio: http.StatusUnauthorized,
		"Basic " + studio: http.StatusUnauthorized, "Bearer": http.StatusUnauthorized,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/transcodes", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", header)
		require.Equal(t, status, b.send(t, req).status, header)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	hash := sha256.Sum256([]byte("hush-hush"))
	tokens, err := api.ParseTokens(" a=hush-hush-2 ,a=hush-hush-3==,b=sha256:" + hex.EncodeToString(hash[:]) + ",*=x")
	require.NoError(t, err)
	b := setup(t, func(cfg *api.Config) { cfg.Tokens = tokens })
	for token, status := range map[string]int{
		"hush-hush": http.StatusOK, "hush-hush-2": http.StatusOK, "hush-hush-3==": http.StatusOK, "x": http.StatusOK,
		"sha256:" + hex.EncodeToString(hash[:]): http.StatusUnauthorized,
	} {
		require.Equal(t, status, b.do(t, token, http.MethodGet, "/v1/transcodes", nil).status)
	}
	printed := fmt.Sprintf("%v %+v %#v", tokens, *tokens, *tokens)
	require.NotContains(t, printed, "hush")
	require.NotContains(t, printed, fmt.Sprint(hash[0], " ", hash[1]))

	for _, test := range []struct{ text, says string }{
		{"", "none"},
		{"hush", "entry 1: it has no ="},
		{"a=x,b=", "entry 2: its token is empty"},
		{"a=x,", "entry 2: it has no ="},
		{"=hush", "entry 1: its tenant"},
		{"a b=hush", "entry 1: its tenant"},
		{"a=sha256:hush", "entry 1: after sha256:"},
		{"a=hush,b=hush", "entry 2: the same token"},
	} {
		_, err := api.ParseTokens(test.text)
		require.ErrorContains(t, err, test.says, test.text)
		require.NotContains(t, err.Error(), "hush")
	}
}
