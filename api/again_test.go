package api_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// fail ends a transcode as failed, with its callback in this state.
func (b *bundle) fail(t *testing.T, id uuid.UUID, callback string) {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE weir.transcodes SET state = 'failed', finished_at = now(), error_code = 'x', error_stage = 'fetch', error_message = 'm' WHERE id = $1`, id)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `INSERT INTO weir.callbacks (id, transcode_id, run, url, body, state)
		SELECT gen_random_uuid(), id, run, 'https://h', '{}', $2 FROM weir.transcodes WHERE id = $1`, id, callback)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
}

func TestRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID
	path := "/v1/transcodes/" + id.String() + "/retry"
	b.do(t, studio, http.MethodPost, path, nil).problem(t, http.StatusConflict)
	b.fail(t, id, "pending")
	for _, token := range []string{other, ""} {
		require.Contains(t, []int{http.StatusNotFound, http.StatusUnauthorized}, b.do(t, token, http.MethodPost, path, nil).status)
	}
	b.do(t, studio, http.MethodPost, path+"?run=0", nil).problem(t, http.StatusUnprocessableEntity)
	b.do(t, studio, http.MethodPost, path+"?run=2", nil).problem(t, http.StatusConflict)
	for range 2 { // safe to be asked again
		a := b.do(t, studio, http.MethodPost, path+"?run=1", nil)
		require.Equal(t, http.StatusOK, a.status, a.text)
		got := a.transcode(t)
		require.Equal(t, []any{"queued", int32(2)}, []any{got.State, got.Run})
		require.Nil(t, got.Callback, "the run before's is superseded")
	}
	p := b.do(t, studio, http.MethodPost, path, nil).problem(t, http.StatusConflict)
	require.Equal(t, []string{"path.id"}, p.locations())
	b.fail(t, id, "pending")
	require.EqualValues(t, 3, b.do(t, operator, http.MethodPost, path, nil).transcode(t).Run, "an operator may")
	b.do(t, studio, http.MethodPost, "/v1/transcodes/"+uuid.NewString()+"/retry", nil).problem(t, http.StatusNotFound)
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID
	path := "/v1/transcodes/" + id.String() + "/callback/redeliver"
	p := b.do(t, studio, http.MethodPost, path, nil).problem(t, http.StatusConflict)
	require.Equal(t, []string{"path.id"}, p.locations())
	b.fail(t, id, "refused")
	b.do(t, other, http.MethodPost, path, nil).problem(t, http.StatusNotFound)
	deliveries := func(state string) (n int) {
		t.Helper()
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.river_job WHERE kind = 'callback' AND state::text = $1", state).Scan(&n))
		return n
	}
	for range 3 {
		a := b.do(t, studio, http.MethodPost, path, nil)
		require.Equal(t, http.StatusAccepted, a.status, a.text)
		require.Equal(t, "refused", a.transcode(t).Callback.State, "nothing else is touched")
		require.Equal(t, 1, deliveries("available"))
	}
	// Behind deliveries that failed it waits for the next one, and does not have to.
	_, err := b.pool.Exec(t.Context(), "UPDATE weir.river_job SET state = 'scheduled', scheduled_at = now() + interval '1 hour' WHERE kind = 'callback'")
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, b.do(t, operator, http.MethodPost, path, nil).status)
	require.Equal(t, 1, deliveries("available"))
	require.Zero(t, deliveries("scheduled"))
	b.do(t, studio, http.MethodPost, "/v1/transcodes/"+uuid.NewString()+"/callback/redeliver", nil).problem(t, http.StatusNotFound)
}
