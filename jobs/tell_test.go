package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state, stage string
		is           status
	}{
		{StateQueued, "", statusPreparing},
		{StatePlaced, AttemptPlaced, statusPreparing},
		{StateRunning, AttemptFetched, statusPreparing},
		{StateRunning, AttemptPrepared, statusPreparingComplete},
		{StateRunning, AttemptStarted, statusTranscoding},
		{StateStoring, AttemptCleaned, statusTranscoding},
	} {
		require.Equal(t, test.is, statusOf(&dbsqlc.Transcode{State: test.state}, test.stage))
	}
}
