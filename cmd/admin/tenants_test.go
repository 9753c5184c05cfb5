package main

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api/view"
	"weir/jobs/jobstest"
	"weir/secret"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	accepted, _, err := b.jobs.Accept(t.Context(), jobstest.MakeRequest("", "a"))
	require.NoError(t, err)

	var list tenantList
	b.decode(t, &list, "tenants", "list")
	require.Len(t, list.Tenants, 1)
	require.Equal(t, "studio", list.Tenants[0].Name)
	require.EqualValues(t, 1, list.Tenants[0].Queued)
	require.EqualValues(t, 100_000, list.Tenants[0].QueuedMost)

	b.ok(t, "tenants", "set", "studio", "--weight", "3", "--running-most", "7", "--hosts", "mist-1,mist-2")
	b.ok(t, "tenants", "set", "studio", "--queued-most", "5", "--spool-percent", "30")
	var shown tenantShown
	b.decode(t, &shown, "tenants", "show", "studio")
	require.Equal(t, []any{int32(3), int32(7), int32(5), int32(30)}, []any{shown.Weight, *shown.RunningMost, shown.QueuedMost, shown.SpoolPercent})
	require.Equal(t, []string{"mist-1", "mist-2"}, shown.Hosts)
	b.decode(t, &shown, "tenants", "set", "studio", "--running-most", "0", "--hosts", "", "--queued-most", "0")
	require.Nil(t, shown.RunningMost)
	require.Nil(t, shown.Hosts)
	require.EqualValues(t, 3, shown.Weight)

	environ := []string{databaseEnv + "=" + b.url, "USER=root", "SUDO_USER=ann"}
	require.Zero(t, command(t.Context(), environ, "tenants", "pause", "studio", "--reason", "its output is full").code)
	b.decode(t, &shown, "tenants", "show", "studio")
	require.Equal(t, "ann: its output is full", shown.Paused.String())
	require.Contains(t, b.ok(t, "tenants", "list"), "ann: its output is full")
	b.decode(t, &shown, "tenants", "resume", "studio")
	require.Nil(t, shown.Paused)

	var queue queueStatus
	require.Zero(t, command(t.Context(), environ, "queue", "pause", "--reason", "an upgrade").code)
	b.decode(t, &queue, "queue", "status")
	require.Equal(t, "ann: an upgrade", queue.Paused.String())
	require.EqualValues(t, 1, queue.Queued)
	require.Contains(t, b.ok(t, "queue", "status"), "ann: an upgrade")
	b.decode(t, &queue, "queue", "resume")
	require.Nil(t, queue.Paused)

	var transcode view.Transcode
	b.decode(t, &transcode, "transcodes", "bump", accepted.ID.String(), "--priority", "9")
	require.EqualValues(t, 9, transcode.Priority)
	b.decode(t, &transcode, "transcodes", "bump", accepted.ID.String())
	require.EqualValues(t, 0, transcode.Priority)
	b.ok(t, "transcodes", "cancel", accepted.ID.String(), "--reason", "not wanted")

	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"tenants", "set", "studio"}, exitUsage, "nothing to set"},
		{[]string{"tenants", "set", "studio", "--weight", "0"}, exitUsage, "--weight is 0: give 1 to 1000"},
		{[]string{"tenants", "set", "studio", "--queued-most", "-1"}, exitUsage, "--queued-most is -1"},
		{[]string{"tenants", "set", "studio", "--spool-percent", "101"}, exitUsage, "0 to 100"},
		{[]string{"tenants", "show", "a/b"}, exitFailed, "letters, digits"},
		{[]string{"tenants", "pause", "studio"}, exitUsage, "--reason"},
		{[]string{"tenants", "resume", "studio"}, exitFailed, "not paused"},
		{[]string{"queue", "pause", "--reason", " "}, exitUsage, "--reason"},
		{[]string{"queue", "resume"}, exitFailed, "not paused"},
		{[]string{"transcodes", "bump", accepted.ID.String(), "--priority", "10"}, exitUsage, "to 9"},
		{[]string{"transcodes", "bump", accepted.ID.String(), "--priority", "1"}, exitFailed, "ended"},
		{[]string{"transcodes", "bump", "00000000-0000-7000-8000-000000000000"}, exitFailed, "no such transcode"},
	} {
		r := b.run(t, test.args...)
		require.Equal(t, test.code, r.code, "%v: %s", test.args, r.stderr)
		require.Contains(t, r.stderr, test.says)
	}
}

// The examples of docs/tenants.md work as they stand there.
func TestTenantsGuide(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, err := os.ReadFile("../../docs/tenants.md")
	require.NoError(t, err)
	bin := t.TempDir()
	program, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(program, filepath.Join(bin, "weir-admin")))
	key := secret.Key{1}
	blocks := strings.Split(string(text), "```sh\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		script, _, closed := strings.Cut(block, "```")
		require.True(t, closed)
		shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		shell.Env = []string{
			"PATH=" + bin + ":" + os.Getenv("PATH"), asProgram + "=1", databaseEnv + "=" + b.url, "SECRET_KEY=planted",
			keysEnv + "=" + base64.StdEncoding.EncodeToString(key[:]),
		}
		out, err := shell.CombinedOutput()
		require.NoError(t, err, "%s: %s", script, out)
	}
	var shown tenantShown
	b.decode(t, &shown, "tenants", "show", "studio")
	require.EqualValues(t, 5000, shown.QueuedMost)
	require.Nil(t, shown.Paused)
}
