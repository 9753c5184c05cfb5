package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack/child"
	"weir/secret"
)

// daemonProgram is the daemon as it is shipped.
const daemonProgram = "weir-daemon"

// daemonStart bounds the daemon's start: 0.3 s on an idle machine.
const daemonStart = time.Minute

// drainGrace is what Close leaves to work in hand: nothing of it is needed any
// more, and a person may be waiting after Ctrl-C.
const drainGrace = 3 * time.Second

// Daemon is the real daemon as a process.
type Daemon struct {
	// API is the address of its HTTP API, "http://127.0.0.1:20001".
	API string
	// Pages is that of the operators' pages; "": it serves none.
	Pages string
	// Metrics is where Prometheus scrapes it, "127.0.0.1:20002".
	Metrics string
	// Log is the path of its log file, Spool that of its spool.
	Log, Spool string
	proc       *child.Child
	start      func() (*child.Child, error)
}

// DaemonConfig says what a daemon runs with.
type DaemonConfig struct {
	// Dir is an existing folder for its log and spool.
	Dir string
	// BinDir holds the weir-daemon program (`make build`).
	BinDir string
	// Program is another build of it in BinDir; weir-daemon where empty.
	Program string
	// APIListen is the address of its API; a free port of the loopback where empty.
	APIListen string
	// Settings are its WEIR_ variables, without those for addresses and spool. With
	// WEIR_WEB_USERS it serves the operators' pages.
	Settings map[string]string
}

// StartDaemon starts the daemon on a migrated database. It returns when it says
// that it is ready.
func StartDaemon(ctx context.Context, cfg *DaemonConfig) (*Daemon, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, daemonStart, fmt.Errorf("the daemon did not get ready within %s", daemonStart))
	defer cancel()
	program, err := findProgram(cfg.BinDir, cmp.Or(cfg.Program, daemonProgram))
	if err != nil {
		return nil, err
	}
	spool := filepath.Join(cfg.Dir, "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return nil, fmt.Errorf("daemon: make its spool: %w", err)
	}
	if cfg.APIListen != "" {
		if err := child.CheckFree(ctx, cfg.APIListen, "WEIR_API_LISTEN"); err != nil {
			return nil, err
		}
	}
	return child.OnFreePort(ctx, func(port int) (*Daemon, error) {
		triggers, err := child.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		metrics, err := child.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		listen := cfg.APIListen
		if listen == "" {
			listen = child.HostPort(port)
		}
		d := &Daemon{API: "http://" + listen, Metrics: child.HostPort(metrics), Log: filepath.Join(cfg.Dir, "daemon.log"), Spool: spool}
		env := settings(cfg.Settings, map[string]string{
			"WEIR_API_LISTEN": listen, "WEIR_TRIGGER_LISTEN": child.HostPort(triggers), "WEIR_SPOOL_DIR": spool,
			"WEIR_SHM_DIR": shmDir(), "WEIR_METRICS_LISTEN": d.Metrics,
		})
		if cfg.Settings["WEIR_WEB_USERS"] != "" {
			pages, err := child.FreePort(ctx)
			if err != nil {
				return nil, err
			}
			d.Pages = "http://" + child.HostPort(pages)
			env = append(env, "WEIR_WEB_LISTEN="+child.HostPort(pages))
		}
		d.start = func() (*child.Child, error) {
			cmd := exec.Command(program) //nolint:noctx // lives until Close, not until a context ends
			cmd.Dir = cfg.Dir
			cmd.Env = env
			return child.Start("daemon", d.Log, cmd, syscall.SIGKILL) // a drain would outlive us
		}
		if err := d.Restart(ctx); err != nil {
			err = errors.Join(err, d.Close())
			if child.Taken(ctx, triggers) || child.Taken(ctx, metrics) {
				err = errors.Join(err, child.ErrTaken)
			}
			return nil, err
		}
		return d, nil
	})
}

// Restart starts the daemon again after it ended, with the same settings and
// addresses. It returns when the daemon is ready.
func (d *Daemon) Restart(ctx context.Context) error {
	proc, err := d.start()
	if err != nil {
		return err
	}
	d.proc = proc
	return proc.Ready(ctx, func(ctx context.Context) error { return getOK(ctx, d.API+"/readyz") })
}

// PID is the daemon's process id.
func (d *Daemon) PID() int { return d.proc.PID() }

// Kill is kill -9. It returns when the daemon is gone.
func (d *Daemon) Kill() error { return d.proc.Stop(syscall.SIGKILL) }

// Terminate asks the daemon to drain and end; Wait for that.
func (d *Daemon) Terminate() error { return d.proc.Signal(syscall.SIGTERM) }

// Wait returns when the daemon has ended.
func (d *Daemon) Wait(ctx context.Context) error { return d.proc.Wait(ctx) }

// Alive is nil while the daemon runs, and says how it ended otherwise.
func (d *Daemon) Alive() error {
	if d.proc.Alive() {
		return nil
	}
	return d.proc.Exited()
}

// Close ends the daemon: it may drain for [drainGrace], then it is cut, as by a
// second Ctrl-C. Idempotent.
func (d *Daemon) Close() error {
	if d.proc == nil {
		return nil
	}
	if err := d.proc.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	drain := time.NewTimer(drainGrace)
	defer drain.Stop()
	select {
	case <-d.proc.Done():
		return nil
	case <-drain.C:
		return d.proc.Stop(syscall.SIGTERM)
	}
}

// Tail returns the last lines of the daemon's log.
func (d *Daemon) Tail() string { return child.Tail(d.Log) }

// settings returns an environment of ours without other stacks' variables, and
// with those given; a later map wins.
func settings(maps ...map[string]string) []string {
	env := slices.DeleteFunc(withoutPG(os.Environ()), func(kv string) bool { return strings.HasPrefix(kv, "WEIR_") })
	for _, m := range maps {
		for name, value := range m {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// admin runs weir-admin with settings, and input on its stdin, and returns what it prints.
func admin(ctx context.Context, binDir string, vars map[string]string, input secret.Secret, args ...string) ([]byte, error) {
	program, err := findProgram(binDir, "weir-admin")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = settings(vars)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, fmt.Errorf("weir-admin %s: exit code %s: %s", strings.Join(args, " "), strconv.Itoa(exit.ExitCode()), strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return out, fmt.Errorf("weir-admin %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
