// Package trace follows one transcode through jobs, hosts, Mist, S3 and its callback: its
// id, attempt, host and job are in each line of the log and in each span, and how long a
// step took is told to whoever counts.
//
// A transcode's id is the id of its trace, and the second half of it that of the first
// span: whoever works on it, wherever and whenever, adds to the same trace, with nothing
// kept for it. Jobs carry the span that inserted them in their metadata beside that, so that
// what one step caused lies below it.
package trace

import (
	"context"
	"log/slog"

	"github.com/google/uuid"
)

// Subject is what is worked on. Its zero fields are not known, or don't matter.
type Subject struct {
	Transcode uuid.UUID
	Attempt   int
	Host      string
	Job       int64
}

type subjectKey struct{}

// With adds to what ctx is about.
func With(ctx context.Context, more Subject) context.Context {
	s := Of(ctx)
	if more.Transcode != uuid.Nil {
		s.Transcode = more.Transcode
	}
	if more.Attempt != 0 {
		s.Attempt = more.Attempt
	}
	if more.Host != "" {
		s.Host = more.Host
	}
	if more.Job != 0 {
		s.Job = more.Job
	}
	return context.WithValue(ctx, subjectKey{}, s)
}

// Of is what ctx is about.
func Of(ctx context.Context) Subject {
	s, _ := ctx.Value(subjectKey{}).(Subject)
	return s
}

// The names of a subject's fields, in lines and spans.
const (
	keyTranscode = "transcode"
	keyAttempt   = "attempt"
	keyHost      = "host"
	keyJob       = "job"
)

func (s Subject) fields() []slog.Attr {
	var fields []slog.Attr
	if s.Transcode != uuid.Nil {
		fields = append(fields, slog.String(keyTranscode, s.Transcode.String()))
	}
	if s.Attempt != 0 {
		fields = append(fields, slog.Int(keyAttempt, s.Attempt))
	}
	if s.Host != "" {
		fields = append(fields, slog.String(keyHost, s.Host))
	}
	if s.Job != 0 {
		fields = append(fields, slog.Int64(keyJob, s.Job))
	}
	return fields
}
