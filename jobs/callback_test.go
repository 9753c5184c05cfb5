package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/studio"
)

func TestNextDelivery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		state  string
		since  time.Duration
		result studio.Result
		next   string
		waits  bool
	}{
		{"taken", CallbackPending, 0, studio.Result{Verdict: studio.Delivered}, CallbackDelivered, false},
		{"refused", CallbackPending, 0, studio.Result{Verdict: studio.Refused}, CallbackRefused, false},
		{"later", CallbackPending, 0, studio.Result{Verdict: studio.Retry}, CallbackPending, true},
		{"a day is over", CallbackPending, studio.GiveUpAfter, studio.Result{Verdict: studio.Retry}, CallbackExpired, false},
		{"redelivered", CallbackRefused, 0, studio.Result{Verdict: studio.Delivered}, CallbackDelivered, false},
		{"redelivery refused after a delivery", CallbackDelivered, 0, studio.Result{Verdict: studio.Refused}, CallbackDelivered, false},
		{"redelivery in vain for a day", CallbackDelivered, studio.GiveUpAfter, studio.Result{Verdict: studio.Retry}, CallbackDelivered, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := nextDelivery(&dbsqlc.Callback{State: test.state, Attempts: 3}, now.Add(-test.since), test.result, now)
			require.Equal(t, test.next, got.state)
			require.Equal(t, test.waits, got.wait > 0)
		})
	}
	asked := nextDelivery(&dbsqlc.Callback{State: CallbackPending}, now, studio.Result{Verdict: studio.Retry, RetryAfter: time.Minute}, now)
	require.Equal(t, time.Minute, asked.wait)
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state, stage string
		status       studio.Status
	}{
		{StateQueued, "", studio.StatusPreparing},
		{StatePlaced, AttemptPlaced, studio.StatusPreparing},
		{StateRunning, AttemptFetched, studio.StatusPreparing},
		{StateRunning, AttemptPrepared, studio.StatusPreparingComplete},
		{StateRunning, AttemptStarted, studio.StatusTranscoding},
		{StateStoring, AttemptCleaned, studio.StatusTranscoding},
	} {
		require.Equal(t, test.status, statusOf(&dbsqlc.Transcode{State: test.state}, test.stage))
	}
}
