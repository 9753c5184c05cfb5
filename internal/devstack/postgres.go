package devstack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"weir/internal/devstack/child"
	"weir/secret"

	"github.com/jackc/pgx/v5"
)

const (
	// minPostgres is the oldest major version that Weir supports.
	minPostgres = 15
	// postgresDebian is where Debian and Ubuntu keep the servers' programs,
	// one folder per major version, outside of PATH.
	postgresDebian = "/usr/lib/postgresql/*/bin"
	// postgresUser owns the databases of a private Postgres.
	postgresUser = "weir"
	// postgresConnections is enough for the tests of all packages at once, each
	// with a pool or several.
	postgresConnections = 300
	// postgresStart bounds initdb and the server's start: 2 s on an idle
	// machine, much more when the tests of other packages have both cores.
	postgresStart = 2 * time.Minute
)

// ErrNoPostgres says that no PostgreSQL server programs of a version that Weir
// supports are on this machine.
var ErrNoPostgres = errors.New("no PostgreSQL 15 or newer found (looked in PATH and " + postgresDebian +
	"): run `make setup`, or set WEIR_DATABASE_URL")

// Durable are the settings of a server whose commits outlast a crash of its machine, as those of
// everybody who does not only try something do.
func Durable() []string {
	return []string{"fsync=on", "full_page_writes=on", "wal_level=replica"}
}

// Postgres is a private server: a data folder and a port of its own, no fsync unless it is Durable.
type Postgres struct {
	// URL names the maintenance database as a superuser, over the loopback.
	URL   secret.Secret
	proc  *child.Child
	start func() (*child.Child, error)
}

// PostgresConfig says where a private Postgres lives.
type PostgresConfig struct {
	// Dir is an existing folder for its data, socket and log. It is given to
	// the user that the server runs as.
	Dir string
	// Settings are more of the server's, as in NAME=VALUE; they win.
	Settings []string
}

// StartPostgres makes a data folder and starts a server on it. It returns when
// the server answers queries. Fails with [ErrNoPostgres] when there is none.
func StartPostgres(ctx context.Context, cfg *PostgresConfig) (*Postgres, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, postgresStart, fmt.Errorf("postgres did not start within %s", postgresStart))
	defer cancel()
	bin, err := findPostgres(ctx)
	if err != nil {
		return nil, err
	}
	who, err := postgresOwner(cfg.Dir)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	if err := initdb(ctx, bin, cfg.Dir, password, who); err != nil {
		return nil, err
	}
	return servePostgres(ctx, bin, cfg, password, who)
}

// servePostgres starts a server on a data folder that is there.
func servePostgres(ctx context.Context, bin string, cfg *PostgresConfig, password string, who *syscall.Credential) (*Postgres, error) {
	return child.OnFreePort(ctx, func(port int) (*Postgres, error) {
		address := &url.URL{
			Scheme: "postgres", User: url.UserPassword(postgresUser, password),
			Host: child.HostPort(port), Path: "postgres", RawQuery: "sslmode=disable",
		}
		pg := &Postgres{URL: secret.Secret(address.String())}
		pg.start = func() (*child.Child, error) {
			return child.Start("postgres", filepath.Join(cfg.Dir, "postgres.log"), postgresCommand(bin, cfg.Dir, port, who, cfg.Settings),
				syscall.SIGQUIT) // its immediate shutdown: ends its own children too
		}
		if err := pg.Restart(ctx); err != nil {
			return nil, errors.Join(err, pg.Close())
		}
		return pg, nil
	})
}

// Standby starts a second server that follows this one, by streaming. It returns when it
// answers queries. This one has to be started with wal_level=replica and max_wal_senders;
// both have the same password.
func (p *Postgres) Standby(ctx context.Context, cfg *PostgresConfig) (*Postgres, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, postgresStart, fmt.Errorf("the standby did not start within %s", postgresStart))
	defer cancel()
	bin, err := findPostgres(ctx)
	if err != nil {
		return nil, err
	}
	who, err := postgresOwner(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if who != nil {
		if err := os.Chown(cfg.Dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, fmt.Errorf("give %s to postgres's user: %w", cfg.Dir, err)
		}
	}
	u, err := url.Parse(string(p.URL))
	if err != nil {
		return nil, errors.New("the primary's address is no URL") // the error would quote the password
	}
	password, _ := u.User.Password()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pg_basebackup"), "--pgdata", filepath.Join(cfg.Dir, "data"),
		"--host", u.Hostname(), "--port", u.Port(), "--username", u.User.Username(), "--no-password",
		"--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	cmd.Dir = cfg.Dir
	cmd.Env = append(postgresEnv(), "PGPASSWORD="+password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup into %s: %w: %s", cfg.Dir, err, bytes.TrimSpace(out))
	}
	return servePostgres(ctx, bin, cfg, password, who)
}

