package web

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// River's own pages have no login: behind ours a viewer reads there, and an operator's
// change is written down.
func TestRiver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Accept(t, "a") // its round is a job
	var job int64
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.river_job WHERE state = 'available'").Scan(&job))
	state := func() (state string) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT state FROM weir.river_job WHERE id = $1", job).Scan(&state))
		return state
	}
	viewer, operator := b.logged(t, vera, b.viewer), b.logged(t, olga, b.operator)
	answer, body := viewer.get(t, "/river/")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, "<title>River</title>")
	answer, body = viewer.get(t, fmt.Sprintf("/river/api/jobs/%d", job))
	require.Equal(t, http.StatusOK, answer.StatusCode, body)
	require.Contains(t, body, `"place"`)
	answer, _ = b.visitor(t).get(t, "/river/api/jobs")
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)

	send := func(v *visitor, method, path, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
		answer, err := v.Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	ids := fmt.Sprintf(`{"ids":["%d"]}`, job)
	for _, forged := range []struct{ method, path string }{
		{http.MethodPost, "/river/api/jobs/cancel"}, {http.MethodPost, "/river/api/jobs/delete"}, {http.MethodPost, "/river/api/jobs/retry"},
		{http.MethodPut, "/river/api/queues/place/pause"}, {http.MethodPatch, "/river/api/queues/place"}, {http.MethodDelete, "/river/api/jobs"},
		{http.MethodPost, "/river//api/jobs/cancel"}, {http.MethodPost, "/river/./api/jobs/cancel"},
	} {
		status, _ := send(viewer, forged.method, forged.path, ids)
		require.Contains(t, []int{http.StatusForbidden, http.StatusTemporaryRedirect, http.StatusMovedPermanently}, status, "%v", forged)
	}
	require.Equal(t, "available", state())
	require.Zero(t, b.changes(t))

	status, text := send(operator, http.MethodPost, "/river/api/jobs/cancel", ids)
	require.Equal(t, http.StatusOK, status, text)
	require.Equal(t, "cancelled", state())
	require.Equal(t, 1, b.Count(t, `SELECT count(*) FROM weir.admin_actions
		WHERE who = 'olga' AND via = 'web' AND what = 'river POST' AND target = 'jobs/cancel' AND detail->>'asked' = $1`, ids))
}
