package control

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/jobs/receivers"
	"weir/secret"
	"weir/storage/dial/dialtest"
	"weir/studio"
)

// signedMessage is what a receiver has to check.
type signedMessage struct {
	header http.Header
	body   []byte
}

func (m *signedMessage) by(t *testing.T, key secret.Secret) bool {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(string(key))
	require.NoError(t, err)
	standard := verifier.Verify(m.body, m.header) == nil
	own := studio.Verify(m.header.Get(studio.SignatureHeader), m.body, time.Now(), 0, key) == nil
	require.Equal(t, standard, own, "both signatures say the same")
	return own
}

// Statuses and events are signed by both secrets of their tenant, and by the request's
// own where it has one; by the daemon's where there is neither.
func TestSignedBy(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	heard := make(chan signedMessage, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- signedMessage{r.Header, body}
	}))
	t.Cleanup(server.Close)
	daemons := receivers.NewSecret()
	client := studio.New(&studio.Config{Secret: daemons, Guard: dialtest.Loopback()})
	t.Cleanup(client.Close)
	tell := newTeller(&Control{DB: b.Pool, Sealer: b.Sealer, Studio: client, Log: jobstest.Silent()})
	secrets := &receivers.Secrets{DB: b.Pool, Sealer: b.Sealer}

	messages := func(own secret.Secret) (list []signedMessage) {
		t.Helper()
		req := requestTo(server.URL)
		req.CallbackSecret = own
		transcode := b.RunRequest(t, req)
		err := tell.lane(t.Context(), []uuid.UUID{transcode.ID})
		require.NoError(t, err)
		list = append(list, <-heard)
		require.NoError(t, b.Store(t.Context(), &transcode, "a"))
		require.NoError(t, workCallbackBy(t, b, transcode.ID, client))
		return append(list, <-heard)
	}
	signers := func(list []signedMessage, keys ...secret.Secret) (who [][]bool) {
		t.Helper()
		for _, m := range list {
			var by []bool
			for _, key := range keys {
				by = append(by, m.by(t, key))
			}
			who = append(who, by)
		}
		return who
	}
	both := func(by ...bool) [][]bool { return [][]bool{by, by} }

	b.Exec(t, "UPDATE weir.hosts SET slots = 100")
	before, after, own := receivers.NewSecret(), receivers.NewSecret(), receivers.NewSecret()
	require.Equal(t, both(true, false), signers(messages(""), daemons, before))
	old, err := secrets.Add(t.Context(), "studio", before)
	require.NoError(t, err)
	require.Equal(t, both(false, true), signers(messages(""), daemons, before))
	_, err = secrets.Add(t.Context(), "studio", after)
	require.NoError(t, err)
	require.Equal(t, both(false, true, true), signers(messages(""), daemons, before, after))
	require.Equal(t, both(false, false, false, true), signers(messages(own), daemons, before, after, own))
	require.NoError(t, secrets.Remove(t.Context(), "studio", old.ID))
	require.Equal(t, both(false, false, true), signers(messages(""), daemons, before, after))

	// One that can't be opened: nothing goes out unsigned, and the event waits.
	b.Exec(t, `UPDATE weir.callback_secrets SET sealed = '\x01'`)
	transcode := b.RunRequest(t, requestTo(server.URL))
	err = tell.lane(t.Context(), []uuid.UUID{transcode.ID})
	require.NoError(t, err)
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	require.Error(t, workCallbackBy(t, b, transcode.ID, client), "snoozed")
	require.Empty(t, heard)
	require.Equal(t, jobs.CallbackPending, callbackState(t, b, transcode.ID, 1))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.callbacks WHERE last_error LIKE '%whsec_%'"))
}
