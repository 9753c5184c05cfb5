package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inPages is a command as documents write one: in a block of its own, or in backquotes.
var inPages = regexp.MustCompile("(?m)(?:^ *|`)(?:sudo )?weir-admin ([^`\n]*)")

// TestPagesNameCommands: the commands of all pages are there, with the flags that they take;
// where a page is typed off from top to bottom, with as many arguments, too.
func TestPagesNameCommands(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	typedOff := []string{"../../docs/first-hour.md", "../../docs/sizing.md"}
	require.Subset(t, pages, typedOff)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		whole := slices.Contains(typedOff, page)
		found := inPages.FindAllStringSubmatch(string(text), -1)
		require.True(t, len(found) > 0 || !whole)
		for _, m := range found {
			line, _, _ := strings.Cut(m[1], "  ") // what is behind it is a comment
			root := (&admin{out: io.Discard}).root()
			root.InitDefaultCompletionCmd()
			command, args, err := root.Find(strings.Fields(line))
			require.NoError(t, err, "%s: %s", page, line)
			require.NotEqual(t, root, command, "%s: %s", page, line)
			require.NoError(t, command.ParseFlags(args), "%s: %s", page, line)
			if whole && !command.HasSubCommands() {
				require.NoError(t, command.ValidateArgs(command.Flags().Args()), "%s: %s", page, line)
			}
		}
	}
}
