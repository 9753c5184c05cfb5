package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A full queue is told as what waiting mends, in both forms; a repeated request is none.
func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), "INSERT INTO weir.tenants (name, queued_most) VALUES ('studio', 1)")
	require.NoError(t, err)
	body := submission()
	body["external_id"], body["priority"] = "task-1", 2
	accepted := b.submit(t, body)
	require.EqualValues(t, 2, accepted.Priority)
	for path, body := range map[string]object{"/v1/transcodes": submission(), "/api/transcode/file": fileSubmission()} {
		a := b.do(t, studio, http.MethodPost, path, body)
		p := a.problem(t, http.StatusTooManyRequests)
		require.Contains(t, p.Detail, "1 transcodes of this tenant wait")
		require.Equal(t, "30", a.header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusOK, b.do(t, studio, http.MethodPost, "/v1/transcodes", body).status)
}
