package mist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/secret"

	"github.com/stretchr/testify/require"
)

func writeLog(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ProcessLogName)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestTrimLogUnderAWriter(t *testing.T) {
	t.Parallel()
	path := writeLog(t, "")
	writer, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, writer.Close()) }()
	for i := range 100 {
		_, err := fmt.Fprintf(writer, "line %03d\n", i)
		require.NoError(t, err)
	}
	require.NoError(t, TrimLog(path, 900))
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 900, before.Size(), "not larger than the limit, so left alone")

	require.NoError(t, TrimLog(path, 100))
	_, err = fmt.Fprintln(writer, "after")
	require.NoError(t, err)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "line 095\nline 096\nline 097\nline 098\nline 099\nafter\n", string(raw), "whole lines, no hole")
	require.Error(t, TrimLog(path+".none", 1))
}

func TestTailLog(t *testing.T) {
	t.Parallel()
	path := writeLog(t, "first\nsecond\nthird\n")
	for n, want := range map[int64]string{0: "", 1: "\n", 6: "third\n", 7: "third\n", 13: "second\nthird\n", 19: "first\nsecond\nthird\n", 1000: "first\nsecond\nthird\n"} {
		got, err := TailLog(path, n)
		require.NoError(t, err)
		require.Equal(t, want, got, n)
	}
	got, err := TailLog(writeLog(t, strings.Repeat("x", 50)), 10)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 10), got)
	got, err = TailLog(writeLog(t, "a\xffb\n"), 10)
	require.NoError(t, err)
	require.Equal(t, "a�b\n", got)
	_, err = TailLog(path+".none", 1)
	require.Error(t, err)
}

func TestTailLogShowsNoSecrets(t *testing.T) {
	t.Parallel()
	path := writeLog(t, `INFO: token hunter2 given (../src/process/process_livepeer.cpp:985)
INFO: {"access_token":"abc123","custom_url":"https://livepeer.live/api"}
INFO: "{\"access_token\": \"abc123\"}"
INFO: Authorization: Bearer abc123
INFO: access_token=abc123
INFO: Using broadcaster: http://127.0.0.1:8935 (../src/process/process_livepeer.cpp:985)
INFO: s3+https://KEY:abc123/x@s3.example.com/bucket/key
`)
	got, err := TailLog(path, 10000, "hunter2", "")
	require.NoError(t, err)
	require.NotContains(t, got, "hunter2")
	require.NotContains(t, got, "abc123")
	require.Contains(t, got, "Using broadcaster: http://127.0.0.1:8935 (../src/process/process_livepeer.cpp:985)\n")
	require.Contains(t, got, "s3+https://[redacted]@s3.example.com/bucket/key")
	require.Equal(t, 6, strings.Count(got, secret.Redacted))
}

// Both trees' logs, as recorded.
func TestReadProcessLogAsRecorded(t *testing.T) {
	t.Parallel()
	for recording, want := range map[string]ProcessLog{
		"happy":                     {Reading: true, Posted: true},
		"upstream-happy":            {Reading: true, Posted: true},
		"process_term":              {Reading: true, Posted: true},
		"broadcaster_down":          {Reading: true, Posted: true, GaveUp: true},
		"upstream-broadcaster_down": {Reading: true, Posted: true, GaveUp: true},
		"source_missing":            {},
		"source_garbage":            {},
	} {
		log, _ := replay(t, "../internal/mistsim/testdata/recordings/"+recording+".jsonl")
		got, err := ReadProcessLog(writeLog(t, log))
		require.NoError(t, err)
		require.Equal(t, want, got, recording)
	}
}

