package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTranscodeLimit(t *testing.T) {
	t.Parallel()
	require.Equal(t, transcodeFloor+2*time.Minute, transcodeLimit(20_000))
	require.Equal(t, StageCeiling, transcodeLimit(int64(100*time.Hour/time.Millisecond)))
}
