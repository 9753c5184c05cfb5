package systemd_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/cmd/daemon/systemd"
)

// variables are an environment that things can be taken out of.
type variables map[string]string

func (v variables) get(name string) string { return v[name] }

func (v variables) unset(name string) error {
	delete(v, name)
	return nil
}

func listen(t *testing.T, address string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	const said = 10 * time.Second // far above what a local socket takes
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(said)))
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	require.NoError(t, err)
	return string(buffer[:n])
}

func TestSaysItsWords(t *testing.T) {
	t.Parallel()
	const watchdog = 30 * time.Second // the unit's
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), "@weir-test-" + strconv.Itoa(os.Getpid())} {
		conn := listen(t, socket)
		vars := variables{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": strconv.FormatInt(watchdog.Microseconds(), 10), "WATCHDOG_PID": strconv.Itoa(os.Getpid()), "PATH": "/bin"}
		service, err := systemd.Open(vars.get, vars.unset)
		require.NoError(t, err)
		require.Equal(t, variables{"PATH": "/bin"}, vars, "no child hears of it")
		require.Equal(t, watchdog, service.Watchdog())
		for want, tell := range map[string]func() error{
			`^READY=1\nSTATUS=works; well$`:             func() error { return service.Ready("works\nwell") },
			`^STATUS=waits$`:                            func() error { return service.Status("waits") },
			`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+$`: service.Reloading,
			`^STOPPING=1\nSTATUS=drains$`:               func() error { return service.Stopping("drains") },
			`^WATCHDOG=1$`:                              service.Alive,
		} {
			require.NoError(t, tell())
			require.Regexp(t, want, heard(t, conn))
		}
		require.NoError(t, service.Close())
	}
}

func TestSilentWithoutSystemd(t *testing.T) {
	t.Parallel()
	service, err := systemd.Open(variables{}.get, variables{}.unset)
	require.NoError(t, err)
	for _, s := range []*systemd.Service{service, nil} {
		require.NoError(t, s.Ready(""))
		require.NoError(t, s.Alive())
		require.Zero(t, s.Watchdog())
		require.NoError(t, s.Close())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	vars := variables{"NOTIFY_SOCKET": socket}
	_, err := systemd.Open(vars.get, vars.unset)
	require.ErrorContains(t, err, "NOTIFY_SOCKET")
	listen(t, socket)
	vars = variables{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "soon"}
	_, err = systemd.Open(vars.get, vars.unset)
	require.ErrorContains(t, err, "WATCHDOG_USEC")

	// The watchdog of another process is not ours.
	vars = variables{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
	service, err := systemd.Open(vars.get, vars.unset)
	require.NoError(t, err)
	require.Zero(t, service.Watchdog())
	require.NoError(t, service.Close())
}
