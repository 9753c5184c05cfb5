package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
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
		{"taken", jobs.CallbackPending, 0, studio.Result{Fate: studio.Delivered}, jobs.CallbackDelivered, false},
		{"refused", jobs.CallbackPending, 0, studio.Result{Fate: studio.Refused}, jobs.CallbackRefused, false},
		{"later", jobs.CallbackPending, 0, studio.Result{Fate: studio.Retry}, jobs.CallbackPending, true},
		{"a day is over", jobs.CallbackPending, studio.GiveUpAfter, studio.Result{Fate: studio.Retry}, jobs.CallbackExpired, false},
		{"redelivered", jobs.CallbackRefused, 0, studio.Result{Fate: studio.Delivered}, jobs.CallbackDelivered, false},
		{"redelivery refused after a delivery", jobs.CallbackDelivered, 0, studio.Result{Fate: studio.Refused}, jobs.CallbackDelivered, false},
		{"redelivery in vain for a day", jobs.CallbackDelivered, studio.GiveUpAfter, studio.Result{Fate: studio.Retry}, jobs.CallbackDelivered, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := nextDelivery(&dbsqlc.Callback{State: test.state, Attempts: 3}, now.Add(-test.since), test.result, now)
			require.Equal(t, test.next, got.state)
			require.Equal(t, test.waits, got.wait > 0)
		})
	}
	asked := nextDelivery(&dbsqlc.Callback{State: jobs.CallbackPending}, now, studio.Result{Fate: studio.Retry, RetryAfter: time.Minute}, now)
	require.Equal(t, time.Minute, asked.wait)
}
