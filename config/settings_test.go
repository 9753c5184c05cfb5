package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
)

// aboutTheFile is what the table leaves open.
const aboutTheFile = `
## The file

` + "`weir-daemon --config FILE`, or `WEIR_CONFIG_FILE`" + `, reads settings from a file: a line NAME=VALUE each, comments behind # or ; at a line's beginning, values in single or double quotes where they hold blanks at their ends or a backslash: the form of systemd's EnvironmentFile (` + "`TestParseFile`" + `). What the environment says wins over the file. A name that is no setting is refused with the nearest one, here and in the environment (` + "`TestLoadSaysWhatIsWrong`, `TestFileIsRefused`" + `); so is a file that holds a secret and may be read by everybody: ` + "`chmod 640`" + `.

` + "`weir-admin config print`" + ` shows all settings and where each value comes from, without secrets; ` + "`weir-daemon config check`" + ` says whether a daemon would start with them ([admin.md](admin.md)).

## SIGHUP

A daemon that gets SIGHUP (` + "`systemctl reload weir-daemon`" + `) reads the file again and takes over the settings with a yes above; its environment stays what it was (` + "`TestReload`" + `). Of others that were changed the log says ` + "`settings need a restart`" + ` and names them: a restart loses nothing, and what runs goes on. With a file that is wrong it goes on with what it had, and the log says ` + "`settings not reloaded`" + `. A token of the API that was taken away is refused from then on; a stream of events that was opened with it goes on to its end.
`

// docs/settings.md is this text; UPDATE=1 writes it.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Settings of the daemon\n\nAll are variables of the environment, or lines of a file ([the file](#the-file)). This page is made from the code (`UPDATE=1 go test ./config`).\n\n")
	b.WriteString("| name | default | SIGHUP | what it says |\n|---|---|---|---|\n")
	for _, setting := range config.Settings() {
		value := "`" + setting.Default + "`"
		if setting.Default == "" {
			value = ""
		}
		reload := ""
		if setting.Reload {
			reload = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", setting.Name, value, reload, setting.Description)
	}
	b.WriteString(aboutTheFile)
	const path = "../docs/settings.md"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(text), "run UPDATE=1 go test ./config")
}
