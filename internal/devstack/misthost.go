package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack/child"
	"weir/mist"
)

// mistStart bounds the start of a stand-in Mist host: 0.1 s on an idle machine.
const mistStart = time.Minute

// MistHost is a machine's MistServer: the stand-in as a process, or a real one
// that is running already.
type MistHost struct {
	// API is the address of its /api2.
	API string
	// BinDir holds its MistProcLivepeer.
	BinDir string
	proc   *child.Child
	start  func() (*child.Child, error)
}

// MistHostConfig says where a stand-in host lives.
type MistHostConfig struct {
	// Dir is an existing folder for its programs, state and log.
	Dir string
	// BinDir holds the mistsim and MistProcLivepeer programs (`make build`).
	BinDir string
	// Flags are more of the program's, say "-flavour=up".
	Flags []string
}

// RealMist is a MistServer that was started by somebody else.
func RealMist(api, binDir string) *MistHost { return &MistHost{API: api, BinDir: binDir} }

// StartMistHost starts a stand-in host. It returns when its API answers.
func StartMistHost(ctx context.Context, cfg *MistHostConfig) (*MistHost, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, mistStart, fmt.Errorf("mistsim did not start within %s", mistStart))
	defer cancel()
	// A MistProcLivepeer finds its controller by the folder that it lies in, so
	// each host has programs of its own.
	for _, name := range []string{"mistsim", "MistProcLivepeer"} {
		program, err := findProgram(cfg.BinDir, name)
		if err != nil {
			return nil, err
		}
		if err := place(program, filepath.Join(cfg.Dir, name)); err != nil {
			return nil, fmt.Errorf("mist host: %w", err)
		}
	}
	return child.OnFreePort(ctx, func(port int) (*MistHost, error) {
		args := append([]string{"-listen", child.HostPort(port), "-dir", cfg.Dir, "-v"}, cfg.Flags...)
		h := &MistHost{API: "http://" + child.HostPort(port) + "/api2", BinDir: cfg.Dir}
		h.start = func() (*child.Child, error) {
			cmd := exec.Command(filepath.Join(cfg.Dir, "mistsim"), args...) //nolint:noctx // lives until Close, not until a context ends
			cmd.Dir = cfg.Dir
			return child.Start("mistsim", filepath.Join(cfg.Dir, "mistsim.log"), cmd, syscall.SIGTERM)
		}
		if err := h.Restart(ctx); err != nil {
			return nil, errors.Join(err, h.Close())
		}
		return h, nil
	})
}

// Restart starts the stand-in's controller again after [MistHost.Kill], on the
// same address.
func (h *MistHost) Restart(ctx context.Context) error {
	proc, err := h.start()
	if err != nil {
		return err
	}
	h.proc = proc
	client, err := mist.New(&mist.Config{URL: h.API})
	if err != nil {
		return err
	}
	defer client.Close()
	return proc.Ready(ctx, func(ctx context.Context) error {
		_, err := client.Info(ctx)
		return err
	})
}

// Kill is kill -9 of the stand-in's controller. It returns when it is gone.
func (h *MistHost) Kill() error { return h.proc.Stop(syscall.SIGKILL) }

// Close ends the stand-in; a real Mist is left running. Idempotent.
func (h *MistHost) Close() error {
	if h.proc == nil {
		return nil
	}
	return h.proc.Stop(syscall.SIGTERM)
}

// Simulated tells whether the host is a stand-in, which can be told to
// misbehave and can be killed.
func (h *MistHost) Simulated() bool { return h.proc != nil }

// Faults tells the stand-in to misbehave; JSON as the mistsim package has it.
func (h *MistHost) Faults(ctx context.Context, faults string) error {
	return postJSON(ctx, strings.TrimSuffix(h.API, "/api2")+"/mistsim/faults", faults)
}

// Forge has the stand-in send a trigger for which nothing happened; JSON as the mistsim
// package has it.
func (h *MistHost) Forge(ctx context.Context, forgery string) error {
	return postJSON(ctx, strings.TrimSuffix(h.API, "/api2")+"/mistsim/forge", forgery)
}

// place puts a program into another folder: a hard link, or a copy where the
// folder is on another file system.
func place(program, path string) error {
	if err := os.Link(program, path); err == nil {
		return nil
	}
	from, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("copy %s: %w", program, err)
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return fmt.Errorf("copy %s: %w", program, err)
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", program, err)
	}
	return nil
}
