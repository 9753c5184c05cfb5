package trace

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Jobs hands on in River's jobs what they are about: in their metadata the span that
// inserted them, in their context, where they are worked, transcode, attempt, host and job.
type Jobs struct {
	river.MiddlewareDefaults

	Tracer *Tracer
	// Host is this daemon's.
	Host string
	// Log is told of jobs that River took back from who had them in hand; nil: nobody is.
	Log *slog.Logger

	about known
}

var (
	_ rivertype.JobInsertMiddleware = (*Jobs)(nil)
	_ rivertype.WorkerMiddleware    = (*Jobs)(nil)
)

// parent is the field of a job's metadata, as W3C's Trace Context writes it.
const parent = "traceparent"

// about is what the arguments of Weir's jobs have in common.
type about struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
	Attempt     int       `json:"attempt"`
}

func aboutOf(args []byte) (a about) {
	_ = json.Unmarshal(args, &a) // what is no JSON is about nothing
	return a
}

// InsertMany implements rivertype.JobInsertMiddleware.
func (j *Jobs) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams,
	insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	if j.Tracer == nil || j.Tracer.Spans == nil {
		return insert(ctx)
	}
	for _, job := range jobs {
		of := trace.SpanContextFromContext(ctx)
		if a := aboutOf(job.EncodedArgs); a.TranscodeID != uuid.Nil && of.TraceID() != trace.TraceID(a.TranscodeID) {
			of = root(a.TranscodeID)
		}
		if of.IsValid() {
			job.Metadata = withParent(job.Metadata, of)
		}
	}
	return insert(ctx)
}

// withParent adds a span to metadata, unless there is one.
func withParent(metadata []byte, of trace.SpanContext) []byte {
	fields := map[string]json.RawMessage{}
	if len(metadata) > 0 && json.Unmarshal(metadata, &fields) != nil || fields[parent] != nil {
		return metadata
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), of), carrier)
	text, err := json.Marshal(carrier[parent])
	if err != nil {
		return metadata
	}
	fields[parent] = text
	with, err := json.Marshal(fields)
	if err != nil {
		return metadata
	}
	return with
}

// parentOf is ctx with the span of a job's metadata, where there is one.
func parentOf(ctx context.Context, metadata []byte) context.Context {
	var fields struct {
		Parent string `json:"traceparent"`
	}
	if json.Unmarshal(metadata, &fields) != nil || fields.Parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{parent: fields.Parent})
}

// Work implements rivertype.WorkerMiddleware.
func (j *Jobs) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	a := aboutOf(job.EncodedArgs)
	subject := Subject{Transcode: a.TranscodeID, Attempt: a.Attempt, Job: job.ID}
	if a.TranscodeID != uuid.Nil { // of a host
		subject.Host = j.Host
	}
	ctx = With(ctx, subject)
	j.about.begin(job.ID, subject)
	defer j.about.end(job.ID)
	j.rescued(ctx, job)
	if j.Tracer == nil || j.Tracer.Spans == nil {
		return work(ctx)
	}
	ctx = parentOf(ctx, job.Metadata)
	if a.TranscodeID != uuid.Nil {
		ctx = below(ctx)
	} else if of := trace.SpanContextFromContext(ctx); of.IsValid() { // a callback's
		ctx = With(ctx, Subject{Transcode: uuid.UUID(of.TraceID())})
		j.about.begin(job.ID, Of(ctx))
	} else {
		return work(ctx) // of no transcode, or of one that its worker finds out
	}
	ctx, span := j.Tracer.Spans.Start(ctx, "job "+job.Kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(
		attributes(ctx, nil), attribute.String("weir.queue", job.Queue), attribute.Int("weir.try", job.Attempt))...))
	err := work(ctx)
	if !expected(err) {
		failed(span, err)
	}
	span.End()
	return err
}

// expected are the errors by which a job says when it comes again, or that it does not.
func expected(err error) bool {
	var snooze *river.JobSnoozeError
	var cancel *river.JobCancelError
	return errors.As(err, &snooze) || errors.As(err, &cancel)
}

type callerKey struct{}

// Caller is ctx with the span of the caller's own trace that a request's header names.
func Caller(ctx context.Context, header string) context.Context {
	if strings.TrimSpace(header) == "" {
		return ctx
	}
	of := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.WithoutCancel(ctx), propagation.MapCarrier{parent: header}))
	if !of.IsValid() {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, of)
}
