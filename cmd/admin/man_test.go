package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"weir/config/buildinfo"
)

// manPages names the folder that `make package` wants the man pages in.
const manPages = "WEIR_TEST_MAN_PAGES"

// plainly keeps what a flag says of itself from being read as HTML, of which < begins a tag.
func plainly(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "<", `\<`) })
	for _, below := range c.Commands() {
		plainly(below)
	}
}

// TestManPages: each command has one, made from what it says of itself. They are made
// here, so that the program itself links no writer of man pages.
func TestManPages(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(manPages)
	if folder == "" {
		folder = t.TempDir()
	}
	root := (&admin{out: io.Discard}).root()
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	plainly(root)
	epoch := time.Unix(0, 0).UTC() // the same bytes from the same commit
	require.NoError(t, doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Weir " + buildinfo.Version(), Date: &epoch}, folder))
	for name, says := range map[string]string{"weir-admin.1": "database-url", "weir-admin-transcodes-retry.1": "age<1d'", "weir-admin-completion.1": "shell"} {
		page, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Contains(t, string(page), says)
	}
}
