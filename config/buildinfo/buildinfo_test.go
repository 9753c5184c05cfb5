package buildinfo

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	build := &debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: "2026-01-31T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}}
	named := from("v1.2.3", build)
	require.Equal(t, Info{
		Version: "v1.2.3", Commit: commit, CommittedAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Modified: true,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}, named)
	require.Equal(t, "v1.2.3 ("+runtime.Version()+", "+named.Platform+", commit 0123456789ab of 2026-01-31 12:00:00, with changes that are in no commit)", named.String())
	require.Equal(t, "0123456789ab", from("", build).Version)
	require.Equal(t, "dev", from("", &debug.BuildInfo{}).Version)
	require.Equal(t, "dev", from("", nil).Version)
}

// The name that the Makefile gives reaches both programs.
func TestNamedByTheLinker(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X weir/config/buildinfo.version=v9.8.7-test", "-o", folder+"/", "./cmd/daemon", "./cmd/admin")
	build.Dir = "../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, program := range []string{"daemon", "admin"} {
		for _, asked := range []string{"version", "--version"} {
			out, err := exec.CommandContext(t.Context(), filepath.Join(folder, program), asked).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Regexp(t, `^weir-`+program+` v9\.8\.7-test \(go1\.`, string(out))
		}
	}
}
