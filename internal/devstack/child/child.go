// Package child runs servers as children of this process: each with a log, on ports that
// are free, and dead where this process dies.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

const (
	// readyPoll is how often a starting process is asked whether it is ready:
	// short against the fastest start (about 50 ms), long against one question.
	readyPoll = 25 * time.Millisecond
	// stopGrace is what a process gets to end by itself. Postgres checkpoints
	// and the daemon drains within a second; slow shared machines take longer.
	// One that has to be killed is told as a failure, so it is many times that.
	stopGrace = 30 * time.Second
	// logTail is how much of a log goes into an error: the last few lines.
	logTail = 2048
)

// Child is one child of this process, its output in a log file. It runs in a
// process group of its own, so that Ctrl-C in a terminal reaches only us, and
// the kernel sends it deathSignal when we die.
type Child struct {
	// Log is the file that its output goes to.
	Log  string
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and was reaped
	err  error         // how it ended; read after done
}

// Start starts cmd with its output appended to log.
//
// The kernel ties a death signal to the thread that forked, not to the process
// (prctl(2), PR_SET_PDEATHSIG), so one goroutine keeps its thread from start to
// the child's end.
func Start(name, log string, cmd *exec.Cmd, deathSignal syscall.Signal) (*Child, error) {
	logFile, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: open its log: %w", name, err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = deathSignal
	cmd.Stdout, cmd.Stderr = logFile, logFile

	c := &Child{name: name, Log: log, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := cmd.Start()
		_ = logFile.Close() // the child has its own copy
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", name, cmd.Path, err)
	}
	return c, nil
}

// Ready returns when probe does without an error, and fails when the process
// ends before or ctx does.
func (c *Child) Ready(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	var last error
	for {
		select {
		case <-c.done:
			return c.Exited()
		case <-ctx.Done():
			if last == nil {
				last = context.Cause(ctx)
			}
			return fmt.Errorf("%s: not ready in time: %w; its log %s ends:\n%s", c.name, last, c.Log, Tail(c.Log))
		case <-tick.C:
		}
		if last = probe(ctx); last == nil {
			return nil
		}
	}
}

// errExited is wrapped by errors about a process that ended on its own.
var errExited = errors.New("ended unexpectedly")

// Exited describes how a process that is done ended.
func (c *Child) Exited() error {
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return fmt.Errorf("%s: %w (%s); its log %s ends:\n%s", c.name, errExited, how, c.Log, Tail(c.Log))
}

// PID is its process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when it has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Alive tells whether the process has not ended yet.
func (c *Child) Alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// Signal sends sig to the process; one that ended already is no error.
func (c *Child) Signal(sig syscall.Signal) error {
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: send %s: %w", c.name, sig, err)
	}
	return nil
}

// Stop ends the process with sig, and after [stopGrace] with SIGKILL to its
// whole group. It returns when the process is gone. Idempotent.
func (c *Child) Stop(sig syscall.Signal) error {
	if err := c.Signal(sig); err != nil {
		return err
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-c.done:
		return nil
	case <-grace.C:
	}
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: kill: %w", c.name, err)
	}
	<-c.done
	return fmt.Errorf("%s: had to be killed: no end within %s of %s; its log is %s", c.name, stopGrace, sig, c.Log)
}

// Wait returns when the process has ended or ctx has.
func (c *Child) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: still running: %w", c.name, context.Cause(ctx))
	}
}

// Tail returns the last lines of a log file, as much as helps in an error.
func Tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "(no log)"
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
			return "(unreadable log)"
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, logTail))
	if err != nil || len(b) == 0 {
		return "(empty log)"
	}
	return string(b)
}
