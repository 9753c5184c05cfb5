package studio

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"weir/secret"
)

// Among the vectors is the example of Standard Webhooks' own specification and libraries.
func TestStandardVectorsOfTheDocs(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "standard vectors") {
		at := time.Unix(v.Time, 0)
		require.Equal(t, v.Header, SignStandard(v.ID, at, []byte(v.Body), v.Secret))
		verifier, err := standardwebhooks.NewWebhook(v.Key)
		require.NoError(t, err)
		require.NoError(t, verifier.VerifyIgnoringTimestamp([]byte(v.Body), http.Header{
			StandardIDHeader: {v.ID}, StandardTimeHeader: {strconv.FormatInt(v.Time, 10)}, StandardSignatureHeader: {v.Header},
		}))
	}
}

// What is delivered is taken by the official library, with the secret of before and with
// the one that replaces it, and by our own check.
func TestDeliverAsStandardWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Secret: "not used beside secrets of its own"}, answer(http.StatusOK, ""))
	const before, after, raw = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODw==", "no base64 at all"
	for _, eventID := range []string{testEvent, ""} {
		b.client.Deliver(t.Context(), Delivery{
			URL: secret.Secret(b.url), Body: []byte(`{"status":"success"}`), EventID: eventID, Secrets: []secret.Secret{before, after, raw},
		})
		header, body := (<-b.arrived).Header, []byte(<-b.bodies)
		for _, text := range []string{before, after} {
			verifier, err := standardwebhooks.NewWebhook(text)
			require.NoError(t, err)
			require.NoError(t, verifier.Verify(body, header))
			require.Error(t, verifier.Verify(append(body, ' '), header), "another body")
			require.NoError(t, Verify(header.Get("Weir-Signature"), body, time.Now(), 0, secret.Secret(text)))
		}
		verifier, err := standardwebhooks.NewWebhookRaw([]byte(raw))
		require.NoError(t, err)
		require.NoError(t, verifier.Verify(body, header))
		stranger, err := standardwebhooks.NewWebhook("whsec_c3RyYW5nZXI=")
		require.NoError(t, err)
		require.Error(t, stranger.Verify(body, header))
		if eventID != "" {
			require.Equal(t, eventID, header.Get("Webhook-Id"))
		}
	}

	// The daemon's own secret, where there is no other.
	b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url), Body: []byte(`{}`)})
	header, body := (<-b.arrived).Header, []byte(<-b.bodies)
	verifier, err := standardwebhooks.NewWebhookRaw([]byte("not used beside secrets of its own"))
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(body, header))
}
