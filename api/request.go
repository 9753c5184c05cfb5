package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
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

// legible refuses a query that is not what it seems: net/url leaves out what it can't
// read, a filter say, and Postgres knows no text that is no UTF-8.
func (s *server) legible(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	query, err := url.ParseQuery(r.URL.RawQuery)
	var errs []error
	if err != nil {
		errs = append(errs, refusal("query", "can't be read; write % as %25 and ; as %3B"))
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !utf8.ValidString(name + strings.Join(query[name], "")) {
			errs = append(errs, refusal("query."+name, "is no UTF-8"))
		}
	}
	if len(errs) > 0 {
		s.refuseAtOnce(ctx, http.StatusUnprocessableEntity, "the query can't be read: see errors", errs[:min(len(errs), maxErrors)]...)
		return
	}
	next(ctx)
}

// foreignByte is the place of the first byte that belongs to no UTF-8; the first byte
// of text is 1.
func foreignByte(text []byte) (at int, is bool) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return i + 1, true
		}
		i += size
	}
	return 0, false
}

// escape is the length of a \u with its four digits.
const escape = len(`\u0000`)

// halfCharacter is the place of the first \u of a JSON text that is one half of a pair
// and stands alone.
func halfCharacter(text []byte) (at int, is bool) {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit := escaped(text[i:])
		switch {
		case unit < 0:
			i++ // what is escaped may be a backslash
		case !utf16.IsSurrogate(unit):
			i += escape - 1
		case utf16.DecodeRune(unit, escaped(text[i+escape:])) == utf8.RuneError:
			return i + 1, true
		default:
			i += 2*escape - 1
		}
	}
	return 0, false
}

// escaped is the code unit that a \u at the begin of text stands for; below 0 when it
// begins with none.
func escaped(text []byte) rune {
	if len(text) < escape || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:escape]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
