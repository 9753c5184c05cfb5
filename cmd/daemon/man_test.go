package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/require"

	"weir/config/buildinfo"
)

// manPages names the folder that `make package` wants the man pages in.
const manPages = "WEIR_TEST_MAN_PAGES"

// TestManPages: each command has one, made from what it says of itself. They are made
// here, so that the program itself links no writer of man pages.
func TestManPages(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(manPages)
	if folder == "" {
		folder = t.TempDir()
	}
	root := commands(nil, io.Discard, io.Discard)
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	epoch := time.Unix(0, 0).UTC() // the same bytes from the same commit
	require.NoError(t, doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Weir " + buildinfo.Version(), Date: &epoch}, folder))
	for name, says := range map[string]string{"weir-daemon.1": "SIGHUP", "weir-daemon-config-check.1": "would start"} {
		page, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Contains(t, string(page), says)
	}
}
