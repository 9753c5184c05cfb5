package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
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

// process is one child of this process, its output in a log file. It runs in a
// process group of its own, so that Ctrl-C in a terminal reaches only us, and
// the kernel sends it deathSignal when we die.
type process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the child has ended and was reaped
	err     error         // how it ended; read after done
}

// startProcess starts cmd with its output appended to logPath.
//
// The kernel ties a death signal to the thread that forked, not to the process
// (prctl(2), PR_SET_PDEATHSIG), so one goroutine keeps its thread from start to
// the child's end.
func startProcess(name, logPath string, cmd *exec.Cmd, deathSignal syscall.Signal) (*process, error) {
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: open its log: %w", name, err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = deathSignal
	cmd.Stdout, cmd.Stderr = logFile, logFile

	p := &process{name: name, logPath: logPath, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		_ = logFile.Close() // the child has its own copy
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", name, cmd.Path, err)
	}
	return p, nil
}

// ready returns when probe does without an error, and fails when the process
// ends before or ctx does.
func (p *process) ready(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	var last error
	for {
		select {
		case <-p.done:
			return p.exited()
		case <-ctx.Done():
			if last == nil {
				last = context.Cause(ctx)
			}
			return fmt.Errorf("%s: not ready in time: %w; its log %s ends:\n%s", p.name, last, p.logPath, tail(p.logPath))
		case <-tick.C:
		}
		if last = probe(ctx); last == nil {
			return nil
		}
	}
}

// errExited is wrapped by errors about a process that ended on its own.
var errExited = errors.New("ended unexpectedly")

// exited describes how a process that is done ended.
func (p *process) exited() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s: %w (%s); its log %s ends:\n%s", p.name, errExited, how, p.logPath, tail(p.logPath))
}

// alive tells whether the process has not ended yet.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig to the process; one that ended already is no error.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: send %s: %w", p.name, sig, err)
	}
	return nil
}

// stop ends the process with sig, and after [stopGrace] with SIGKILL to its
// whole group. It returns when the process is gone. Idempotent.
func (p *process) stop(sig syscall.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.done:
		return nil
	case <-grace.C:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: kill: %w", p.name, err)
	}
	<-p.done
	return fmt.Errorf("%s: had to be killed: no end within %s of %s; its log is %s", p.name, stopGrace, sig, p.logPath)
}

// wait returns when the process has ended or ctx has.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: still running: %w", p.name, context.Cause(ctx))
	}
}

// tail returns the last lines of a log file, as much as helps in an error.
func tail(path string) string {
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

// closers ends parts in the opposite order of their start.
type closers struct {
	once  sync.Once
	steps []func() error
	err   error
}

func (c *closers) add(step func() error) { c.steps = append(c.steps, step) }

// close runs every step, also after one that failed. Idempotent.
func (c *closers) close() error {
	c.once.Do(func() {
		var errs []error
		for _, step := range slices.Backward(c.steps) {
			errs = append(errs, step())
		}
		c.err = errors.Join(errs...)
	})
	return c.err
}
