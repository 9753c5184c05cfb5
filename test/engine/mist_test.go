// Package engine runs the suite of jobs/host/enginetest over each Engine.
package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs/host"
	"weir/jobs/host/enginetest"
	"weir/media"
	"weir/mist"
	"weir/secret"
)

var _ host.Engine = (*mist.Engine)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMist(t *testing.T) {
	t.Parallel()
	cfg, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	server, err := devstack.StartMistHost(t.Context(), &devstack.MistHostConfig{Dir: t.TempDir(), BinDir: cfg.BinDir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	broadcaster, err := devstack.StartBroadcaster(t.Context(), &devstack.BroadcasterConfig{Dir: t.TempDir(), BinDir: cfg.BinDir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broadcaster.Close()) })
	client, err := mist.New(&mist.Config{URL: server.API})
	require.NoError(t, err)
	t.Cleanup(client.Close)

	enginetest.Run(t, &enginetest.Rig{
		Engine: &mist.Engine{Client: client, BinDir: server.BinDir, Hidden: []secret.Secret{"MistProc"}},
		Hidden: "MistProc", // of what every log has
		Spool:  t.TempDir(),
		Task:   engine.Task{Broadcasters: []string{broadcaster.URL}},
		Prepare: func(t *testing.T, folder string) (path string, stopMS int64) {
			t.Helper()
			in := filepath.Join(folder, "in")
			source := filepath.Join(in, "clip.ts")
			require.NoError(t, os.Mkdir(in, 0o755))
			require.NoError(t, devstack.MakeClip(t.Context(), source, devstack.Clip{Duration: 4 * time.Second}))
			tools := &media.Tools{}
			probed, err := tools.Probe(t.Context(), source)
			require.NoError(t, err)
			prepared, err := tools.Prepare(t.Context(), probed, source, in, media.Options{})
			require.NoError(t, err)
			return prepared.Path, prepared.StopMS
		},
	})
}
