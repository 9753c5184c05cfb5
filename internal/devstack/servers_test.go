package devstack_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// patience is for what takes a second on an idle machine and must come; both
// cores may be busy with other packages' tests.
const patience = 2 * time.Minute

// lookAgain is between two looks for what must come.
const lookAgain = 50 * time.Millisecond

// binDir is where `make test` built the programs.
func binDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(devstack.BinDirVariable)
	require.NotEmpty(t, dir, "run `make test`")
	return dir
}

func setup(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestServers(t *testing.T) {
	t.Parallel()
	ctx := setup(t)
	servers, err := devstack.StartServers(ctx, &devstack.ServersConfig{BinDir: binDir(t)})
	require.NoError(t, err)

	conn, err := pgx.Connect(ctx, string(servers.Postgres.URL))
	require.NoError(t, err)
	var version, connections int
	require.NoError(t, conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, current_setting('max_connections')::int").Scan(&version, &connections))
	require.GreaterOrEqual(t, version, 150000)
	require.GreaterOrEqual(t, connections, 300)
	require.NoError(t, conn.Close(ctx))

	require.NoError(t, servers.S3.MakeBucket(ctx, "films"))
	require.NoError(t, servers.S3.MakeBucket(ctx, "films"), "making it again changes nothing")
	require.NoError(t, servers.S3.Put(ctx, "films", "a/b.ts", strings.NewReader("frames")))
	path := filepath.Join(t.TempDir(), "b.ts")
	require.NoError(t, servers.S3.Download(ctx, "films", "a/b.ts", path))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "frames", string(content))
	uploads, err := servers.S3.HalfUploads(ctx, "films")
	require.NoError(t, err)
	require.Empty(t, uploads)
	address, err := servers.S3.URL("films", "a/b.ts")
	require.NoError(t, err)
	require.Equal(t, "s3+http://"+servers.S3.AccessKey+":"+string(servers.S3.SecretKey)+"@"+
		strings.TrimPrefix(servers.S3.Endpoint, "http://")+"/films/a/b.ts", string(address))
	require.NoError(t, servers.S3.RemoveBucket(ctx, "films"))

	require.NoError(t, servers.Close())
	require.NoError(t, servers.Close(), "closing twice is fine")
	require.NoDirExists(t, servers.Folder.Path)
	_, err = pgx.Connect(ctx, string(servers.Postgres.URL))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = http.Get(servers.S3.Endpoint)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// The environment of `devstack run`'s command, its exit code, and that kill -9
// of devstack leaves no process, and the next one no folder.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx := setup(t)
	program := filepath.Join(binDir(t), "devstack")

	cmd := exec.CommandContext(ctx, program, "run", "--", "sh", "-c",
		`psql --no-psqlrc -Atc 'select 6*7' "$WEIR_TEST_DATABASE_URL" && echo "[$PGHOST]" && exit 3`)
	cmd.Env = append(os.Environ(), "PGHOST=elsewhere.invalid")
	out, err := cmd.Output()
	exit := &exec.ExitError{}
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode())
	require.Equal(t, "42\n[]\n", string(out))

	tmp := t.TempDir()
	// Postgres's user must get through.
	for dir := tmp; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	killed := exec.CommandContext(ctx, program, "run", "--", "sh", "-c", "echo up; exec sleep 3600")
	killed.Env = append(os.Environ(), "TMPDIR="+tmp)
	stdout, err := killed.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, killed.Start())
	_, err = stdout.Read(make([]byte, 3))
	require.NoError(t, err)
	folders, err := filepath.Glob(filepath.Join(tmp, "weir-stack-*"))
	require.NoError(t, err)
	require.Len(t, folders, 1)
	require.NotEmpty(t, processesUnder(t, folders[0]))

	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()
	require.Eventually(t, func() bool { return len(processesUnder(t, folders[0])) == 0 }, patience, lookAgain)

	next := exec.CommandContext(ctx, program, "run", "--", "true")
	next.Env = append(os.Environ(), "TMPDIR="+tmp)
	require.NoError(t, next.Run())
	require.NoDirExists(t, folders[0])
}

// processesUnder lists the working folders of processes that lie in dir.
func processesUnder(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	var found []string
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			found = append(found, cwd)
		}
	}
	return found
}

func TestMissingProgramSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := devstack.StartS3(setup(t), &devstack.S3Config{Dir: t.TempDir(), BinDir: t.TempDir()})
	require.ErrorContains(t, err, "versitygw is missing: run `make build`")
}
