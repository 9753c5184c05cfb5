package e2e

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// A receiver that says that it will never take the callback is not asked again, and
// the outcome stays what it is.
func TestCallbackRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNotFound, http.StatusUnprocessableEntity} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.receiver.SetMode(devstack.Mode{Status: status})
			source, _ := b.source(t, plain())
			id := b.submit(t, b.request(t, source))
			transcode := b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
				return transcode.Callback != nil && transcode.Callback.State != "pending"
			})
			require.Equal(t, "succeeded", transcode.State)
			require.Equal(t, "refused", transcode.Callback.State)
			require.Equal(t, 1, transcode.Callback.Attempts)
			require.Equal(t, 1, transcode.Attempt)
			b.nothingLeft(t, id)
			require.NoError(t, b.receiver.Problems())
		})
	}
}

// A receiver in trouble hears of it again, and of the same.
func TestCallbackAgain(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]devstack.Mode{
		"error":                  {Status: http.StatusInternalServerError},
		"reset after it is read": {Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.receiver.SetMode(mode)
			id := b.submit(t, b.request(t, b.missing(t)))
			first, err := b.receiver.WaitTerminal(b.ctx, id)
			require.NoError(t, err)
			require.False(t, first.Accepted())
			b.receiver.SetMode(devstack.Mode{})
			transcode := b.fails(t, id, failure{"object_missing", "fetch", "input", false})
			require.Equal(t, first.EventID, transcode.Callback.ID)
			require.GreaterOrEqual(t, transcode.Callback.Attempts, 2)
		})
	}
}
