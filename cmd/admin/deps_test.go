package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The operators' program works on rows: it links no S3 client, no Mist and no ffmpeg, so
// that what is wrong with those, or has to be patched in them, is not its matter.
func TestLinksRowsAlone(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "weir/jobs\n")
	heavy := regexp.MustCompile(`aws-sdk|^weir/(media|mist|storage|studio|api|jobs/(host|control|jobstest))$`)
	for pkg := range strings.Lines(string(out)) {
		require.NotRegexp(t, heavy, strings.TrimSpace(pkg))
	}
}
