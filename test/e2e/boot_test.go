package e2e

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// A daemon that can't work says so in one line, and ends.
func TestDaemonRefusesToStart(t *testing.T) {
	t.Parallel()
	const notAKey = "not-a-key-but-a-secret"
	for _, test := range []struct {
		name   string
		change func(*testing.T, *testBundle, map[string]string)
		says   []string
	}{
		{"empty database", func(t *testing.T, b *testBundle, settings map[string]string) {
			settings["WEIR_DATABASE_URL"] = b.emptyDatabase(t)
		}, []string{"weir-admin db migrate"}},
		{"port of the API taken", func(t *testing.T, _ *testBundle, settings map[string]string) {
			settings["WEIR_API_LISTEN"] = takenPort(t)
		}, []string{"WEIR_API_LISTEN", "address already in use"}},
		{"port of the triggers taken", func(t *testing.T, _ *testBundle, settings map[string]string) {
			settings["WEIR_TRIGGER_LISTEN"] = takenPort(t)
		}, []string{"WEIR_TRIGGER_LISTEN", "address already in use"}},
		{"bad key", func(_ *testing.T, _ *testBundle, settings map[string]string) {
			settings["WEIR_SECRET_KEY"] = notAKey
		}, []string{"WEIR_SECRET_KEY"}},
		{"no key", func(_ *testing.T, _ *testBundle, settings map[string]string) {
			delete(settings, "WEIR_SECRET_KEY")
		}, []string{"WEIR_SECRET_KEY"}},
		{"misspelt setting", func(_ *testing.T, _ *testBundle, settings map[string]string) {
			settings["WEIR_BROADCASTER"] = settings["WEIR_BROADCASTERS"]
		}, []string{"WEIR_BROADCASTER "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			settings := b.Settings()
			settings["WEIR_HOST_ID"] = "never-" + b.prefix[:8]
			settings["WEIR_SPOOL_DIR"] = t.TempDir()
			settings["WEIR_MIST_API"], settings["WEIR_MIST_BIN_DIR"] = b.Hosts[0].API, b.Hosts[0].BinDir
			settings["WEIR_API_LISTEN"], settings["WEIR_TRIGGER_LISTEN"], settings["WEIR_METRICS_LISTEN"] = "127.0.0.1:0", "127.0.0.1:0", ""
			test.change(t, b, settings)

			cmd := exec.CommandContext(b.ctx, filepath.Join(os.Getenv(devstack.BinDirVariable), "weir-daemon"))
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
			for name, value := range settings {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.True(t, exit.Exited(), "it ends by itself")
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			last := lines[len(lines)-1]
			for _, word := range test.says {
				require.Contains(t, last, word)
			}
			for _, name := range []string{"WEIR_SECRET_KEY", "WEIR_DATABASE_URL"} {
				if value := settings[name]; value != "" {
					require.NotContains(t, string(out), value)
				}
			}
		})
	}
}

// emptyDatabase makes a database beside the stack's and returns its address.
func (b *testBundle) emptyDatabase(t *testing.T) string {
	t.Helper()
	name := "weir_empty_" + strings.ToLower(rand.Text())
	b.maintain(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { b.maintain(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(string(b.Database))
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}

// maintain runs a statement that takes no parameters and no transaction.
func (b *testBundle) maintain(t *testing.T, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(b.ctx) // cleanups run after the test's context has ended
	conn, err := pgx.Connect(ctx, string(b.Database))
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

// takenPort is an address that somebody listens on until the test ends.
func takenPort(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	return listener.Addr().String()
}
