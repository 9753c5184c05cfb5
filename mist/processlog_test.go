package mist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	require.Equal(t, 6, strings.Count(got, redacted))
}
