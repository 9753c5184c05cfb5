package host

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		require.Equal(t, time.Now().Round(0), c.now().Round(0), "nobody has told it better")
		ahead := time.Now().Add(time.Hour).Round(0)
		c.set(ahead, time.Now())
		<-time.After(time.Minute)
		require.Equal(t, ahead.Add(time.Minute), c.now())
	})
}
