package receivers_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/jobs/jobstest"
	"weir/jobs/receivers"
	"weir/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSecrets(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	secrets := &receivers.Secrets{DB: b.Pool, Sealer: b.Sealer}
	of := func(tenant string) []secret.Secret {
		t.Helper()
		list, err := secrets.Of(t.Context(), uuid.New(), tenant, nil)
		require.NoError(t, err)
		return list
	}
	require.Empty(t, of("studio"))
	const first, second = secret.Secret("the-first-of-its-secrets"), secret.Secret("the-second-of-its-secrets")
	added, err := secrets.Add(t.Context(), "studio", first)
	require.NoError(t, err)
	_, err = secrets.Add(t.Context(), "studio", second)
	require.NoError(t, err)
	_, err = secrets.Add(t.Context(), "studio", "a-third-one-is-too-much")
	require.ErrorIs(t, err, receivers.ErrSecretsFull)
	require.NotContains(t, err.Error(), "too-much")
	require.Equal(t, []secret.Secret{first, second}, of("studio"))
	require.Empty(t, of("other"))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.callback_secrets WHERE sealed LIKE '%first-of%'"))

	require.ErrorIs(t, secrets.Remove(t.Context(), "other", added.ID), receivers.ErrNoSecret)
	require.NoError(t, secrets.Remove(t.Context(), "studio", added.ID))
	require.ErrorIs(t, secrets.Remove(t.Context(), "studio", added.ID), receivers.ErrNoSecret)
	_, err = secrets.Add(t.Context(), "studio", first)
	require.NoError(t, err)
	require.Equal(t, []secret.Secret{second, first}, of("studio"), "in the order of their age")

	// What another row's place was given, and what another key sealed, opens nowhere.
	b.Exec(t, "UPDATE weir.callback_secrets SET tenant = 'other' WHERE place = 1")
	_, err = secrets.Of(t.Context(), uuid.New(), "other", nil)
	require.ErrorIs(t, err, secret.ErrNotSealed)
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for text, says := range map[secret.Secret]string{
		"": "16 to 256", "too short": "16 to 256", secret.Secret(strings.Repeat("x", 257)): "16 to 256",
		"holds a\nline's end": "space", "holds spaces in it": "space", "holds\x00a-zero-byte": "space",
		"whsec_no-base64-at-all": "24 to 64 bytes in base64", "whsec_c2hvcnQgb25lcw==": "24 to 64 bytes in base64",
	} {
		err := receivers.CheckSecret(text)
		require.ErrorIs(t, err, receivers.ErrSecretBad)
		require.ErrorContains(t, err, says)
		if text != "" {
			require.NotContains(t, err.Error(), string(text))
		}
	}
	for range 8 {
		require.NoError(t, receivers.CheckSecret(receivers.NewSecret()))
	}
	require.NotEqual(t, receivers.NewSecret(), receivers.NewSecret())
}
