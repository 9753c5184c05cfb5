package telemetry

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs"
)

// noJobs are lines about an attempt that no job writes.
var noJobs = []string{"trigger"}

// Every line of a log that is about an attempt says which one, of which transcode, on which
// host, and by which job.
func TestLines(t *testing.T) {
	t.Parallel()
	o, err := shared()
	require.NoError(t, err)
	about := 0
	for _, daemon := range o.Daemons {
		log, err := os.ReadFile(daemon.Log)
		require.NoError(t, err)
		for line := range strings.Lines(string(log)) {
			if !strings.Contains(line, o.transcode) && !strings.Contains(line, strings.ReplaceAll(o.transcode, "-", "")) {
				continue
			}
			about++
			var fields map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
			message, _ := fields["msg"].(string)
			require.Equal(t, o.transcode, fields["transcode"], line)
			if message == "callback sent" || message == "status not taken" || fields["job_kind"] == (jobs.ResidueArgs{}).Kind() { // of the transcode
				continue
			}
			require.EqualValues(t, 1, fields["attempt"], line)
			require.Equal(t, hostOf(1), fields["host"], line)
			if message != noJobs[0] {
				require.NotZero(t, fields["job"], line)
			}
			for _, name := range []string{"transcode", "attempt", "host", "job"} {
				require.LessOrEqual(t, strings.Count(line, `"`+name+`":`), 1, "twice: %s", line)
			}
		}
	}
	require.Greater(t, about, 10, "the log tells of it")
}
