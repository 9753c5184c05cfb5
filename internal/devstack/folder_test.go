package devstack_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// What Weir's programs leave running in a folder ends with it; a person's shell
// that stands in it does not.
func TestFolderEndsItsProcesses(t *testing.T) {
	t.Parallel()
	folder, err := devstack.NewFolder()
	require.NoError(t, err)
	dir, err := folder.Make("mist-1")
	require.NoError(t, err)
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	content, err := os.ReadFile(sleep)
	require.NoError(t, err)
	program := filepath.Join(dir, "MistProcLivepeer")
	require.NoError(t, os.WriteFile(program, content, 0o700))

	leftover, shell := exec.CommandContext(t.Context(), program, "3600"), exec.CommandContext(t.Context(), sleep, "3600")
	shell.Dir = dir
	require.NoError(t, leftover.Start())
	require.NoError(t, shell.Start())

	require.NoError(t, folder.Close())
	require.NoDirExists(t, folder.Path)
	require.ErrorContains(t, leftover.Wait(), "killed")
	require.NoError(t, shell.Process.Kill(), "it still runs")
	require.ErrorContains(t, shell.Wait(), "killed")
}

func TestLivingFoldersAreKept(t *testing.T) {
	t.Parallel()
	first, err := devstack.NewFolder()
	require.NoError(t, err)
	second, err := devstack.NewFolder()
	require.NoError(t, err)
	require.DirExists(t, first.Path)
	require.NoError(t, first.Close())
	require.DirExists(t, second.Path)
	require.NoError(t, second.Close())
}

func TestFoldersOfTheDeadAreSwept(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]func() (*devstack.Folder, error){"on disk": devstack.NewFolder, "in memory": devstack.NewFolderInMemory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, err := folder()
			require.NoError(t, err)
			dead, err := os.MkdirTemp(filepath.Dir(first.Path), "weir-stack-*") //nolint:usetesting // beside those that live
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600))
			second, err := folder()
			require.NoError(t, err)
			require.Eventually(t, func() bool { // another stack that starts may be at it
				_, err := os.Stat(dead)
				return errors.Is(err, fs.ErrNotExist)
			}, patience, lookAgain)
			require.NoError(t, first.Close())
			require.NoError(t, second.Close())
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	address := listener.Addr().String()
	_, err = devstack.StartDaemon(setup(t), &devstack.DaemonConfig{Dir: t.TempDir(), BinDir: binDir(t), APIListen: address})
	require.ErrorContains(t, err, "the port of WEIR_API_LISTEN="+address+" is taken")
}
