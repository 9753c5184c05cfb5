// Package pooler runs a private PgBouncer in transaction mode, as large fleets have one
// before their Postgres.
package pooler

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/internal/devstack/child"
	"weir/secret"
)

const (
	// debian is where Debian keeps it, outside of a user's PATH.
	debian = "/usr/sbin/pgbouncer"
	// clientsMost are daemons' connections: a thousand hosts have a few each.
	clientsMost = 8000
	// waitMost, in seconds, is how long a client waits for a connection to Postgres: less than
	// it stays for where it has given up (db.OpenPooled).
	waitMost = 3
	// keepsMajor and keepsMinor are the first that keeps prepared statements; keptMost are those it
	// keeps for each connection: a host has some 150 by name at the most, and what is let go is
	// prepared again.
	keepsMajor, keepsMinor = 1, 21
	keptMost               = 200
	// startMost is many times the 20 ms that it needs.
	startMost = 20 * time.Second
)

// ErrMissing says that there is no PgBouncer on this machine.
var ErrMissing = errors.New("no pgbouncer found (looked in PATH and " + debian + "): run `tools/setup.sh pooler`")

// Config says where a PgBouncer lives and what it stands before.
type Config struct {
	// Dir is a folder that another user may reach, for its settings and log.
	Dir string
	// Database is the URL of Postgres; each database of that server may be asked for.
	Database secret.Secret
	// Servers are the most connections to Postgres.
	Servers int
}

// Pooler is a PgBouncer that runs.
type Pooler struct {
	address string
	of      *url.URL
	child   *child.Child
}

// find is where this machine has it.
func find() (program string, err error) {
	for _, name := range []string{"pgbouncer", debian} {
		if program, err = exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", ErrMissing
}

// Keeps says whether this machine's keeps prepared statements from one transaction to the next:
// those from 1.21 on do, Debian 12's 1.18 does not.
func Keeps(ctx context.Context) (bool, error) {
	program, err := find()
	if err != nil {
		return false, err
	}
	says, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return false, fmt.Errorf("ask pgbouncer for its version: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(says), "PgBouncer %d.%d", &major, &minor); err != nil {
		return false, fmt.Errorf("read pgbouncer's version in %q: %w", says, err)
	}
	return major > keepsMajor || major == keepsMajor && minor >= keepsMinor, nil
}

// Start starts one. It returns when queries go through it.
func Start(ctx context.Context, cfg *Config) (*Pooler, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	keeps, err := Keeps(ctx)
	if err != nil {
		return nil, err
	}
	of, err := url.Parse(string(cfg.Database))
	if err != nil {
		return nil, errors.New("start pgbouncer: the database has no URL")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startMost, fmt.Errorf("pgbouncer did not start within %s", startMost))
	defer cancel()
	return child.OnFreePort(ctx, func(port int) (*Pooler, error) {
		p := &Pooler{of: of, address: child.HostPort(port)}
		settings, log, err := p.write(cfg, keeps)
		if err != nil {
			return nil, fmt.Errorf("start pgbouncer: %w", err)
		}
		cmd := exec.Command(program, "-q", settings) //nolint:noctx // lives until Close
		cmd.Dir = cfg.Dir
		if p.child, err = child.Start("pgbouncer", log, cmd, syscall.SIGKILL); err != nil {
			return nil, err
		}
		if err := p.child.Ready(ctx, p.answers); err != nil {
			return nil, errors.Join(err, p.Close())
		}
		return p, nil
	})
}

// write writes its settings. It is told nothing of the settings that connections bring.
func (p *Pooler) write(cfg *Config, keeps bool) (settings, log string, err error) {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return "", "", err
	}
	settings, log = filepath.Join(cfg.Dir, "pgbouncer.ini"), filepath.Join(cfg.Dir, "pgbouncer.log")
	users := filepath.Join(cfg.Dir, "users.txt")
	password, _ := p.of.User.Password()
	lines := []string{
		"[databases]", fmt.Sprintf("* = host=%s port=%s", p.of.Hostname(), p.of.Port()),
		"[pgbouncer]", "listen_addr = " + host, "listen_port = " + port, "unix_socket_dir =",
		"auth_type = plain", "auth_file = " + users, "pool_mode = transaction",
		fmt.Sprintf("max_client_conn = %d", clientsMost), fmt.Sprintf("default_pool_size = %d", cfg.Servers),
		"server_reset_query =", "log_connections = 0", "log_disconnections = 0", "logfile = " + log,
		// Postgres that is down for a moment is tried again soon.
		"server_login_retry = 1",
		fmt.Sprintf("query_wait_timeout = %d", waitMost),
	}
	if keeps {
		lines = append(lines, fmt.Sprintf("max_prepared_statements = %d", keptMost)) // 1.21's own is none
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "user = postgres") // it refuses to stay root
	}
	for path, text := range map[string]string{
		settings: strings.Join(lines, "\n") + "\n", users: fmt.Sprintf("%q %q\n", p.of.User.Username(), password), log: "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", "", err
		}
		if err := handOver(path); err != nil {
			return "", "", err
		}
	}
	return settings, log, nil
}

func (p *Pooler) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.of.Scheme+"://"+p.of.User.String()+"@"+p.address+p.of.Path+"?sslmode=disable&default_query_exec_mode=exec")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "SELECT 1")
	return errors.Join(err, conn.Close(ctx))
}

// PID is its process.
func (p *Pooler) PID() int { return p.child.PID() }

// URL is a database's, of the same server, through it.
func (p *Pooler) URL(database secret.Secret) (secret.Secret, error) {
	u, err := url.Parse(string(database))
	if err != nil {
		return "", errors.New("the database has no URL")
	}
	u.Host = p.address
	return secret.Secret(u.String()), nil
}

// KeepingURL is URL for a daemon that has it keep prepared statements.
func (p *Pooler) KeepingURL(database secret.Secret) (secret.Secret, error) {
	through, err := p.URL(database)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(string(through))
	if err != nil {
		return "", errors.New("the database has no URL")
	}
	query := u.Query()
	query.Set("default_query_exec_mode", db.Keep)
	u.RawQuery = query.Encode()
	return secret.Secret(u.String()), nil
}

// Close ends it: at once, in Debian's version. Idempotent.
func (p *Pooler) Close() error { return p.child.Stop(syscall.SIGTERM) }
