package livepeer

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"weir/internal/mistsim/shm"
)

// hang waits without an end and without an ear for SIGTERM, as the real process
// was seen to do on bad sources; only a SIGKILL or the end of the host stops it.
func (p *Process) hang(ctx context.Context, complaint string) int {
	deafen()
	host, err := p.link.Stream(ctx, "/attach", shm.Attach{PID: p.pid, Source: p.opt.Source})
	if err != nil {
		return exitFailed
	}
	defer host.Close()
	p.log("WARN", complaint)
	_, _ = io.Copy(io.Discard, host)
	return exitFailed
}

// wait is a hang before any thread runs: SIGTERM still ends it.
func (p *Process) wait(ctx context.Context) int {
	host, err := p.link.Stream(ctx, "/attach", shm.Attach{PID: p.pid})
	if err != nil {
		return exitFailed
	}
	defer host.Close()
	_, _ = io.Copy(io.Discard, host)
	return exitFailed
}

// hangAtStart is how some starts were seen to go on a busy machine: no session, so
// no source thread, and nothing is ever posted. The input is not used and goes when
// it has been idle long enough; then the process dies of a segmentation fault.
func (p *Process) hangAtStart(ctx context.Context, h *shm.Hang) int {
	if h.As == shm.HangBuffer {
		return p.endAtOnce(ctx)
	}
	deafen()
	host, err := p.link.Stream(ctx, "/attach", shm.Attach{PID: p.pid})
	if err != nil {
		return exitFailed
	}
	defer host.Close()
	p.log("INFO", "Running source thread...")
	switch h.As {
	case shm.HangSession:
		p.logAt("FAIL", "procs.cpp:521", fmt.Sprintf("Could not start process %s %s : Bad address", filepath.Join(p.dir, "MistSession"), p.opt.Source))
	default:
		p.log("FAIL", "Unable to open page MstSession"+random(sessionLen))
		p.log("INFO", "Cannot connect to session")
		p.log("INFO", "Stopping source thread...")
		pause(ctx, h.Boot)
		p.log("WARN", "Timeout waiting for source thread to boot!")
	}
	gone := make(chan struct{})
	go func() { // ends with the host's answer
		_, _ = io.Copy(io.Discard, host)
		close(gone)
	}()
	ctx, stop := context.WithTimeout(ctx, h.For)
	defer stop()
	select {
	case <-gone:
		return exitFailed
	case <-ctx.Done():
		return crash(syscall.SIGSEGV)
	}
}

// endAtOnce is how eleven of some 540 starts were seen to go on Upstream: no buffer for the
// renditions could be started, so nothing is posted, and the process ends as one that is through.
func (p *Process) endAtOnce(ctx context.Context) int {
	p.log("INFO", "Running source thread...")
	p.log("INFO", "Running sink thread...")
	p.logAt("FAIL", "procs.cpp:521", fmt.Sprintf("Could not start process %s -s %s : Bad address", filepath.Join(p.dir, "MistInBuffer"), p.opt.Sink))
	p.log("WARN", "Could not start buffer, cancelling")
	p.log("INFO", "Input closing without a set exit reason")
	p.abort(ctx)
	p.log("INFO", "Sink thread shutting down")
	p.log("INFO", "Stopping source thread...")
	p.log("INFO", "Clean shutdown; joining threads")
	p.log("INFO", "Shutdown reason: ")
	return exitOK
}

// abort is the trigger of an input of renditions that ends before its time.
func (p *Process) abort(ctx context.Context) {
	_ = p.link.Call(ctx, "/trigger", shm.Trigger{
		PID: p.pid, Name: "INPUT_ABORT", Stream: p.opt.Sink,
		Body: fmt.Sprintf("%s\n-\nMistInLivepeer\n%d\nUNKNOWN\n", p.opt.Sink, p.pid),
	}, nil)
}

// sessionLen is the length of a session's id in a page's name.
const sessionLen = 16

func deafen() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) }

// crash ends the process by a signal. Go can't do so to itself, so a shell takes
// its place and its id.
func crash(s syscall.Signal) int {
	err := syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", s)}, os.Environ())
	fmt.Fprintln(os.Stderr, "mistsim: crash:", err)
	return exitFailed
}
