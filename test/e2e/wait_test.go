package e2e

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// A daemon that is up before Postgres and Mist waits, and says for what; with
// Postgres it takes requests, with Mist it works them off.
func TestDaemonWaits(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "start late")
	var postgres *line
	b := setupOwn(t, func(cfg *devstack.Config) {
		cfg.HostSettings = func(_ int, settings map[string]string) error {
			database, err := url.Parse(settings["WEIR_DATABASE_URL"])
			require.NoError(t, err)
			postgres = startLine(t, database.Host)
			database.Host = postgres.address
			settings["WEIR_DATABASE_URL"] = database.String()
			return nil
		}
	})
	daemon, mist := b.Daemons[0], b.Hosts[0]
	require.NoError(t, daemon.Kill())
	require.NoError(t, mist.Kill())
	postgres.cut.Store(true)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	before := b.logOf(t)
	restarted := make(chan error, 1)
	go func() { restarted <- daemon.Restart(b.ctx) }()

	says := func(words string) {
		await(t, b.ctx, "the daemon saying "+words, func() bool { return strings.Contains(b.logOf(t)[len(before):], words) })
	}
	says("waiting for Postgres")
	status, body := get(t, daemon.API+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	require.Contains(t, body, `"postgres":"failing"`)
	status, body = get(t, daemon.API+"/healthz")
	require.Equal(t, http.StatusOK, status, body)
	_, err := b.API.Submit(b.ctx, &req.Request)
	var refused *devstack.StatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusServiceUnavailable, refused.Status)

	postgres.cut.Store(false)
	says("waiting for MistServer")
	status, body = get(t, daemon.API+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	require.Contains(t, body, `"mist":"failing"`)
	require.Contains(t, body, `"postgres":"ok"`)
	id := b.submit(t, req)

	require.NoError(t, mist.Restart(b.ctx))
	require.NoError(t, <-restarted)
	b.succeeds(t, id, facts)
}

func (b *testBundle) logOf(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(b.Daemons[0].Log)
	require.NoError(t, err)
	return string(log)
}

func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// line is a way to a server that can be cut for new connections.
type line struct {
	address string
	cut     atomic.Bool
}

func startLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{address: listener.Addr().String()}
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || l.cut.Load() {
				_ = conn.Close()
				continue
			}
			go pipe(conn, to)
		}
	}()
	return l
}

// pipe carries both directions until both ends are closed.
func pipe(conn net.Conn, to string) {
	defer conn.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(conn, server)
		_ = conn.Close()
	}()
	_, _ = io.Copy(server, conn)
	_ = server.Close()
	<-back
}
