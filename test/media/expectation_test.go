package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExpectations(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		table   string
		want    []expectation
		problem string
	}{
		"whole":      {table: "# file\tgo on\n\na.mp4\tok\t300\t16:9\tnothing special\nb.ts\tfailed\n", want: []expectation{{"a.mp4", "ok", 300, 16.0 / 9}, {file: "b.ts", outcome: "failed"}}},
		"names only": {table: "a.mp4\nb.mp4\t\t\t4:3\n", want: []expectation{{file: "a.mp4", outcome: "ok"}, {"b.mp4", "ok", 0, 4.0 / 3}}},
		"outcome":    {table: "a.mp4\tfine\n", problem: `cases.tsv line 1: outcome "fine": give ok or failed`},
		"frames":     {table: "a.mp4\tok\tmany\n", problem: `frames "many"`},
		"aspect":     {table: "a.mp4\tok\t3\twide\n", problem: `display aspect "wide"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, tableName), []byte(tc.table), 0o600))
			got, err := expectations(dir)
			if tc.problem != "" {
				require.ErrorContains(t, err, tc.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// Without a table each media file of the folder has to come out as its own decode shows it.
func TestExpectationsWithoutTable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := expectations(dir)
	require.ErrorContains(t, err, "no media files")
	for _, name := range []string{"b.MP4", "a.ts", "notes.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	got, err := expectations(dir)
	require.NoError(t, err)
	require.Equal(t, []expectation{{file: "a.ts", outcome: "ok"}, {file: "b.MP4", outcome: "ok"}}, got)
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	wrong := printTable(&out, []*row{
		{name: "a.mp4", outcome: "succeeded", frames: 300, sync: -0.004, compared: true, aspect: 16.0 / 9, took: 4200 * time.Millisecond},
		{name: "b.ts", outcome: "failed", took: time.Second, retried: []string{"attempt 1 failed: no room"}},
		{name: "long.mkv", outcome: "succeeded", frames: 9, aspect: 1, problems: []string{"high: 9 frames of 10", "low: no sound"}},
	})
	require.Equal(t, 1, wrong)
	require.Equal(t, `file      outcome    frames  sync   aspect  seconds  
a.mp4     succeeded  300     -4 ms  1.778   4.2      
b.ts      failed     -       -      -       1.0      after another attempt
long.mkv  succeeded  9       -      1.000   0.0      WRONG

b.ts: attempt 1 failed: no room
long.mkv: high: 9 frames of 10; low: no sound
`, out.String())
}

func TestObjectKey(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"s3+http://127.0.0.1:1/bucket/a/b.ts", "s3://bucket/a/b.ts"} {
		key, err := objectKey(location, "bucket")
		require.NoError(t, err)
		require.Equal(t, "a/b.ts", key)
	}
}

func TestJobsOf(t *testing.T) {
	t.Parallel()
	own, err := jobsOf("", "^plain_")
	require.NoError(t, err)
	require.Len(t, own, 4)
	_, err = jobsOf("", "no such file")
	require.ErrorContains(t, err, "no file's name fits")
	_, err = jobsOf(t.TempDir(), "")
	require.ErrorContains(t, err, "CASES")
}
