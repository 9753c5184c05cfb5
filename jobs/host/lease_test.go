package host

import (
	"testing"
	"testing/synctest"
	"time"

	"weir/jobs"

	"github.com/stretchr/testify/require"
)

func TestLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lease
		require.False(t, l.ending(), "not booted")
		l.begin(t.Context())
		require.True(t, l.ending(), "not renewed yet")
		l.renewed(time.Now())

		working, done := l.within(t.Context())
		defer done()
		<-time.After(jobs.RenewEvery) // of the bubble's clock
		l.renewed(time.Now().Add(-time.Second))
		<-time.After(jobs.LeaseLength - leaseMargin - 2*time.Second)
		synctest.Wait()
		require.False(t, l.ending())
		require.NoError(t, working.Err(), "the first renewal's end is past")
		<-time.After(time.Second)
		synctest.Wait()
		require.True(t, l.ending(), "counted from when the second was asked for")
		require.Error(t, working.Err(), "what waits for an answer waits no longer")

		l.renewed(time.Now())
		require.False(t, l.ending(), "the host has come back")
		again, done := l.within(t.Context())
		defer done()
		require.NoError(t, again.Err())
	})
}
