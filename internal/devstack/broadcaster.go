package devstack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// broadcasterStart bounds its start: 0.1 s on an idle machine.
const broadcasterStart = time.Minute

// Broadcaster is a stand-in Livepeer Broadcaster.
type Broadcaster struct {
	// URL is its address, as WEIR_BROADCASTERS has it.
	URL  string
	proc *process
}

// BroadcasterConfig says where a stand-in Broadcaster lives.
type BroadcasterConfig struct {
	// Dir is an existing folder for its log.
	Dir string
	// BinDir holds the broadcaster program (`make build`).
	BinDir string
}

// StartBroadcaster starts a stand-in. It returns when it answers.
func StartBroadcaster(ctx context.Context, cfg *BroadcasterConfig) (*Broadcaster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, broadcasterStart, fmt.Errorf("the broadcaster did not start within %s", broadcasterStart))
	defer cancel()
	program, err := findProgram(cfg.BinDir, "broadcaster")
	if err != nil {
		return nil, err
	}
	return onFreePort(ctx, func(port int) (*Broadcaster, error) {
		cmd := exec.Command(program, "-listen", hostPort(port), "-v") //nolint:noctx // lives until Close, not until a context ends
		cmd.Dir = cfg.Dir
		proc, err := startProcess("broadcaster", filepath.Join(cfg.Dir, "broadcaster.log"), cmd, syscall.SIGTERM)
		if err != nil {
			return nil, err
		}
		b := &Broadcaster{URL: "http://" + hostPort(port), proc: proc}
		if err := proc.ready(ctx, func(ctx context.Context) error { return getOK(ctx, b.URL+"/faults") }); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return b, nil
	})
}

// Faults tells it to misbehave; JSON as the broadcaster package has it.
func (b *Broadcaster) Faults(ctx context.Context, faults string) error {
	return postJSON(ctx, b.URL+"/faults", faults)
}

// Close ends it. Idempotent.
func (b *Broadcaster) Close() error { return b.proc.stop(syscall.SIGTERM) }
