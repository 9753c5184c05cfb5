package studio

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/secret"
	"weir/storage/dial"
	"weir/storage/dial/dialtest"
)

// A callback reaches nothing inside the network, and where it may, none of our own
// listeners; it is tried again as one to a host that is not known.
func TestGuardedCallback(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{Guard: &dial.Guard{}}, answer(http.StatusOK, ""))
	_, port, _ := strings.Cut(strings.TrimPrefix(b.url, "http://"), ":")
	for _, url := range []string{b.url, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://169.254.169.254/latest", "http://weir.invalid/"} {
		result := b.client.Deliver(t.Context(), Delivery{URL: secret.Secret(url), Body: []byte("{}")})
		require.Equal(t, Retry, result.Fate, url)
		require.Nil(t, result.Status)
		require.NotEmpty(t, result.Err)
	}
	require.Empty(t, b.arrived)

	own, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	guard := dialtest.Loopback()
	guard.Own = []uint16{uint16(own)}
	client := New(&Config{Guard: guard})
	t.Cleanup(client.Close)
	result := client.Deliver(t.Context(), Delivery{URL: secret.Secret(b.url + "/api2"), Body: []byte("{}")})
	require.Equal(t, Retry, result.Fate)
	require.Contains(t, result.Err, "own listeners")
	require.Empty(t, b.arrived)
}
