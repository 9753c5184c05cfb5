package livepeer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"weir/internal/mistsim/shm"
)

// InputName is the program name under which this program is an input.
const InputName = "MistInTS"

// startInput starts the source's input as the real process does: as a child in the
// same session, which outlives it.
func (p *Process) startInput() {
	exe, err := os.Executable()
	if err != nil {
		p.log("FAIL", fmt.Sprintf("Could not start process %s: %v", InputName, err))
		return
	}
	cmd := exec.Command(exe) //nolint:noctx // it outlives us
	cmd.Args = []string{InputName, "-s", p.opt.Source, p.source.Path}
	cmd.Env = append(os.Environ(), shm.DirEnv+"="+p.dir)
	if err := cmd.Start(); err != nil {
		p.log("FAIL", fmt.Sprintf("Could not start process %s: %v", InputName, err))
		return
	}
	go func() { _ = cmd.Wait() }() // so that no zombie is left while we live
}

const (
	metaPageBytes = 8432 // of the page with a file's metadata, as seen
	pageMode      = 0o777
)

// RunInput is the body of an input process, the stand-in MistInTS. It keeps the
// source's pages until SIGTERM comes or the host goes, takes its time to remove
// them, and returns the exit code. A SIGKILL leaves them where they are.
func RunInput(ctx context.Context, socket, stream string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(terminated)
	link := shm.Dial(socket)
	defer link.Close()
	host, err := link.Stream(ctx, "/input", shm.Attach{PID: os.Getpid(), Source: stream})
	if err != nil {
		return exitFailed // the stream is over already, or the host
	}
	defer host.Close()
	in := bufio.NewReader(host)
	var order shm.InputOrder
	line, err := in.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &order) != nil {
		return exitFailed
	}
	if err := createPages(&order); err != nil {
		fmt.Fprintln(os.Stderr, "mistsim input:", err)
	}
	if order.Deaf {
		signal.Stop(terminated)
		deafen()
	}
	gone := make(chan struct{})
	go func() { // ends with the host's answer
		_, _ = io.Copy(io.Discard, in)
		close(gone)
	}()
	select {
	case <-terminated:
	case <-gone:
	}
	pause(ctx, order.Stop)
	if err := removePages(&order); err != nil {
		fmt.Fprintln(os.Stderr, "mistsim input:", err)
	}
	_ = link.Call(ctx, "/inputend", shm.Attach{PID: os.Getpid(), Source: stream}, nil) // the host may be gone
	return exitOK
}

// createPages makes files of the right size that take no room.
func createPages(order *shm.InputOrder) error {
	var all []error
	for _, page := range append([]shm.Page{{Name: order.Meta, Bytes: metaPageBytes}}, order.Pages...) {
		f, err := os.OpenFile(filepath.Join(order.Dir, page.Name), os.O_CREATE|os.O_RDWR, pageMode)
		if err != nil {
			all = append(all, fmt.Errorf("make page: %w", err))
			continue
		}
		all = append(all, f.Truncate(page.Bytes), f.Close())
	}
	return errors.Join(all...)
}

func removePages(order *shm.InputOrder) error {
	all := []error{removePage(order.Dir, order.Meta)}
	for _, page := range order.Pages {
		all = append(all, removePage(order.Dir, page.Name))
	}
	return errors.Join(all...)
}

func removePage(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove page: %w", err)
	}
	return nil
}
