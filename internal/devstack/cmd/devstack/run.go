package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack"
)

// cutGrace is what the command gets to end after Ctrl-C or SIGTERM.
const cutGrace = 20 * time.Second

// run starts the servers and the command, and returns the command's exit code.
func run(ctx context.Context, args []string) (code int, err error) {
	if len(args) < 2 || args[0] != "--" {
		return exitFailed, errUsage
	}
	program, args := args[1], args[2:]
	self, err := os.Executable()
	if err != nil {
		return exitFailed, fmt.Errorf("find my own folder: %w", err)
	}
	servers, err := devstack.StartServers(ctx, &devstack.ServersConfig{BinDir: filepath.Dir(self)})
	if err != nil {
		return exitFailed, err
	}
	defer func() {
		if closeErr := servers.Close(); closeErr != nil {
			code, err = max(code, exitFailed), errors.Join(err, closeErr)
		}
	}()

	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PG") }), servers.Env()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = cutGrace
	// The signal is tied to the thread that forks, which must not end before.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return exitFailed, fmt.Errorf("run %s: %w", program, err)
	}
	return 0, nil
}
