package tools

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// content is a line of the package's contents: what lies where.
var content = regexp.MustCompile(`(?m)^ +- \{ src: "?([^",]+)"?, dst: ([^,]+),`)

// Each link of a page that the package has leads to a file that it has.
func TestPackagedPagesLinkToPackagedFiles(t *testing.T) {
	t.Parallel()
	packaged := map[string]string{} // by where it lies, what it is of the tree
	for _, m := range content.FindAllStringSubmatch(read(t, "../deploy/package/nfpm.yaml"), -1) {
		if strings.HasPrefix(m[1], "build/") { // made by the build
			continue
		}
		found, err := filepath.Glob(filepath.Join("..", m[1]))
		require.NoError(t, err)
		require.NotEmpty(t, found, m[1])
		for _, file := range found {
			lies := m[2]
			if strings.HasSuffix(lies, "/") {
				lies += filepath.Base(file)
			}
			packaged[lies] = file
		}
	}
	pages := 0
	for lies, file := range packaged {
		if filepath.Ext(file) != ".md" {
			continue
		}
		pages++
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(m[1], ":") {
				require.Contains(t, packaged, filepath.Join(filepath.Dir(lies), m[1]), "%s links to %s", lies, m[1])
			}
		}
	}
	require.Contains(t, packaged, "/usr/share/doc/weir/README.md")
	require.Contains(t, packaged, "/usr/share/doc/weir/docs/README.md")
	require.Greater(t, pages, 40)
}
