package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/api"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO weir.usage (tenant, day, part, succeeded, failed, attempts, source_ms, output_ms, pixels, bytes) VALUES
		('studio', '2026-11-26', 0, 40, 0, 40, 30000000, 90000000, 2125440000000, 9663676416), ('studio', '2026-11-26', 3, 1, 1, 4, 750000, 2250000, 0, 0),
		('studio', '2026-11-01', 0, 1, 0, 1, 60000, 0, 0, 0), ('studio', '2026-12-01', 0, 1, 0, 1, 60000, 0, 0, 0), ('other', '2026-11-26', 0, 7, 0, 7, 0, 0, 0, 0)`)
	require.NoError(t, err)

	// The example of the guide.
	guide, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	_, example, found := strings.Cut(string(guide), "## GET /v1/usage\n")
	require.True(t, found)
	_, example, _ = strings.Cut(example, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	var want api.Usage
	require.NoError(t, json.Unmarshal([]byte(example), &want))
	read := func(token, query string) (got api.Usage) {
		t.Helper()
		a := b.do(t, token, http.MethodGet, "/v1/usage"+query, nil)
		require.Equal(t, http.StatusOK, a.status, a.text)
		a.decode(t, &got)
		return got
	}
	got := read(studio, "?from=2026-11-02&to=2026-12-01")
	require.Equal(t, want.Items, got.Items)
	require.Equal(t, []string{"2026-11-02", "2026-12-01"}, []string{got.From, got.To})
	require.Len(t, read(studio, "?from=2026-11-01&to=2026-12-02&tenant=studio").Items, 3)
	require.Len(t, read(operator, "?from=2026-11-26&to=2026-11-27").Items, 2)
	require.Len(t, read(operator, "?from=2026-11-26&to=2026-11-27&tenant=other").Items, 1)
	got = read(other, "")
	require.Equal(t, time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly), got.To)

	b.do(t, studio, http.MethodGet, "/v1/usage?tenant=other", nil).problem(t, http.StatusForbidden)
	b.do(t, "", http.MethodGet, "/v1/usage", nil).problem(t, http.StatusUnauthorized)
	for query, field := range map[string]string{
		"?from=2026-11-31": "query.from", "?to=yesterday": "query.to", "?from=2026-11-02&to=2026-11-02": "query.to", "?from=2020-01-01": "query.from",
	} {
		p := b.do(t, studio, http.MethodGet, "/v1/usage"+query, nil).problem(t, http.StatusUnprocessableEntity)
		require.Equal(t, []string{field}, p.locations(), query)
	}
}
