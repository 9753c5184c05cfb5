package tools

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// filesMost is how many files of code a room may have and still be read from its listing.
const filesMost = 25

// TestRooms: no package has grown beyond what its listing tells. Which may import which,
// the linter says (depguard).
func TestRooms(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{len .GoFiles}} {{len .IgnoredGoFiles}}", "./...")
	list.Dir = ".."
	out, err := list.Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		require.Len(t, fields, 3)
		if fields[0] == "weir/db/dbsqlc" {
			continue // generated, a file a table
		}
		files := 0
		for _, field := range fields[1:] {
			n, err := strconv.Atoi(field)
			require.NoError(t, err)
			files += n
		}
		require.LessOrEqual(t, files, filesMost, fields[0])
	}
}
