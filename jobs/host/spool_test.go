package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"weir/engine"
	"weir/jobs/jobstest"
)

func TestRoomOf(t *testing.T) {
	t.Parallel()
	const reserve = 3 * 4096
	require.EqualValues(t, 2*4096, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096}, reserve))
	require.EqualValues(t, -4096, roomOf(&unix.Statfs_t{Bavail: 2, Bsize: 4096}, reserve), "the reserve is eaten into")
	require.EqualValues(t, -reserve, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096, Flags: unix.ST_RDONLY | unix.ST_NOSUID}, reserve), "read-only")
	require.Zero(t, roomOf(&unix.Statfs_t{Bavail: 5, Bsize: 4096, Flags: unix.ST_RDONLY}, 0), "HostFree passes over it")
}

// Processes are found in a spool that a symbolic link leads to: by a supervisor that
// did not come to write its own down, and by the sweep.
func TestProcessesInALinkedSpool(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	link := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.Symlink(t.TempDir(), link))
	spool, err := OpenSpool(link)
	require.NoError(t, err)
	programs := t.TempDir()
	host := &Host{ID: jobstest.Host, DB: b.Pool, Log: jobstest.Silent(), Spool: spool, Engine: silentMist(t, programs, t.TempDir())}
	name := engine.Name{Transcode: uuid.New(), Attempt: 1}
	require.NoError(t, os.Mkdir(host.folder(name), spoolMode))
	process := &exec.Cmd{
		Path: "/bin/sleep", Args: []string{filepath.Join(programs, "MistProcLivepeer"), "600"},
		Dir: host.folder(name), SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	require.NoError(t, process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	t.Cleanup(func() { _ = process.Process.Kill() })

	found, err := (&supervisor{host: host, name: name}).unrecorded()
	require.NoError(t, err)
	require.NotNil(t, found)
	require.Equal(t, process.Process.Pid, found.ID())
	require.NoError(t, host.endOrphans(t.Context(), looked(t, host)))
	require.ErrorContains(t, <-ended, "terminated", "no attempt owns it")
}

func TestOpenSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, err := OpenSpool(filepath.Join(dir, "new", "spool"))
	require.NoError(t, err)
	require.DirExists(t, path)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = OpenSpool(file)
	require.ErrorContains(t, err, "WEIR_SPOOL_DIR")
	require.ErrorContains(t, err, "not a directory: give a folder")

	odd := filepath.Join(dir, "a b")
	require.NoError(t, os.Mkdir(odd, spoolMode))
	require.NoError(t, os.Symlink(odd, filepath.Join(dir, "link")))
	_, err = OpenSpool(filepath.Join(dir, "link"))
	require.ErrorContains(t, err, "spaces")
}
