package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       map[string]string
	}{
		{"nothing", "", map[string]string{}},
		{"comments and empty lines", "# a=1\n\n  ; b=2\n\t\n", map[string]string{}},
		{"a comment that goes on", "# a \\\nA=1\nB=2", map[string]string{"B": "2"}},
		{"plain", "A=1\nB = of a name with a blank", nil},
		{"blanks around a value", "A=  one two\t \nB=2", map[string]string{"A": "one two", "B": "2"}},
		{"empty", "A=\nB=''\nC=\"\"", map[string]string{"A": "", "B": "", "C": ""}},
		{"= and # in a value", "A=k=v#1 # no comment", map[string]string{"A": "k=v#1 # no comment"}},
		{"single quotes", `A=' $x \n "q" '`, map[string]string{"A": ` $x \n "q" `}},
		{"double quotes", `A=" \"q\" \\ \$x \n "`, map[string]string{"A": ` "q" \ $x \n `}},
		{"over lines", "A='1\n2'\nB=3", map[string]string{"A": "1\n2", "B": "3"}},
		{"a backslash at the end", "A=1\\\n2\nB=\"3\\\n4\"", map[string]string{"A": "12", "B": "34"}},
		{"a backslash keeps a blank", "A=1\\ \nB=\\\\", map[string]string{"A": "1 ", "B": `\`}},
		{"quotes inside", `A=it's "so"`, map[string]string{"A": `it's "so"`}},
		{"lines of Windows", "A=1\r\nB=2\r\n", map[string]string{"A": "1", "B": "2"}},
		{"blanks before a name", "  A=1", map[string]string{"A": "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseFile(test.text)
			if test.want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestParseFileSaysTheLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, says string }{
		{"no =", "A=1\nhush-hush\n", "line 2: write NAME=VALUE"},
		{"export", "export A=hush-hush", "line 1: a name is made of"},
		{"open quotes", "\nA='hush-hush\nB=2", "line 2: A: its quotes are not closed"},
		{"more behind quotes", `A="hush" -hush`, "line 1: A: there is more behind"},
		{"twice", "A=hush-hush\nB=1\nA=2", "line 3: A is there a second time"},
		{"NUL", "A=hush-hush\x00", "line 1: A: it holds a NUL byte"},
		{"not UTF-8", "A=hush-hush\xff", "not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.ParseFile(test.text)
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "hush")
		})
	}
}

// A value in single quotes is read as it was written, whatever it is.
func FuzzParseFile(f *testing.F) {
	f.Add("A=1", "value")
	f.Add("A='1\n2' \n#", "it is")
	f.Add(`A="\"" `, `\`)
	f.Fuzz(func(t *testing.T, text, value string) {
		if values, err := config.ParseFile(text); err == nil {
			for name := range values {
				require.Contains(t, text, name)
			}
		}
		value = strings.Map(func(r rune) rune {
			if r == '\'' || r == 0 || r == '\r' || r == '\uFFFD' {
				return -1
			}
			return r
		}, value)
		values, err := config.ParseFile("# first\nA='" + value + "'\nB=2\n")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"A": value, "B": "2"}, values)
	})
}

// file writes a file of settings.
func file(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.env")
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	t.Parallel()
	path := file(t, 0o640, "WEIR_HOST_SLOTS=7\nWEIR_HOST_ID=of-file\nWEIR_CALLBACK_SECRET='hush-hush'\nWEIR_LOG_LEVEL=debug\n")
	given, err := config.Read(environ(map[string]string{"WEIR_LOG_LEVEL": "debug"}), path)
	require.NoError(t, err)
	cfg, err := given.Load()
	require.NoError(t, err)
	require.Equal(t, 7, cfg.HostSlots)
	require.Equal(t, "mist-1", cfg.HostID)
	require.Equal(t, path, cfg.File)

	values := map[string]config.Value{}
	for _, value := range given.Values() {
		require.NotContains(t, value.Shown, "hush")
		require.NotContains(t, value.Shown, "p@")
		values[value.Name] = value
	}
	for name, want := range map[string]struct {
		shown    string
		origin   config.Origin
		shadowed bool
	}{
		"WEIR_HOST_SLOTS":      {"7", config.FromFile, false},
		"WEIR_HOST_ID":         {"mist-1", config.FromEnvironment, true},
		"WEIR_LOG_LEVEL":       {"debug", config.FromEnvironment, false},
		"WEIR_LOG_FORMAT":      {"json", config.FromDefault, false},
		"WEIR_CALLBACK_SECRET": {"[redacted]", config.FromFile, false},
		"WEIR_CALLBACK_TOKEN":  {"", config.FromDefault, false},
		"WEIR_DATABASE_URL":    {"postgres://u@localhost/weir", config.FromEnvironment, false},
		"WEIR_CONFIG_FILE":     {path, config.FromFlag, false},
	} {
		require.Equal(t, want.shown, values[name].Shown, name)
		require.Equal(t, want.origin, values[name].Origin, name)
		require.Equal(t, want.shadowed, values[name].Shadowed, name)
	}

	// The variable names it as well.
	cfg, err = config.Load(environ(map[string]string{"WEIR_CONFIG_FILE": path}))
	require.NoError(t, err)
	require.Equal(t, 7, cfg.HostSlots)
}

// Passwords in addresses are secrets too.
func TestValuesHideUserinfo(t *testing.T) {
	t.Parallel()
	given, err := config.Read(environ(map[string]string{"WEIR_BROADCASTERS": "https://u:hush-hush@b.example,http://c.example", "WEIR_DATABASE_URL": "host=h password=hush-hush"}), "")
	require.NoError(t, err)
	for _, value := range given.Values() {
		require.NotContains(t, value.Shown, "hush")
		if value.Name == "WEIR_BROADCASTERS" {
			require.Contains(t, value.Shown, "b.example,http://c.example")
		}
	}
}

func TestFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		says       []string
	}{
		{"misspelt", "WEIR_HOST_SLOT=3", 0o640, []string{"WEIR_HOST_SLOT is no setting: did you mean WEIR_HOST_SLOTS?"}},
		{"far from any", "WEIR_THE_ANSWER_TO_ALL=42", 0o640, []string{"WEIR_THE_ANSWER_TO_ALL is no setting: see docs/settings.md"}},
		{"of another program", "GOMEMLIMIT=1GiB", 0o640, []string{"GOMEMLIMIT is no setting of Weir", "Environment="}},
		{"of tests", "WEIR_TEST_X=1", 0o640, []string{"WEIR_TEST_X is for tests"}},
		{"itself", "WEIR_CONFIG_FILE=/x", 0o640, []string{"WEIR_CONFIG_FILE can't stand in the file itself"}},
		{"a secret for everybody", "WEIR_CALLBACK_SECRET=hush-hush", 0o644, []string{"holds WEIR_CALLBACK_SECRET and may be read by everybody (0644)", "chmod 640"}},
		{"writable by everybody", "WEIR_HOST_SLOTS=3", 0o646, []string{"may be written by everybody (0646)"}},
		{"a bad line", "WEIR_HOST_SLOTS", 0o640, []string{"line 1: write NAME=VALUE"}},
		{"too large", strings.Repeat("#", 1<<20+1), 0o640, []string{"larger than"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := file(t, test.mode, test.text)
			_, err := config.Read(environ(nil), path)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "hush")
			for _, says := range append(test.says, path) {
				require.ErrorContains(t, err, says)
			}
		})
	}
	_, err := config.Read(environ(nil), filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "no such file")
	_, err = config.Read(environ(nil), t.TempDir())
	require.ErrorContains(t, err, "is a folder")

	// No secret, and everybody may read it.
	_, err = config.Read(environ(nil), file(t, 0o644, "WEIR_HOST_SLOTS=3"))
	require.NoError(t, err)
	_, err = config.Read(environ(nil), file(t, 0o660, "WEIR_CALLBACK_SECRET=hush-hush"))
	require.NoError(t, err)
}

func TestChanged(t *testing.T) {
	t.Parallel()
	from, err := config.Load(environ(nil))
	require.NoError(t, err)
	require.Empty(t, config.Changed(from, from))
	to, err := config.Load(environ(map[string]string{"WEIR_HOST_SLOTS": "9", "WEIR_LOG_LEVEL": "warn", "WEIR_BROADCASTERS": "http://c.example"}))
	require.NoError(t, err)
	var names []string
	for _, setting := range config.Changed(from, to) {
		names = append(names, setting.Name)
		require.Equal(t, setting.Name == "WEIR_LOG_LEVEL", setting.Reload, setting.Name)
	}
	require.Equal(t, []string{"WEIR_HOST_SLOTS", "WEIR_BROADCASTERS", "WEIR_LOG_LEVEL"}, names)
}
