package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// VODError is how this form's refusals look: one line for what is wrong, one with every
// field. Studio's task runner ends a task for good at any 4xx but 429.
type VODError struct {
	Title  string `json:"error"`
	Detail string `json:"error_detail" doc:"Which fields, and what to do about each."`

	status int
}

// Error implements error.
func (e *VODError) Error() string { return e.Title + ": " + e.Detail }

// GetStatus implements huma.StatusError.
func (e *VODError) GetStatus() int { return e.status }

var _ huma.StatusError = (*VODError)(nil)

// vodErrorOf puts a refusal into the words of this form.
func vodErrorOf(err error) error {
	problem, ok := errors.AsType[*huma.ErrorModel](err)
	if !ok {
		return err
	}
	of := vodErrorFrom(problem)
	if headers, ok := errors.AsType[huma.HeadersError](err); ok {
		return huma.ErrorWithHeaders(of, headers.GetHeaders())
	}
	return of
}

func vodErrorFrom(problem *huma.ErrorModel) *VODError {
	e := &VODError{Title: problem.Detail, status: problem.Status}
	switch problem.Status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		e.Title, e.status = "Invalid request payload", http.StatusBadRequest
	case http.StatusRequestTimeout:
		// The same body may come through the next time.
		e.status = http.StatusServiceUnavailable
	}
	var lines []string
	for _, detail := range problem.Errors {
		at := strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "header.")
		lines = append(lines, at+": "+detail.Message)
	}
	if e.Detail = strings.Join(lines, "; "); e.Detail == "" && e.Title != problem.Detail {
		e.Detail = problem.Detail
	}
	return e
}

// refuseAtOnce answers for a middleware, in the form of the route.
func (s *server) refuseAtOnce(ctx huma.Context, status int, detail string, errs ...error) {
	if ctx.Operation().Path != vodPath {
		_ = huma.WriteErr(s.huma, ctx, status, detail, errs...)
		return
	}
	problem, _ := errors.AsType[*huma.ErrorModel](huma.NewError(status, detail, errs...))
	e := vodErrorFrom(problem)
	ctx.SetHeader("Content-Type", jsonType)
	ctx.SetStatus(e.status)
	// A caller that is gone needs no answer.
	_ = s.huma.Marshal(ctx.BodyWriter(), jsonType, e)
}
