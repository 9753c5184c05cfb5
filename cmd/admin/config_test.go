package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
	"weir/db/migrations"
)

// file writes a file of settings.
func file(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.env")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

func TestConfigPrint(t *testing.T) {
	t.Parallel()
	path := file(t, "WEIR_SECRET_KEY=hush-hush", "WEIR_HOST_SLOTS=7", "WEIR_HOST_ID=of-file", "WEIR_DATABASE_URL=postgres://u:hush-hush@h/d")
	environ := []string{"WEIR_HOST_ID=of-environment"}
	r := command(t.Context(), environ, "config", "print", "--config", path, "--json")
	require.Equal(t, exitOK, r.code, r.stderr)
	require.NotContains(t, r.stdout, "hush")
	var list settingList
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &list))
	require.Equal(t, path, *list.File)
	require.Len(t, list.Settings, len(config.Settings()))
	shown := map[string]settingShown{}
	for _, setting := range list.Settings {
		shown[setting.Name] = setting
	}
	for _, want := range []settingShown{
		{"WEIR_HOST_SLOTS", "7", config.FromFile, false, false},
		{"WEIR_HOST_ID", "of-environment", config.FromEnvironment, true, false},
		{"WEIR_LOG_LEVEL", "info", config.FromDefault, false, true},
		{"WEIR_SECRET_KEY", "[redacted]", config.FromFile, false, false},
		{"WEIR_DATABASE_URL", "postgres://u@h/d", config.FromFile, false, false},
		{"WEIR_CONFIG_FILE", path, config.FromFlag, false, false},
	} {
		require.Equal(t, want, shown[want.Name])
	}
	r = command(t.Context(), environ, "config", "print", "--config", path)
	require.Regexp(t, `(?m)^WEIR_HOST_ID +of-environment +environment, the file says otherwise$`, r.stdout)
	require.NotContains(t, r.stdout, "hush")
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	lines := []string{
		"WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_DATABASE_URL=postgres://u@h/d", "WEIR_API_TOKENS=studio=hush-hush",
		"WEIR_BROADCASTERS=http://b.example", "WEIR_HOST_ID=h",
	}
	r := command(t.Context(), nil, "config", "check", "--config", file(t, lines...))
	require.Equal(t, result{exitOK, "the settings are well\n", ""}, r)
	for line, says := range map[string]string{
		"WEIR_HOST_SLOT=3":              "WEIR_HOST_SLOT is no setting: did you mean WEIR_HOST_SLOTS?",
		"WEIR_HOST_SLOTS=0":             "WEIR_HOST_SLOTS is 0: give 1 to 1000",
		"WEIR_ALLOWED_NETWORKS=x":       `WEIR_ALLOWED_NETWORKS: number 1 is "x"`,
		"WEIR_CALLBACK_SECRET='hush":    "line 6: WEIR_CALLBACK_SECRET: its quotes are not closed",
		"WEIR_MIST_API=ftp://mist.host": "WEIR_MIST_API",
	} {
		r := command(t.Context(), nil, "config", "check", "--config", file(t, append(lines, line)...))
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, says)
		require.NotContains(t, r.stderr, "hush")
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	}
	lines[0] = "WEIR_SECRET_KEY=hush-hush"
	r = command(t.Context(), nil, "config", "check", "--config", file(t, lines...))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "WEIR_SECRET_KEY, key 1")
}

// A command takes its database from the file where the environment names none, and what
// is wrong with an address is said of the one that gave it.
func TestDatabaseOfTheFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := file(t, "WEIR_DATABASE_URL="+b.url)
	for _, environ := range [][]string{nil, {"WEIR_CONFIG_FILE=" + path}} {
		args := []string{"hosts", "list"}
		if environ == nil {
			args = append(args, "--config", path)
		}
		require.Equal(t, exitOK, command(t.Context(), environ, args...).code)
	}
	const bad = "postgres://u:hush@:bad:/x"
	wrong := file(t, "WEIR_DATABASE_URL="+bad)
	for _, test := range []struct {
		environ, args []string
		says          string
	}{
		{[]string{"WEIR_DATABASE_URL=" + b.url}, []string{"--database-url", bad}, "weir-admin: --database-url: it is no Postgres URL"},
		{[]string{"WEIR_DATABASE_URL=" + bad}, nil, "weir-admin: WEIR_DATABASE_URL: it is no Postgres URL"},
		{nil, []string{"--config", wrong}, "weir-admin: WEIR_DATABASE_URL of " + wrong + ": it is no Postgres URL"},
		{nil, []string{"--config", wrong + "er"}, "no such file"},
	} {
		r := command(t.Context(), test.environ, append([]string{"hosts", "list"}, test.args...)...)
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.stderr, test.says)
		require.NotContains(t, r.stderr, "hush")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), nil, "version", "--json")
	require.Equal(t, exitOK, r.code)
	var shown build
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &shown))
	require.NotEmpty(t, shown.Version)
	require.Equal(t, migrations.Latest, shown.Schema)
	require.Contains(t, command(t.Context(), nil, "version").stdout, "weir-admin "+shown.Version)
	require.Contains(t, command(t.Context(), nil, "--version").stdout, "weir-admin "+shown.Version)
}

// Each shell that cobra knows gets a completion, which calls the program itself.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := command(t.Context(), nil, "completion", shell)
		require.Equal(t, exitOK, r.code, r.stderr)
		require.Contains(t, r.stdout, "weir-admin")
	}
	require.Contains(t, command(t.Context(), nil, "__complete", "transcodes", "re").stdout, "retry")
	// What a flag takes is offered; files are only where one is taken.
	const files, noFiles = ":0\n", ":4\n"
	for words, offers := range map[string][2]string{
		"transcodes list --state fa": {"failed\n", noFiles}, "callbacks list --state refu": {"refused\n", noFiles}, "triggers list --verdict st": {"stale\n", noFiles},
		"triggers list --trigger PUSH": {"PUSH_END\n", noFiles}, "failures --by ho": {"host\n", noFiles}, "failures retry x --by ten": {"tenant\n", noFiles},
		"web-user jo --role op": {"operator\n", noFiles}, "db prune --only ev": {"events\n", noFiles}, "events deliveries list --state pe": {"pending\n", noFiles},
		"hosts drain m": {"", noFiles}, "support-bundle --out x": {"", files}, "hosts list --config x": {"", files}, "tenants stores set a b --secret-key-file x": {"", files},
	} {
		said := command(t.Context(), nil, append([]string{"__complete"}, strings.Fields(words)...)...).stdout
		require.Contains(t, said, offers[0], words)
		require.True(t, strings.HasSuffix(said, offers[1]), "%s: %s", words, said)
	}
}