func TestParseProcessLog(t *testing.T) {
	t.Parallel()
	const (
		full     = "WARN|MistProcLivepeer|1|p.cpp:525|s|Failed to upload 9 bytes to http://b/live/s-1/0.ts in 1.00 ms: 500 Internal Server Error\n"
		busy     = "[now] MistProcLivepeer:s (1) WARN: Failed to upload 9 bytes to http://b/live/s-1/0.ts in 1.00 ms: 503 Service Unavailable (../p.cpp:1)\n"
		refused  = "[now] MistProcLivepeer:s (1) WARN: Rejected upload of 9 bytes to http://b/live/s-1/3.ts after 1.00 ms: 422 Unprocessable Entity (../p.cpp:1)\n"
		down     = "WARN|MistProcLivepeer|1|p.cpp:525|s|Failed to upload 9 bytes to http://b/live/s-1/0.ts in 1.00 ms\n"
		gaveUp   = "INFO|MistProcLivepeer|1|p.cpp:1061|s|Shutdown reason: too many upload failures\n"
		track    = "INFO|MistProcLivepeer|1|p.cpp:270|s|Initializing track 256 as 256 for playlist 0\n"
		unlogged = "FAIL|MistProcLivepeer|1|../lib/procs.cpp:521||Could not start process /mist/MistUtilLog : No such file or directory\n"
	)
	for _, test := range []struct {
		name, log string
		want      ProcessLog
	}{
		{"nothing", "", ProcessLog{}},
		{"another program does not start", unlogged, ProcessLog{}},
		{"its session does not start", "FAIL|MistProcLivepeer|1|../lib/procs.cpp:521|s|Could not start process /mist/MistSession O1: Bad address\n", ProcessLog{Hung: true}},
		{"another's session", "[now] MistInTS:s (1) FAIL: Cannot connect to session (../lib/comms.cpp:1)\n", ProcessLog{}},
		{"no way to its session", "[now] MistProcLivepeer:s (1) FAIL: Cannot connect to session (../lib/comms.cpp:1)\n", ProcessLog{Hung: true}},
		{"its source thread is over", "WARN|MistProcLivepeer|1|p.cpp:1012|s|Timeout waiting for source thread to boot!\n", ProcessLog{Hung: true}},
		{"no buffer for its renditions", "[now] MistProcLivepeer:s→r (1) FAIL: Could not start process /mist/MistInBuffer -s r : Bad address (../procs.cpp:521)\n" +
			"[now] MistProcLivepeer:s→r (1) WARN: Could not start buffer, cancelling (../input.cpp:1023)\n", ProcessLog{Hung: true}},
		{"full, and waited for", full + busy + track, ProcessLog{Posted: true}},
		{"full for good", full + gaveUp, ProcessLog{Posted: true, GaveUp: true, Full: true}},
		{"busy for good, and no last word", busy + busy + busy + busy + busy, ProcessLog{Posted: true, GaveUp: true, Full: true}},
		{"an error of another kind, later on", track + full + gaveUp, ProcessLog{Posted: true, GaveUp: true}},
		{"full at first, and then down", full + down + gaveUp, ProcessLog{Posted: true, GaveUp: true}},
		{"refuses a segment", track + refused, ProcessLog{Posted: true, Rejected: "422 Unprocessable Entity"}},
		{"no Broadcaster at all", "FAIL|MistProcLivepeer|1|p.cpp:967|s|No Livepeer broadcasters available\n", ProcessLog{GaveUp: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, parseProcessLog([]byte(test.log)))
		})
	}
}

// A long log is read at both ends, and a missing one says nothing.
func TestReadProcessLogAtBothEnds(t *testing.T) {
	t.Parallel()
	noise := strings.Repeat("INFO|MistInBuffer|1|x|s|noise\n", 3*logEnds/30)
	path := writeLog(t, "Seeking to earliest point in stream\n"+noise+"Shutdown reason: too many upload failures\n")
	got, err := ReadProcessLog(path)
	require.NoError(t, err)
	require.Equal(t, ProcessLog{Reading: true, GaveUp: true}, got)
	require.NoError(t, SetLogAside(path))
	require.NoError(t, SetLogAside(path))
	got, err = ReadProcessLog(path)
	require.NoError(t, err)
	require.Equal(t, ProcessLog{}, got)
}