// Restart starts the server again after it ended, on the same data and address. It
// returns when the server answers queries.
func (p *Postgres) Restart(ctx context.Context) error {
	proc, err := p.start()
	if err != nil {
		return err
	}
	p.proc = proc
	return proc.Ready(ctx, p.answers)
}

// PID is the server's first process, whose children the others are; another one behind a
// restart.
func (p *Postgres) PID() int { return p.proc.PID() }

// Close ends the server at once and its connections with it. Idempotent.
func (p *Postgres) Close() error {
	if p.proc == nil {
		return nil
	}
	return p.proc.Stop(syscall.SIGINT)
}

// answers is nil when the server answers a query.
func (p *Postgres) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, string(p.URL))
	if err != nil {
		return fmt.Errorf("connect to the private postgres: %w", err)
	}
	if err := conn.Close(ctx); err != nil {
		return fmt.Errorf("leave the private postgres: %w", err)
	}
	return nil
}

// postgresCommand runs the server in the foreground. It keeps what kill -9 of
// it must not lose (synchronous_commit stays on), and gives up what only a
// crash of the machine would need.
func postgresCommand(bin, dir string, port int, who *syscall.Credential, more []string) *exec.Cmd {
	settings := []string{
		"listen_addresses=" + child.Loopback,
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=" + dir,
		"max_connections=" + strconv.Itoa(postgresConnections),
		"fsync=off",
		"full_page_writes=off",
		"wal_level=minimal",
		"max_wal_senders=0",
		// In the data folder, so that kill -9 leaves nothing in /dev/shm.
		"dynamic_shared_memory_type=mmap",
		"timezone=UTC",
	}
	args := []string{"-D", filepath.Join(dir, "data")}
	for _, s := range append(settings, more...) {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...) //nolint:noctx // lives until Close, not until a context ends
	cmd.Dir = dir
	cmd.Env = postgresEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	return cmd
}

// initdb makes the data folder. The password goes through a file, not argv.
func initdb(ctx context.Context, bin, dir, password string, who *syscall.Credential) error {
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write postgres's password file: %w", err)
	}
	if who != nil {
		for _, path := range []string{dir, passwordFile} {
			if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
				return fmt.Errorf("give %s to postgres's user: %w", path, err)
			}
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"--pgdata", filepath.Join(dir, "data"), "--username", postgresUser, "--pwfile", passwordFile,
		// Plain password: the hashing of scram costs each test connection 5 ms.
		"--auth", "password", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	cmd.Dir = dir
	cmd.Env = postgresEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb in %s: %w: %s", dir, err, bytes.TrimSpace(out))
	}
	return nil
}

// postgresEnv is our environment without what steers Postgres's programs.
func postgresEnv() []string {
	return append(withoutPG(os.Environ()), "LC_ALL=C")
}

// withoutPG returns env without libpq's variables. Several programs let them
// win over an explicit address (River's CLI among them).
func withoutPG(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return len(kv) > 2 && kv[:2] == "PG" })
}

// postgresOwner returns the user to run as when we are root, which Postgres
// refuses, and nil otherwise. Fails when that user could not reach dir.
func postgresOwner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("postgres refuses to run as root, and there is no user postgres or nobody: %w", err)
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return nil, fmt.Errorf("look at postgres's folder: %w", err)
		}
		if info.Mode()&0o001 == 0 {
			return nil, fmt.Errorf("postgres refuses to run as root, and user %s can't reach %s: set TMPDIR to a folder open to all", u.Username, parent)
		}
		if parent == filepath.Dir(parent) {
			break
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// postgresVersion reads `postgres --version`: "postgres (PostgreSQL) 15.18
// (Debian ...)", "17beta1" before a release.
var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// findPostgres returns the folder of the newest server programs.
func findPostgres(ctx context.Context) (string, error) {
	dirs, err := filepath.Glob(postgresDebian)
	if err != nil {
		return "", fmt.Errorf("look for postgres: %w", err)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	best, bestVersion := "", minPostgres-1
	for _, dir := range dirs {
		out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
		if err != nil {
			continue // a folder with client programs only
		}
		m := postgresVersion.FindSubmatch(out)
		if m == nil {
			continue
		}
		if version, err := strconv.Atoi(string(m[1])); err == nil && version > bestVersion {
			best, bestVersion = dir, version
		}
	}
	if best == "" {
		return "", ErrNoPostgres
	}
	return best, nil
}
