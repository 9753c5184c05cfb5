package api

import (
	"context"
	"net/http"
	"time"
)

// ServeHTTP implements http.Handler: it knows the caller, bounds the time, logs one
// line, and leaves the rest to the routes.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	who, token := s.identify(r)
	life := context.WithValue(context.WithValue(r.Context(), callerKey{}, who), tokenKey{}, token)
	ctx, cancel := context.WithTimeout(context.WithValue(life, lifeKey{}, life), requestTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	answer := &recorder{ResponseWriter: w}
	// What an answer holds is a tenant's, and is what it says it is.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// The route and never the path, its query or a body: these are the caller's.
	defer func() {
		s.cfg.Logger.Info("request", "method", knownMethod(r.Method), "route", r.Pattern, "status", answer.status,
			"duration", time.Since(began).Round(time.Microsecond), "tenant", string(who))
	}()
	defer s.caught(answer, r)

	if handler, pattern := s.mux.Handler(r); pattern == "" {
		noRoute(answer, r, handler)
		return
	}
	s.mux.ServeHTTP(answer, r)
}

type lifeKey struct{}

// lifeOf is a request's context without the limit that one has for its work: a stream lives
// as long as its connection.
func lifeOf(ctx context.Context) context.Context {
	life, ok := ctx.Value(lifeKey{}).(context.Context)
	if !ok {
		return ctx
	}
	return life
}

// caught answers for a handler that panicked, which is our own fault always.
func (s *server) caught(w *recorder, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value that net/http asks handlers to panic with
		panic(cause)
	}
	s.cfg.Logger.Error("request panicked", "route", r.Pattern, "panic", cause)
	if w.status == 0 {
		writeProblem(w, http.StatusInternalServerError, internalDetail)
	}
}

// knownMethod keeps made-up methods out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// recorder remembers the status that was answered.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
