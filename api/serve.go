package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"slices"
	"time"
)

const (
	// requestTimeout bounds the work on one request: all of it is a few short queries.
	requestTimeout = 20 * time.Second
	// readHeaderTimeout and readTimeout keep slow senders from holding connections;
	// the largest body takes a second on a slow line.
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	// writeTimeout leaves a request its whole time, and the answer some.
	writeTimeout = readTimeout + requestTimeout + 10*time.Second
	// idleTimeout outlasts the minute after which most load balancers close.
	idleTimeout = 75 * time.Second
	// maxHeaderBytes holds a long token and a long path, and little more.
	maxHeaderBytes = 32 << 10
	// drainTimeout is what requests get to end after a stop.
	drainTimeout = 10 * time.Second
)

// Serve answers requests on listener, which it closes, until ctx ends; then it
// waits up to 10 s for those it has begun and returns nil. An error says that
// the listener failed.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the API on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		logger.Warn("requests were cut at the stop", "error", err)
		_ = srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API on %s: %w", listener.Addr(), err)
	}
	return nil
}

// readyTimeout is shorter than the patience of load balancers, so that they get
// the answer and not silence.
const readyTimeout = 2 * time.Second

type healthOutput struct{ Body Health }

// Health is the answer of /healthz.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

func (s *server) health(context.Context, *struct{}) (*healthOutput, error) {
	return &healthOutput{Body: Health{Status: "ok"}}, nil
}

type readyOutput struct {
	Status int
	Body   Readiness
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready        bool              `json:"ready"`
	Dependencies map[string]string `json:"dependencies" doc:"Each by name: ok or failing."`
	Failing      []string          `json:"failing,omitempty" doc:"The checks that fail, by their codes in docs/doctor.md."`
}

// Failing is an error of Config.Ready that names the check which finds it.
type Failing interface {
	error
	// CheckCode is the check's, of docs/doctor.md.
	CheckCode() string
	// KeepsServing: it is told, and the API serves all the same.
	KeepsServing() bool
}

var readinessType = reflect.TypeFor[Readiness]()

// ready asks all dependencies. Why one fails is for the log: anybody may ask here.
func (s *server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	out := &readyOutput{Status: http.StatusOK, Body: Readiness{Ready: true, Dependencies: map[string]string{}}}
	for name, err := range s.cfg.Ready(ctx) {
		out.Body.Dependencies[name] = "ok"
		if err != nil {
			s.cfg.Logger.Warn("not ready", "dependency", name, "error", err)
			out.Body.Dependencies[name] = "failing"
			check, named := errors.AsType[Failing](err)
			if named {
				out.Body.Failing = append(out.Body.Failing, check.CheckCode())
			}
			if !named || !check.KeepsServing() {
				out.Status, out.Body.Ready = http.StatusServiceUnavailable, false
			}
		}
	}
	slices.Sort(out.Body.Failing)
	return out, nil
}
