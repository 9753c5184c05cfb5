package tools

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// riversRows is a statement of ours that writes River's.
var riversRows = regexp.MustCompile(`(?i)(UPDATE|INSERT INTO|DELETE FROM)\s+(weir\.)?river_`)

// River knows its own rows best: what we write of them ourselves is read in one place.
func TestRiversRowsAreWrittenInOnePlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../sql/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		text := read(t, file)
		if filepath.Base(file) == "river_jobs.sql" {
			require.Regexp(t, riversRows, text)
			continue
		}
		require.NotRegexp(t, riversRows, text, file)
	}
}
