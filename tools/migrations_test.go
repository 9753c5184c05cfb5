package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// migrationName is six digits, a name, a direction.
var migrationName = regexp.MustCompile(`^(\d{6})_([a-z0-9_]+)\.(up|down)\.sql$`)

// Two branches that add a migration each take the same number; git merges them
// without a conflict.
func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../db/migrations/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)

	names := map[string]string{} // number -> name
	for _, file := range files {
		m := migrationName.FindStringSubmatch(filepath.Base(file))
		require.NotNil(t, m, "%s: want 000001_name.up.sql or .down.sql", file)
		if name, seen := names[m[1]]; seen {
			require.Equal(t, name, m[2], "two migrations have the number %s: renumber one", m[1])
		}
		names[m[1]] = m[2]
	}
	for i := 1; i <= len(names); i++ {
		number := fmt.Sprintf("%06d", i)
		require.Contains(t, names, number, "a gap in the numbers")
		for _, direction := range []string{"up", "down"} {
			path := fmt.Sprintf("../db/migrations/%s_%s.%s.sql", number, names[number], direction)
			_, err := os.Stat(path)
			require.NoError(t, err, "every migration goes both ways")
		}
	}
}
