package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
)

// docs/settings.md is this text; UPDATE=1 writes it.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Settings of the daemon\n\nAll are variables of the environment. This page is made from the code (`UPDATE=1 go test ./config`).\n\n")
	b.WriteString("| name | default | what it says |\n|---|---|---|\n")
	for _, setting := range config.Settings() {
		value := "`" + setting.Default + "`"
		if setting.Default == "" {
			value = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", setting.Name, value, setting.Description)
	}
	const path = "../docs/settings.md"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(text), "run UPDATE=1 go test ./config")
}
