package devstack

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// What fails in a fleet: programs that die, and programs that stand still with all
// their connections open, as a machine does that swaps or loses its disk.

// Kill is kill -9 of the server and of all that serves a connection. It returns when
// the server is gone.
func (p *Postgres) Kill() error {
	// Children that outlive the server hold its memory, and the next one refuses to start.
	if err := p.signalAll(syscall.SIGSTOP); err != nil {
		return err
	}
	return errors.Join(p.signalAll(syscall.SIGKILL), p.proc.Stop(syscall.SIGKILL))
}

// Pause stops the server and all that serves a connection, until Resume.
func (p *Postgres) Pause() error { return p.signalAll(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (p *Postgres) Resume() error { return p.signalAll(syscall.SIGCONT) }

// signalAll reaches the server and its children, each of which is a session of its own.
func (p *Postgres) signalAll(sig syscall.Signal) error {
	pid := p.proc.PID()
	children, err := childrenOf(pid)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	for _, pid := range append([]int{pid}, children...) {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("postgres: send %s to %d: %w", sig, pid, err)
		}
	}
	return nil
}

// childrenOf reads the kernel's list (proc(5)), which is right while the parent stands
// still.
func childrenOf(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("list the children of %d: %w", pid, err)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("list the children of %d: %w", pid, err)
		}
		pids = append(pids, child)
	}
	return pids, nil
}

// Pause stops the stand-in's controller, until Resume: it answers nothing, and its
// connections stay open.
func (h *MistHost) Pause() error { return h.proc.Signal(syscall.SIGSTOP) }

// Resume lets a paused controller go on.
func (h *MistHost) Resume() error { return h.proc.Signal(syscall.SIGCONT) }

// Alive tells whether the stand-in's controller runs, paused or not.
func (h *MistHost) Alive() bool { return h.proc.Alive() }

// Log is the path of the stand-in's log file.
func (h *MistHost) Log() string { return h.proc.Log }

// Pause stops the daemon, until Resume.
func (d *Daemon) Pause() error { return d.proc.Signal(syscall.SIGSTOP) }

// Resume lets a paused daemon go on.
func (d *Daemon) Resume() error { return d.proc.Signal(syscall.SIGCONT) }
