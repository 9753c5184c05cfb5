package devstack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPause(t *testing.T) {
	t.Parallel()
	const least = 50 * time.Millisecond
	require.Equal(t, least, Pause(least, time.Millisecond), "a look costs nothing")
	require.Equal(t, 90*time.Millisecond, Pause(least, 10*time.Millisecond), "a look is dear")
	require.Equal(t, time.Second, Pause(least, time.Minute), "a look hung")
	require.Equal(t, time.Hour, Pause(time.Hour, time.Minute), "the least is kept")
}
