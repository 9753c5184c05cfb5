package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"weir/internal/devstack/child"
)

const (
	// studioPath is the path of a callback address, as Studio's task runner has it.
	studioPath = "/task-runner/webhook/catalyst/task/"
	// maxCallback bounds what is read: sixteen renditions need about 10 kB.
	maxCallback = 1 << 20
	// headerTimeout drops connections on which nothing is asked.
	headerTimeout = 10 * time.Second
)

// Studio receives callbacks like Studio's task runner, checks what it receives
// against that contract, and answers as it is told to. Safe for concurrent use.
type Studio struct {
	// URL is the address that callbacks go to: append a task's name.
	URL    string
	log    *slog.Logger
	server *http.Server
	served chan error

	mu       sync.Mutex
	mode     Mode
	received []Callback
	runs     map[string]int // by transcode: how many callbacks of it belong to earlier runs
	problems []error
	changed  chan struct{} // closed and replaced at every callback and answer
}

// StudioConfig says where callbacks are received.
type StudioConfig struct {
	// Listen is the address; a free port of the loopback where empty.
	Listen string
	// Log gets a line for each callback; nil for none.
	Log *slog.Logger
}

// Mode is how callbacks are answered. The zero value accepts them: 204.
type Mode struct {
	// Status is answered; 204 where zero. Studio's own are 204, 400 for bad
	// JSON, 401 and 403, 404 for an unknown task, 422 for one not running, 500.
	Status int
	// Delay is waited before answering, or until the sender hangs up.
	Delay time.Duration
	// Reset drops the connection after the callback was read: the sender can't
	// know that it arrived.
	Reset bool
	// Times ends the mode after so many callbacks; for good where zero.
	Times int
}

// StartStudio listens and returns at once.
func StartStudio(ctx context.Context, cfg *StudioConfig) (*Studio, error) {
	address := cfg.Listen
	if address == "" {
		address = child.HostPort(0)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("studio: %w", err)
	}
	s := &Studio{
		URL: "http://" + listener.Addr().String() + studioPath, log: cfg.Log,
		served: make(chan error, 1), changed: make(chan struct{}), runs: map[string]int{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(studioPath+"{task}", s.serve)
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// Close stops listening and drops open connections. Call it once.
func (s *Studio) Close() error {
	err := s.server.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("studio: close: %w", err)
	}
	return nil
}

// SetMode changes how the next callbacks are answered.
func (s *Studio) SetMode(mode Mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

// Callbacks returns what was received for a transcode, in order, whatever was
// answered.
func (s *Studio) Callbacks(transcode string) []Callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of(transcode, s.received)
}

// NewRun says that an operator retries the transcode: its next callbacks are
// those of a new run, with a terminal one of its own.
func (s *Studio) NewRun(transcode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[transcode] = len(of(transcode, s.received))
}

// Problems returns each breach of the contract so far, of all callbacks.
func (s *Studio) Problems() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// WaitTerminal returns the first callback that ends the transcode, success or
// error, received before or after the call.
func (s *Studio) WaitTerminal(ctx context.Context, transcode string) (Callback, error) {
	return s.wait(ctx, transcode, (*Callback).Terminal)
}

// WaitAccepted is WaitTerminal for a callback that was answered with a 2xx.
func (s *Studio) WaitAccepted(ctx context.Context, transcode string) (Callback, error) {
	return s.wait(ctx, transcode, func(c *Callback) bool { return c.Terminal() && c.Accepted() })
}

func (s *Studio) wait(ctx context.Context, transcode string, want func(*Callback) bool) (Callback, error) {
	for {
		s.mu.Lock()
		found := slices.IndexFunc(s.received, func(c Callback) bool { return c.RequestID == transcode && want(&c) })
		changed := s.changed
		if found >= 0 {
			defer s.mu.Unlock()
			return s.received[found], nil
		}
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Callback{}, fmt.Errorf("studio: no terminal callback of %s: %w", transcode, context.Cause(ctx))
		}
	}
}

func (s *Studio) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	mode := s.next()
	c := Callback{At: time.Now(), Task: r.PathValue("task"), Header: r.Header.Clone(), Body: body, Answer: mode.Status}
	if mode.Reset || mode.Delay > 0 {
		c.Answer = 0 // not before it has one
	}
	place := s.record(r, &c)

	if mode.Delay > 0 {
		timer := time.NewTimer(mode.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if mode.Reset {
		reset(w)
		return
	}
	s.answered(place, mode.Status)
	w.WriteHeader(mode.Status)
}

// next returns the mode of one callback.
func (s *Studio) next() Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	mode := s.mode
	if mode.Status == 0 {
		mode.Status = http.StatusNoContent
	}
	if s.mode.Times == 1 {
		s.mode = Mode{}
	} else if s.mode.Times > 1 {
		s.mode.Times--
	}
	return mode
}

// record keeps a callback with what is wrong about it, and says at which place.
func (s *Studio) record(r *http.Request, c *Callback) int {
	problem := c.read(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem == nil {
		problem = c.follows(of(c.RequestID, s.received)[s.runs[c.RequestID]:])
	}
	if problem != nil {
		problem = fmt.Errorf("callback %d of %s (%s): %w", len(s.received)+1, c.RequestID, c.Status, problem)
		s.problems = append(s.problems, problem)
	}
	s.received = append(s.received, *c)
	s.tell()
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "callback", slog.String("transcode", c.RequestID), slog.String("task", c.Task),
		slog.String("status", c.Status), slog.Float64("ratio", c.Ratio), slog.Int("answer", c.Answer), slog.Any("problem", problem))
	return len(s.received) - 1
}

// answered notes what the callback at that place is answered.
func (s *Studio) answered(place, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received[place].Answer = status
	s.tell()
}

// tell has those look again who wait. The caller holds mu.
func (s *Studio) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func of(transcode string, all []Callback) []Callback {
	var found []Callback
	for i := range all {
		if all[i].RequestID == transcode {
			found = append(found, all[i])
		}
	}
	return found
}

// reset drops the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the connection is gone already
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes the close a reset
	}
	_ = conn.Close()
}
