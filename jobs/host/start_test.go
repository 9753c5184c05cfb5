package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// A Broadcaster that failed a transcode is avoided by it while there are others; what was
// the host's fault is none of a Broadcaster's.
func TestBroadcastersThatFailed(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := &Host{ID: jobstest.Host, DB: b.Pool, Broadcasters: []string{"one", "two"}}
	transcode := b.Run(t, "a")
	failed := func(broadcaster, code string) {
		b.Exec(t, "UPDATE weir.attempts SET broadcaster = $1 WHERE transcode_id = $2 AND number = $3", broadcaster, transcode.ID, transcode.Attempt)
		b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed(code, jobs.StageTranscode, ""))
		transcode = b.Start(t, transcode.ID)
	}
	good := func() []string {
		s := &supervisor{host: h, name: engine.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)}}
		good, err := s.broadcasters(t.Context())
		require.NoError(t, err)
		return good
	}
	failed("two", jobs.CodeMistUnavailable)
	require.Equal(t, []string{"one", "two"}, good())
	failed("one", jobs.CodeNothingReturned)
	require.Equal(t, []string{"two"}, good())
	failed("two", jobs.CodeNothingReturned)
	require.Equal(t, []string{"one", "two"}, good(), "there is no other")
}
