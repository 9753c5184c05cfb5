package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"weir/internal/devstack"
	"weir/secret"
	"weir/test/bench/proc"
)

// asDaemon is this program as one daemon that leads and works, with media, Mist and storage that
// cost nothing: what is measured of it has neither clients nor receivers in it.
const asDaemon = "daemon"

const (
	// databaseVariable holds its database.
	databaseVariable = "WEIR_BENCH_DATABASE"
	// apartSlots it has.
	apartSlots = 100
	// apartStart bounds its start.
	apartStart = time.Minute
)

// apart is where it is found: it prints it once it is there.
type apart struct {
	API string `json:"api"`
	// Control takes what steers it, Triggers what Mist posts.
	Control  string `json:"control"`
	Triggers string `json:"triggers"`
}

// Where Control takes what.
const (
	pathShut   = "/shut"
	pathOpen   = "/open"
	pathMemory = "/memory"
)

// takings are what a daemon takes of the machine, without what the next collection frees.
type takings struct {
	Goroutines int     `json:"goroutines"`
	HeapMB     float64 `json:"heap_mb"`
	ResidentMB float64 `json:"resident_mb"`
	// processor and postgres are what it and its Postgres had before of a core, in percent, where
	// that was looked at.
	processor, postgres float64
}

// daemon is that daemon, until it is told to end.
func daemon(ctx context.Context) (err error) {
	f := &fleet{failed: make(chan error, 1), database: secret.Secret(os.Getenv(databaseVariable))}
	f.marks.Off = true
	defer func() { err = errors.Join(err, f.Close(context.WithoutCancel(ctx))) }()
	if f.folder, err = devstack.NewFolder(); err != nil {
		return err
	}
	if err := f.run(ctx, 1, apartSlots); err != nil {
		return err
	}
	var steer http.ServeMux
	steer.HandleFunc("POST "+pathShut, func(http.ResponseWriter, *http.Request) { f.gate.Shut() })
	steer.HandleFunc("POST "+pathOpen, func(http.ResponseWriter, *http.Request) { f.gate.Open() })
	steer.HandleFunc("GET "+pathMemory, func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(takes()); err != nil {
			f.fail(err)
		}
	})
	control, err := f.serve(ctx, &steer)
	if err != nil {
		return err
	}
	triggers, err := f.serve(ctx, f.engines[0].Triggers)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(apart{API: f.api, Control: control, Triggers: triggers}); err != nil {
		return fmt.Errorf("tell where I am: %w", err)
	}
	select {
	case err := <-f.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func takes() takings {
	debug.FreeOSMemory() // collects first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t := takings{Goroutines: runtime.NumGoroutine(), HeapMB: float64(m.HeapAlloc) / megabyte}
	t.ResidentMB, _ = proc.MemoryMB(os.Getpid(), proc.Resident) // 0 is no figure
	return t
}

const megabyte = 1e6

// startApart starts a Postgres and, beside it, that daemon.
func startApart(ctx context.Context) (f *fleet, err error) {
	f = &fleet{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(context.WithoutCancel(ctx)))
		}
	}()
	if err := f.prepare(ctx); err != nil {
		return f, err
	}
	if err := f.listen(ctx); err != nil {
		return f, err
	}
	self, err := os.Executable()
	if err != nil {
		return f, fmt.Errorf("find my own file: %w", err)
	}
	cmd := exec.Command(self, "-as", asDaemon) //nolint:noctx // it is ended by Close
	cmd.Env = append(os.Environ(), databaseVariable+"="+string(f.database))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return f, fmt.Errorf("start a daemon: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return f, fmt.Errorf("start a daemon: %w", err)
	}
	f.process = cmd
	line := make(chan []byte, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadBytes('\n') // its end leaves no JSON
		line <- text
	}()
	select {
	case text := <-line:
		var at apart
		if err := json.Unmarshal(text, &at); err != nil {
			return f, fmt.Errorf("the daemon does not say where it is: %w", err)
		}
		f.api, f.control, f.triggers = at.API, at.Control, at.Triggers
		return f, nil
	case <-time.After(apartStart):
		return f, fmt.Errorf("the daemon did not start within %s", apartStart)
	case <-ctx.Done():
		return f, context.Cause(ctx)
	}
}

// steer asks its daemon for something.
func (f *fleet) steer(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.control+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("steer: %w", err)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("steer: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("steer: %s: HTTP %d: %w", path, resp.StatusCode, err)
	}
	return text, nil
}

// takes is what its daemon takes.
func (f *fleet) takes(ctx context.Context) (t takings, err error) {
	text, err := f.steer(ctx, http.MethodGet, pathMemory)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return t, err
}

// shut has lifecycles stay at running, wherever the hosts are.
func (f *fleet) shut(ctx context.Context) error {
	if f.control == "" {
		f.gate.Shut()
		return nil
	}
	_, err := f.steer(ctx, http.MethodPost, pathShut)
	return err
}

// letGo has them go on.
func (f *fleet) letGo(ctx context.Context) error {
	if f.control == "" {
		f.gate.Open()
		return nil
	}
	_, err := f.steer(ctx, http.MethodPost, pathOpen)
	return err
}

// endProcess ends its daemon.
func (f *fleet) endProcess() error {
	if f.process == nil {
		return nil
	}
	// It may have ended by itself, which is told by its end.
	_ = f.process.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(fleetStop, func() { _ = f.process.Process.Kill() })
	defer late.Stop()
	if err := f.process.Wait(); err != nil {
		return fmt.Errorf("the daemon's end: %w", err)
	}
	return nil
}
