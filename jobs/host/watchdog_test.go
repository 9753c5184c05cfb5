package host

import (
	"testing"
	"time"

	"weir/jobs"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	require.Equal(t, probeFloor, probeLimit(0))
	require.Equal(t, probeFloor+10*time.Second, probeLimit(10_000_000))
	require.Equal(t, jobs.StageCeiling, probeLimit(1<<40))
	require.Equal(t, prepareFloor, prepareLimit(0))
	require.Equal(t, prepareFloor+10*time.Minute, prepareLimit(time.Minute))
	require.Equal(t, jobs.StageCeiling, prepareLimit(24*time.Hour))
	require.Equal(t, fetchFloor+10*time.Second, fetchLimit(10_000_000))
	require.Equal(t, jobs.StageCeiling, fetchLimit(-1))
	require.Equal(t, storeFloor+10*time.Second, storeLimit(10_000_000))
	require.Less(t, jobs.StageCeiling, storeTimeout)
	require.Less(t, jobs.StageCeiling, transcodeTimeout)
}
