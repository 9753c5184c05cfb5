package api_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

// TestForm: the newest form in the migrations is the API's. One that was released is not
// written anew: add an empty pair of files with the next number.
func TestForm(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../db/migrations/*_submission_form.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	newest := slices.Max(files)
	text, err := api.Form()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(newest, text, 0o644))
	}
	golden, err := os.ReadFile(newest)
	require.NoError(t, err)
	require.Equal(t, string(golden), string(text), "the form of requests changed: `make generate`, and if %s was released, add the next one before", newest)
}
