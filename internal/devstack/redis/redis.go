// Package redis runs a private redis-server as Debian brings it, which is what a queue stands on
// that is compared with Weir's.
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weir/internal/devstack/child"
)

// startMost is many times the 20 ms that it needs, also to read what it had.
const startMost = 20 * time.Second

// ErrMissing says that there is no Redis on this machine.
var ErrMissing = errors.New("no redis-server found (looked in PATH): run `tools/setup.sh redis`")

// Config says where a Redis lives.
type Config struct {
	// Dir is an existing folder for its data and log.
	Dir string
}

// Redis is a server that runs, or was killed.
type Redis struct {
	// Address is where it listens, also after a restart.
	Address string
	program string
	dir     string
	child   *child.Child
}

// Start starts one. It returns when it answers. Fails with [ErrMissing] when there is none.
func Start(ctx context.Context, cfg *Config) (*Redis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	return child.OnFreePort(ctx, func(port int) (*Redis, error) {
		r := &Redis{Address: child.HostPort(port), program: program, dir: cfg.Dir}
		if err := r.Restart(ctx); err != nil {
			return nil, errors.Join(err, r.Close())
		}
		return r, nil
	})
}

// Restart starts the server again after it ended, on the same data and address. It returns when
// it answers.
func (r *Redis) Restart(ctx context.Context) error {
	host, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	// All else is as by default. What is written to disk, and when, is so in Debian's
	// /etc/redis/redis.conf too: a snapshot an hour after one change, 5 minutes after 100, a minute
	// after 10,000; no log of changes (`save` is not set there, `appendonly no` is).
	cmd := exec.Command(r.program, "--bind", host, "--port", port, "--dir", r.dir) //nolint:noctx // lives until Close
	cmd.Dir = r.dir
	started, err := child.Start("redis-server", filepath.Join(r.dir, "redis.log"), cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	r.child = started
	ctx, cancel := context.WithTimeoutCause(ctx, startMost, fmt.Errorf("redis-server did not start within %s", startMost))
	defer cancel()
	return started.Ready(ctx, r.answers)
}

// answers is nil when it has read its data: until then it answers with -LOADING.
func (r *Redis) answers(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG"))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != "+PONG" {
		return fmt.Errorf("PING was answered %q", answer)
	}
	return nil
}

// Kill is kill -9 of the server. It returns when the server is gone.
func (r *Redis) Kill() error { return r.child.Stop(syscall.SIGKILL) }

// Close ends it; what it holds goes with its folder. Idempotent.
func (r *Redis) Close() error {
	if r.child == nil {
		return nil
	}
	return r.Kill()
}
