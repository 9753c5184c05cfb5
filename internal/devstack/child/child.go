// Package child runs servers that a distribution brings, PgBouncer and Redis, as children of
// this process: each with a log, on a port that is free, and dead where this process dies.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

const (
	// readyMost and stopMost bound its start and end: these servers need some 20 ms for either.
	readyMost = 20 * time.Second
	stopMost  = 10 * time.Second
	// askEvery is between two looks whether it answers.
	askEvery = 20 * time.Millisecond
)

// errEnded: it ended by itself, as it does at its start where somebody has taken its port.
var errEnded = errors.New("it has ended")

// Child is a server that runs, or has.
type Child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
}

// Start starts it; what it prints goes behind what its log holds.
func Start(cmd *exec.Cmd, log string) (*Child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", filepath.Base(cmd.Path), err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &Child{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal is for the death of the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := cmd.Start()
		_ = out.Close() // it has its own
		started <- err
		if err == nil {
			_ = cmd.Wait() // who waits for it asks it
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// Ready returns when it answers. One that does not is ended, and its log is in the error.
func (c *Child) Ready(ctx context.Context, answers func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyMost)
	defer cancel()
	err := c.wait(ctx, answers)
	if err == nil {
		return nil
	}
	said, _ := os.ReadFile(c.log)
	return errors.Join(fmt.Errorf("%s does not answer: %w: %s", filepath.Base(c.cmd.Path), err, said), c.Stop(syscall.SIGKILL))
}

func (c *Child) wait(ctx context.Context, answers func(context.Context) error) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return errEnded
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// PID is its process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Stop ends it by a signal, and returns when it is gone. Idempotent.
func (c *Child) Stop(sig syscall.Signal) error {
	_ = c.cmd.Process.Signal(sig) // one that has ended needs none
	select {
	case <-c.done:
		return nil
	case <-time.After(stopMost):
		_ = c.cmd.Process.Kill()
		<-c.done
		return fmt.Errorf("%s had to be killed: it did not end within %s", filepath.Base(c.cmd.Path), stopMost)
	}
}
