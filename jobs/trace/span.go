package trace

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Step is a part of the work on a transcode. Each one is a span, and a duration.
type Step string

// The steps, in the order of their first.
const (
	Accept    Step = "accept"
	Place     Step = "place"
	Fetch     Step = "fetch"
	Probe     Step = "probe"
	Prepare   Step = "prepare"
	Transcode Step = "transcode"
	Push      Step = "push"
	Finish    Step = "finish"
	Judge     Step = "judge"
	Upload    Step = "upload"
	Package   Step = "package"
	Callback  Step = "callback"
)

// Steps are all of them.
func Steps() []Step {
	return []Step{Accept, Place, Fetch, Probe, Prepare, Transcode, Push, Finish, Judge, Upload, Package, Callback}
}

// errorShown is how much of an error a span shows.
const errorShown = 300

// Tracer records steps. A nil one, or one without fields, records nothing.
type Tracer struct {
	// Spans makes the spans; nil: none.
	Spans trace.Tracer
	// Took is told how long each step took, and whether it failed; nil: nobody.
	Took func(step Step, took time.Duration, failed bool)
}

// Span is a step that was begun.
type Span struct {
	tracer *Tracer
	step   Step
	began  time.Time
	span   trace.Span
}

// Begin begins a step of what ctx is about. Values follow their names, as in slog; none of
// them is a secret.
func (t *Tracer) Begin(ctx context.Context, step Step, args ...any) (context.Context, *Span) {
	s := &Span{tracer: t, step: step, began: time.Now()}
	if t == nil || t.Spans == nil || Of(ctx).Transcode == uuid.Nil {
		return ctx, s
	}
	ctx, s.span = t.Spans.Start(below(ctx), string(step), //nolint:spancheck // End ends it
		trace.WithTimestamp(s.began), trace.WithAttributes(attributes(ctx, args)...))
	return ctx, s
}

// End ends the step, with what came of it.
func (s *Span) End(err error, args ...any) { s.endAt(time.Now(), err, args...) }

func (s *Span) endAt(at time.Time, err error, args ...any) {
	if s.tracer == nil {
		return
	}
	if s.tracer.Took != nil {
		s.tracer.Took(s.step, at.Sub(s.began), err != nil)
	}
	if s.span == nil {
		return
	}
	s.span.SetAttributes(pairs(args)...)
	failed(s.span, err)
	s.span.End(trace.WithTimestamp(at))
}

func failed(span trace.Span, err error) {
	if err == nil {
		return
	}
	text := err.Error()
	span.SetStatus(codes.Error, text[:min(len(text), errorShown)])
}

// Record is Begin and End of a step that is over: what began it may have been another
// process, and the rows know when.
func (t *Tracer) Record(ctx context.Context, step Step, began, ended time.Time, args ...any) {
	if t == nil {
		return
	}
	if ended.Before(began) { // the database's clock, and this one
		ended = began
	}
	s := &Span{tracer: t, step: step, began: began}
	if t.Spans != nil && Of(ctx).Transcode != uuid.Nil {
		_, s.span = t.Spans.Start(below(ctx), string(step), //nolint:spancheck // endAt ends it
			trace.WithTimestamp(began), trace.WithAttributes(attributes(ctx, args)...))
	}
	s.endAt(ended, nil)
}

// RecordAccept records the first span of a trace, when its transcode is committed. Where the
// request came with a trace of its own, it is linked.
func (t *Tracer) RecordAccept(ctx context.Context, transcode uuid.UUID, began time.Time, args ...any) {
	if t == nil {
		return
	}
	ctx = With(ctx, Subject{Transcode: transcode})
	s := &Span{tracer: t, step: Accept, began: began}
	if t.Spans != nil {
		options := []trace.SpanStartOption{
			trace.WithNewRoot(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes(ctx, args)...),
		}
		if caller, ok := ctx.Value(callerKey{}).(trace.SpanContext); ok {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: caller}))
		}
		_, s.span = t.Spans.Start(context.WithValue(ctx, rootKey{}, transcode), string(Accept), options...) //nolint:spancheck // End ends it
	}
	s.End(nil)
}

// below is ctx with the span that its next one is below: the one it has, else the first of
// the transcode's trace.
func below(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).TraceID() == trace.TraceID(Of(ctx).Transcode) {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, root(Of(ctx).Transcode))
}

// root is the first span of a transcode's trace.
func root(transcode uuid.UUID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(transcode), SpanID: trace.SpanID(transcode[8:]), TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

type rootKey struct{}

// IDs names spans for the SDK: the first one of a trace by its transcode, all others by chance.
type IDs struct{}

// NewIDs names the first span of a trace.
func (i IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if transcode, ok := ctx.Value(rootKey{}).(uuid.UUID); ok {
		first := root(transcode)
		return first.TraceID(), first.SpanID()
	}
	id := uuid.New()
	return trace.TraceID(id), i.NewSpanID(ctx, trace.TraceID(id))
}

// NewSpanID names one below another.
func (IDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:]) // it never fails (crypto/rand)
	return id
}

func attributes(ctx context.Context, args []any) []attribute.KeyValue {
	var all []attribute.KeyValue
	for _, field := range Of(ctx).fields() {
		all = append(all, attributeOf(field))
	}
	return append(all, pairs(args)...)
}

func pairs(args []any) []attribute.KeyValue {
	var all []attribute.KeyValue
	line := slog.Record{}
	line.Add(args...)
	line.Attrs(func(field slog.Attr) bool {
		all = append(all, attributeOf(field))
		return true
	})
	return all
}

// attributeOf has the names of ours apart from those of OpenTelemetry.
func attributeOf(field slog.Attr) attribute.KeyValue {
	name, value := "weir."+field.Key, field.Value.Resolve()
	switch value.Kind() {
	case slog.KindInt64:
		return attribute.Int64(name, value.Int64())
	case slog.KindUint64:
		return attribute.Int64(name, int64(value.Uint64()))
	case slog.KindFloat64:
		return attribute.Float64(name, value.Float64())
	case slog.KindBool:
		return attribute.Bool(name, value.Bool())
	case slog.KindDuration:
		return attribute.Float64(name, value.Duration().Seconds())
	default:
		return attribute.String(name, fmt.Sprint(value.Any()))
	}
}
