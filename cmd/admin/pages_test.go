package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inPages is a command as documents write one: in a block of its own, or in backquotes.
var inPages = regexp.MustCompile("(?m)(?:^ *|`)(?:sudo )?weir-admin ([^`\n]*)")

// TestPagesNameCommands: the commands of docs/first-hour.md are there, with the flags and as
// many arguments as they take.
func TestPagesNameCommands(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"first-hour.md", "sizing.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		require.NoError(t, err)
		found := inPages.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, found)
		for _, m := range found {
			line, _, _ := strings.Cut(m[1], "  ") // what is behind it is a comment
			root := (&admin{out: io.Discard}).root()
			command, args, err := root.Find(strings.Fields(line))
			require.NoError(t, err, "%s: %s", page, line)
			require.NotEqual(t, root, command, "%s: %s", page, line)
			require.NoError(t, command.ParseFlags(args), "%s: %s", page, line)
			if !command.HasSubCommands() {
				require.NoError(t, command.ValidateArgs(command.Flags().Args()), "%s: %s", page, line)
			}
		}
	}
}
