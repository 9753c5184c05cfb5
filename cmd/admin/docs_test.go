package main

import (
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

const guidePath = "../../docs/admin.md"

// TestGuide: docs/admin.md has every command with its flags, and no other.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		sections[heading] = body
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.HasSubCommands() {
			for _, below := range c.Commands() {
				walk(below)
			}
			return
		}
		name := strings.TrimPrefix(c.UseLine(), "weir-admin ")
		name = strings.TrimSuffix(name, " [flags]")
		require.Contains(t, sections, name, "docs/admin.md has no section for it")
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			kind, _ := pflag.UnquoteUsage(f) // a word in backquotes is taken for what the flag takes
			require.Regexp(t, `^([a-z0-9]*|[A-Z]+)$`, kind, "%s --%s", name, f.Name)
			require.NotEqual(t, "control", kind, "%s --%s", name, f.Name)
			require.Contains(t, sections[name], "`--"+f.Name+"`", name)
		})
		delete(sections, name)
	}
	root := (&admin{out: io.Discard}).root()
	walk(root)
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { require.Contains(t, string(text), "`--"+f.Name+"`") })
	require.Empty(t, sections, "docs/admin.md has commands that are none")
}

// TestGuideShapes: every field that --json writes is in docs/admin.md; those of the
// API's shapes are in docs/api.md.
func TestGuideShapes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guidePath)
	require.NoError(t, err)
	for name, shape := range jsonShapes() {
		for _, line := range shapeOf(reflect.TypeOf(shape)) {
			path, _, _ := strings.Cut(line, " ")
			field := path[strings.LastIndexAny(path, ".")+1:]
			require.Contains(t, string(text), "`"+strings.TrimSuffix(field, "[]")+"`", "%s: %s", name, path)
		}
	}
}
