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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/secret"
)

const (
	// debian is where Debian keeps it, outside of a user's PATH.
	debian = "/usr/sbin/pgbouncer"
	// clientsMost are daemons' connections: a thousand hosts have a few each.
	clientsMost = 8000
	// startMost and stopMost bound its start and end: it needs some 20 ms for either.
	startMost = 20 * time.Second
	stopMost  = 10 * time.Second
	// waitMost, in seconds, is how long a client waits for a connection to Postgres: less than
	// it stays for where it has given up (db.OpenPooled).
	waitMost = 3
	// askEvery is between two looks whether it answers.
	askEvery = 20 * time.Millisecond
	// portTries is how often it is started on another port when the one that was free got taken.
	portTries = 3
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
	port int
	of   *url.URL
	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts one. It returns when queries go through it.
func Start(ctx context.Context, cfg *Config) (*Pooler, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath(debian); err != nil {
			return nil, ErrMissing
		}
	}
	of, err := url.Parse(string(cfg.Database))
	if err != nil {
		return nil, errors.New("start pgbouncer: the database has no URL")
	}
	for try := 1; ; try++ {
		p, err := start(ctx, cfg, program, of)
		if err == nil {
			return p, nil
		}
		if try == portTries || !errors.Is(err, errEnded) {
			return nil, fmt.Errorf("start pgbouncer: %w", err)
		}
	}
}

// start starts one on a port that is free now.
func start(ctx context.Context, cfg *Config, program string, of *url.URL) (*Pooler, error) {
	p := &Pooler{of: of, done: make(chan struct{})}
	var err error
	if p.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	settings, log, err := p.write(cfg)
	if err != nil {
		return nil, err
	}
	if err := p.run(program, settings, log); err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		said, _ := os.ReadFile(log)
		return nil, errors.Join(fmt.Errorf("%w: %s", err, said), p.Close())
	}
	return p, nil
}

// errEnded: it ended at its start, as it does where somebody has taken its port.
var errEnded = errors.New("it has ended")

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// write writes its settings: Debian's 1.18 knows no prepared statements in this mode, and
// is told nothing of the settings that connections bring.
func (p *Pooler) write(cfg *Config) (settings, log string, err error) {
	settings, log = filepath.Join(cfg.Dir, "pgbouncer.ini"), filepath.Join(cfg.Dir, "pgbouncer.log")
	users := filepath.Join(cfg.Dir, "users.txt")
	password, _ := p.of.User.Password()
	lines := []string{
		"[databases]", fmt.Sprintf("* = host=%s port=%s", p.of.Hostname(), p.of.Port()),
		"[pgbouncer]", "listen_addr = 127.0.0.1", fmt.Sprintf("listen_port = %d", p.port), "unix_socket_dir =",
		"auth_type = plain", "auth_file = " + users, "pool_mode = transaction",
		fmt.Sprintf("max_client_conn = %d", clientsMost), fmt.Sprintf("default_pool_size = %d", cfg.Servers),
		"server_reset_query =", "log_connections = 0", "log_disconnections = 0", "logfile = " + log,
		// Postgres that is down for a moment is tried again soon.
		"server_login_retry = 1",
		fmt.Sprintf("query_wait_timeout = %d", waitMost),
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

func (p *Pooler) run(program, settings, log string) error {
	out, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	p.cmd = exec.Command(program, "-q", settings) //nolint:noctx // lives until Close
	p.cmd.Dir, p.cmd.Stderr = filepath.Dir(settings), out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The signal is for the death of the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		_ = out.Close()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // who waits for it asks it
		}
	}()
	return <-started
}

func (p *Pooler) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startMost)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, p.of.Scheme+"://"+p.of.User.String()+"@"+p.address()+p.of.Path+"?sslmode=disable&default_query_exec_mode=exec")
		if err == nil {
			_, err = conn.Exec(ctx, "SELECT 1")
			err = errors.Join(err, conn.Close(ctx))
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errEnded
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (p *Pooler) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// PID is its process.
func (p *Pooler) PID() int { return p.cmd.Process.Pid }

// URL is a database's, of the same server, through it.
func (p *Pooler) URL(database secret.Secret) (secret.Secret, error) {
	u, err := url.Parse(string(database))
	if err != nil {
		return "", errors.New("the database has no URL")
	}
	u.Host = p.address()
	return secret.Secret(u.String()), nil
}

// Close ends it. Idempotent.
func (p *Pooler) Close() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // at once, in this version; one that has ended needs none
	select {
	case <-p.done:
		return nil
	case <-time.After(stopMost):
		_ = p.cmd.Process.Kill()
		<-p.done
		return errors.New("pgbouncer had to be killed")
	}
}
