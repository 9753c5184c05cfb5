package api_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/db"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/storage/dial/dialtest"
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

// failing is an error of a check.
type failing struct{ serves bool }

func (failing) Error() string        { return "PLANTED" }
func (failing) CheckCode() string    { return "spool.room" }
func (f failing) KeepsServing() bool { return f.serves }

// What fails is named by its code. The API serves where it can.
func TestReadyzNamesTheCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ready["spool"] = failing{serves: true}
	a := b.do(t, "", http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"ready":true,"dependencies":{"postgres":"ok","spool":"failing"},"failing":["spool.room"]}`, a.text)
	b.ready["spool"] = failing{}
	a = b.do(t, "", http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.JSONEq(t, `{"ready":false,"dependencies":{"postgres":"ok","spool":"failing"},"failing":["spool.room"]}`, a.text)
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *api.Config) {
		pool, err := db.Open(t.Context(), "postgres://u:PLANTED@"+dialtest.Nobody(t)+"/weir", 2)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		cfg.Transcodes = &jobs.Transcodes{DB: pool, River: cfg.Transcodes.River, Sealer: cfg.Transcodes.Sealer}
	})
	for _, a := range []*answer{
		b.do(t, studio, http.MethodPost, "/v1/transcodes", submission()),
		b.do(t, studio, http.MethodGet, "/v1/transcodes", nil),
	} {
		a.problem(t, http.StatusServiceUnavailable)
		require.Equal(t, "10", a.header.Get("Retry-After"))
		require.NotContains(t, a.text, "127.0.0.1")
	}
	require.Contains(t, b.log.String(), "request failed")
	require.NotContains(t, b.log.String(), planted)
}

// A lock that another holds for long is no fault of the caller, and none that lasts.
func TestDatabaseBusy(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *api.Config) {
		pool, err := db.Open(t.Context(), dbtest.With(t, cfg.Transcodes.DB.(*pgxpool.Pool).Config().ConnString(), map[string]string{"lock_timeout": "100ms"}), 2)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		cfg.Transcodes = &jobs.Transcodes{DB: pool, River: cfg.Transcodes.River, Sealer: cfg.Transcodes.Sealer}
	})
	transcode := b.submit(t, submission())
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "SELECT FROM weir.transcodes WHERE id = $1 FOR UPDATE", transcode.ID)
	require.NoError(t, err)
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes/"+transcode.ID.String()+"/cancel", nil)
	a.problem(t, http.StatusServiceUnavailable)
	require.Equal(t, "10", a.header.Get("Retry-After"))
}

func TestNewNeedsItsParts(t *testing.T) {
	t.Parallel()
	_, err := api.New(&api.Config{})
	require.ErrorContains(t, err, "Transcodes")
}
