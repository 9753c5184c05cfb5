package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/config"
)

// A spool that is none is told of at the start, and waits for nothing.
func TestSpoolThatIsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg, err := config.Load([]string{
		"WEIR_DATABASE_URL=postgres://u@127.0.0.1:1/none", "WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_CONTROL=false",
		"WEIR_HOST_ID=h", "WEIR_BROADCASTERS=http://127.0.0.1:1", "WEIR_TRIGGER_LISTEN=127.0.0.1:0", "WEIR_SPOOL_DIR=" + file, "WEIR_METRICS_LISTEN=",
	})
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), cfg, &surroundings{logs: io.Discard}), "WEIR_SPOOL_DIR")
}
