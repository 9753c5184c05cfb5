package api_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.JSONEq(t, `{"status":"ok"}`, b.do(t, "", http.MethodGet, "/healthz", nil).text)
	a := b.do(t, "", http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"ready":true,"dependencies":{"postgres":"ok"}}`, a.text)

	b.ready["mist"] = errors.New("connect to user@10.0.0.1: refused")
	a = b.do(t, "", http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.JSONEq(t, `{"ready":false,"dependencies":{"postgres":"ok","mist":"failing"}}`, a.text)
	require.Contains(t, b.log.String(), "10.0.0.1: refused", "the log says why")
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// As far as callers can tell, it is gone: nobody can connect.
	_, err := b.pool.Exec(t.Context(), `
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database());
		EXECUTE format('CREATE ROLE %I LOGIN PASSWORD ''x''', current_database()); END $$`)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	require.NoError(t, err)
	b.pool.Close()
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes", submission())
	a.problem(t, http.StatusInternalServerError)
	require.Contains(t, b.log.String(), "request failed")
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	_, err := api.New(&api.Config{})
	require.ErrorContains(t, err, "Transcodes")
}
