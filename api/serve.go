package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
