package web

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
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	// writeTimeout is for pages; streams and what is played set their own.
	writeTimeout = 45 * time.Second
	idleTimeout  = 75 * time.Second
	// maxHeaderBytes holds a long path and the cookies, and little more.
	maxHeaderBytes = 32 << 10
	// drainTimeout is what requests get to end after a stop.
	drainTimeout = 5 * time.Second
)

// Serve answers on listener, which it closes, until ctx ends. Streams end then.
func (p *Pages) Serve(ctx context.Context, listener net.Listener) error {
	if err := p.start(ctx); err != nil {
		return err
	}
	srv := &http.Server{
		Handler: p, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelWarn),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the pages on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		_ = srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the pages on %s: %w", listener.Addr(), err)
	}
	return nil
}
