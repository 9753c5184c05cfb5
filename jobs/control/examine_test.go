package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs/doctor"
	"weir/jobs/jobstest"
	"weir/storage/dial"
	"weir/storage/dial/dialtest"
	"weir/studio"
)

// reached looks at where open transcodes are told of.
func reached(t *testing.T, b *jobstest.Bundle, guard *dial.Guard) []doctor.Finding {
	t.Helper()
	client := studio.New(&studio.Config{Guard: guard})
	defer client.Close()
	found, _ := doctor.Run(t.Context(), doctor.Control, doctor.Order{}, (&Control{DB: b.Pool, Studio: client}).Checks()...)
	return found
}

// Receivers of open transcodes are connected to past the guard, and nothing is posted.
func TestReceiversAreReached(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	found := reached(t, b, nil)
	require.Len(t, found, 1)
	require.Equal(t, doctor.OK, found[0].Verdict)

	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method }))
	defer server.Close()
	open := b.Accept(t, "a")
	gone := b.Accept(t, "a")
	ended := b.Accept(t, "a")
	for id, url := range map[string]string{
		open.ID.String(): server.URL + "/hook", gone.ID.String(): "http://" + dialtest.Nobody(t) + "/hook", ended.ID.String(): "http://ended.invalid/hook",
	} {
		b.Exec(t, "UPDATE weir.transcodes SET callback_url = $2 WHERE id = $1", id, url)
	}
	_, err := b.Transcodes.Cancel(t.Context(), ended.Tenant, ended.ID)
	require.NoError(t, err)

	found = reached(t, b, dialtest.Loopback())
	require.Len(t, found, 2)
	for _, f := range found {
		require.Equal(t, doctor.ReceiverReach, f.Code)
		if f.Subject == server.URL {
			require.Equal(t, doctor.OK, f.Verdict, f.Evidence)
			continue
		}
		require.Equal(t, doctor.Fail, f.Verdict)
		require.Contains(t, f.Evidence, "refused")
		require.Contains(t, f.Mend, "ask who runs it")
	}
	require.Empty(t, asked, "nothing was sent")

	found = reached(t, b, nil)
	require.Len(t, found, 2)
	require.Equal(t, doctor.Fail, found[0].Verdict)
	require.Contains(t, found[0].Evidence, "it is loopback; WEIR_ALLOWED_NETWORKS can allow it")

	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	b.Exec(t, "UPDATE weir.transcodes SET callback_url = $2 WHERE id = $1", open.ID, tls.URL)
	for _, f := range reached(t, b, dialtest.Loopback()) {
		if strings.HasPrefix(f.Subject, "https:") {
			require.Equal(t, doctor.Fail, f.Verdict)
			require.Contains(t, f.Evidence, "greet by TLS")
		}
	}
}
