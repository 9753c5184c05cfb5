// Command devstack runs another command beside a private Postgres and a private
// S3 server, which it finds by these variables, and ends them after it:
//
//	devstack run -- go test ./...
//
//	WEIR_TEST_DATABASE_URL    the maintenance database, as a superuser
//	WEIR_TEST_S3_ENDPOINT     http://host:port; path style
//	WEIR_TEST_S3_REGION
//	WEIR_TEST_S3_ACCESS_KEY
//	WEIR_TEST_S3_SECRET_KEY
//	WEIR_BIN_DIR              the built programs; where devstack itself lies
//
// PG* variables are taken out. The exit code is the command's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack"
)

const (
	// exitFailed is our own failure, apart from most commands' codes.
	exitFailed = 125
	// cutGrace is what the command gets to end after Ctrl-C or SIGTERM.
	cutGrace = 20 * time.Second
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
	}
	os.Exit(code)
}

// run starts the servers and the command, and returns the command's exit code.
func run() (code int, err error) {
	if len(os.Args) < 4 || os.Args[1] != "run" || os.Args[2] != "--" {
		return exitFailed, errors.New("usage: devstack run -- COMMAND [ARGUMENT...]")
	}
	self, err := os.Executable()
	if err != nil {
		return exitFailed, fmt.Errorf("find my own folder: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	servers, err := devstack.StartServers(ctx, &devstack.ServersConfig{BinDir: filepath.Dir(self)})
	if err != nil {
		return exitFailed, err
	}
	defer func() {
		if closeErr := servers.Close(); closeErr != nil {
			code, err = max(code, exitFailed), errors.Join(err, closeErr)
		}
	}()

	cmd := exec.CommandContext(ctx, os.Args[3], os.Args[4:]...)
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
		return exitFailed, fmt.Errorf("run %s: %w", os.Args[3], err)
	}
	return 0, nil
}
