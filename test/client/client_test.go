// Package client runs the TypeScript client's own tests, and the examples of its README,
// against the whole system.
package client

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

const (
	// limit is above the install, the build and a handful of transcodes on busy cores.
	limit = 5 * time.Minute
	// clipLength is as long as shows events on the way.
	clipLength = 4 * time.Second
)

func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cfg, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	stack, err := devstack.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close()) })

	clip := filepath.Join(t.TempDir(), "source.mp4")
	require.NoError(t, devstack.MakeClip(ctx, clip, devstack.Clip{Duration: clipLength}))
	source, err := stack.Upload(ctx, clip, "client/source.mp4")
	require.NoError(t, err)
	output, err := stack.S3.URL(stack.Bucket, "client/out")
	require.NoError(t, err)

	npm := func(args ...string) {
		cmd := exec.CommandContext(ctx, "npm", args...)
		cmd.Dir = "../../clients/typescript"
		cmd.Env = append(os.Environ(),
			"WEIR_URL="+stack.API.URL, "WEIR_TOKEN="+string(stack.API.Token),
			"SOURCE_URL="+string(source), "OUTPUT_URL="+string(output), "CALLBACK_URL="+stack.Studio.URL+"client",
		)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "npm %v:\n%s", args, out)
	}
	npm("ci", "--no-audit", "--no-fund")
	npm("run", "verify")
	npm("run", "build")
	npm("test")
	npm("run", "test:stack")
}
