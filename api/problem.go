package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/jobs"
)

// retryAfter is when a caller may find the database back: longer than a restart
// of Postgres takes.
const retryAfter = 10 * time.Second

const internalDetail = "something went wrong on our side; the log says what. Try again, with the same external_id"

// refusal is a field that can't be accepted.
func refusal(location, message string) error {
	return &huma.ErrorDetail{Location: location, Message: message}
}

// refuse answers a body that can't be accepted, with all that is wrong with it.
func refuse(errs []error) error {
	return huma.Error422UnprocessableEntity("the request can't be accepted as it is: see errors", errs...)
}

// problem turns an error of an operation into its answer. What is not the caller's
// doing is logged here, once.
func (s *server) problem(ctx context.Context, operation string, err error) error {
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return huma.Error404NotFound("there is no such transcode", refusal("path.id", "this tenant has no transcode with this id"))
	case errors.Is(err, jobs.ErrConflict):
		return huma.Error409Conflict("this external_id was used for a different request",
			refusal("body.external_id", "use a new one, or send the same body again"))
	case errors.Is(err, jobs.ErrFinished):
		return huma.Error409Conflict("the transcode has ended before", refusal("path.id", "only a transcode that has not ended can be cancelled"))
	case errors.Is(err, jobs.ErrNotFailed):
		return huma.Error409Conflict("only a failed transcode can be retried",
			refusal("path.id", "it has not failed; send run to ask again safely for the retry of a run"))
	case errors.Is(err, jobs.ErrNotEnded):
		return huma.Error409Conflict("the transcode has not ended", refusal("path.id", "its callback comes with its end: cancel it, or wait"))
	}
	if full, ok := errors.AsType[*jobs.QueueFull](err); ok {
		return huma.ErrorWithHeaders(huma.Error429TooManyRequests(fmt.Sprintf("%d transcodes of this tenant wait, which is its limit; try again later, with the same body", full.Most)),
			retryIn(full.Wait))
	}
	if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
		s.cfg.Logger.Error("request failed", "operation", operation, "error", err)
	}
	if unavailable(err) {
		return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("the database can't be reached now, or is busy; try again, with the same external_id"),
			retryIn(retryAfter))
	}
	return huma.Error500InternalServerError(internalDetail)
}

// retryIn says when to try again, in whole seconds.
func retryIn(wait time.Duration) http.Header {
	return http.Header{"Retry-After": {strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))}}
}

// unavailable reports whether waiting can help.
func unavailable(err error) bool {
	var refused *pgconn.ConnectError
	var answered *pgconn.PgError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &refused), pgconn.Timeout(err):
		return true
	case errors.As(err, &answered):
		// Postgres' classes of errors: connection, no resources, an operator's doing or a
		// statement's time; then a lock that another held for too long, and a transaction that
		// was found idle.
		return len(answered.Code) > 2 && slices.Contains([]string{"08", "53", "57"}, answered.Code[:2]) ||
			slices.Contains([]string{"55P03", "25P03"}, answered.Code)
	}
	return false
}

// withoutValues is the last thing that an answer goes through. Huma adds the value
// that was refused to its refusals, and it may be a secret.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	answer := *model
	answer.Errors = nil
	for _, detail := range model.Errors {
		answer.Errors = append(answer.Errors, &huma.ErrorDetail{Location: plainLocation(detail.Location), Message: detail.Message})
	}
	return &answer, nil
}

// maxNameShown is above every field that we know.
const maxNameShown = 40

// plainLocation keeps what a caller wrote as a name out of a location, unless it
// looks like one.
func plainLocation(location string) string {
	place, name, found := strings.Cut(location, ".")
	if found && place == "query" && !plainName(name) {
		return place
	}
	return location
}

func plainName(name string) bool {
	return name != "" && len(name) <= maxNameShown && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// noRoute answers in our form what the standard library's handler found: 404, or
// 405 with what is allowed.
func noRoute(w http.ResponseWriter, r *http.Request, found http.Handler) {
	answer := &headers{header: http.Header{}}
	found.ServeHTTP(answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", answer.header.Get("Allow"))
		writeProblem(w, http.StatusMethodNotAllowed, "this path takes only "+answer.header.Get("Allow"))
		return
	}
	writeProblem(w, http.StatusNotFound, "there is nothing at this path: see /docs")
}

// headers takes an answer without its body.
type headers struct {
	header http.Header
	status int
}

func (h *headers) Header() http.Header         { return h.header }
func (h *headers) Write(b []byte) (int, error) { return len(b), nil }
func (h *headers) WriteHeader(status int)      { h.status = status }

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// A caller that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}
