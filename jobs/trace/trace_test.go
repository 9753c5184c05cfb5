package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func recorder(t *testing.T) (*Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans), trace.WithIDGenerator(IDs{}))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.WithoutCancel(t.Context()))) })
	return &Tracer{Spans: provider.Tracer("test")}, spans
}

// A line says what its context is about, once, and what it says itself is left as it is.
func TestLinesOfASubject(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(Lines(slog.NewTextHandler(&text, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, field slog.Attr) slog.Attr {
			if field.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return field
		},
	})))
	id := uuid.MustParse("01a21b03-9715-7951-8b56-1f04ff1b024a")
	ctx := With(With(t.Context(), Subject{Transcode: id, Host: "m1"}), Subject{Attempt: 2, Job: 7})
	log.InfoContext(t.Context(), "about nothing")
	log.InfoContext(ctx, "about it")
	log.With("attempt", 1).InfoContext(ctx, "of the one before", "host", "m2")
	require.Equal(t, `level=INFO msg="about nothing"
level=INFO msg="about it" transcode=01a21b03-9715-7951-8b56-1f04ff1b024a attempt=2 host=m1 job=7
level=INFO msg="of the one before" attempt=1 host=m2 transcode=01a21b03-9715-7951-8b56-1f04ff1b024a job=7
`, text.String())
}

// What a job inserts lies below it, whoever works it, and a job that nobody traced is of its
// transcode's trace all the same.
func TestJobsHandOn(t *testing.T) {
	t.Parallel()
	tracer, spans := recorder(t)
	jobs := &Jobs{Tracer: tracer, Host: "m1"}
	id := uuid.Must(uuid.NewV7())
	args, err := json.Marshal(about{id, 1})
	require.NoError(t, err)
	inserted := []*rivertype.JobInsertParams{
		{EncodedArgs: []byte(`{"callback_id": "x"}`), Metadata: []byte(`{"river:x": 1}`)}, {EncodedArgs: []byte(`{}`), Metadata: []byte(`no JSON`)},
	}
	work := func(ctx context.Context) error {
		require.Equal(t, Subject{Transcode: id, Attempt: 1, Host: "m1", Job: 5}, Of(ctx))
		_, span := tracer.Begin(ctx, Upload)
		span.End(errors.New("no room"))
		_, err := jobs.InsertMany(ctx, inserted, func(context.Context) ([]*rivertype.JobInsertResult, error) { return nil, nil })
		require.NoError(t, err)
		return river.JobSnooze(time.Second)
	}
	require.Error(t, jobs.Work(t.Context(), &rivertype.JobRow{ID: 5, Kind: "store", EncodedArgs: args}, work))
	require.Equal(t, "no JSON", string(inserted[1].Metadata))
	require.Contains(t, string(inserted[0].Metadata), `"river:x":1`)
	require.NoError(t, jobs.Work(t.Context(), &rivertype.JobRow{ID: 6, Kind: "callback", EncodedArgs: inserted[0].EncodedArgs, Metadata: inserted[0].Metadata},
		func(ctx context.Context) error {
			require.Equal(t, id, Of(ctx).Transcode)
			return nil
		}))
	tracer.RecordAccept(t.Context(), id, time.Now())

	ended := spans.Ended()
	require.Len(t, ended, 4)
	upload, store, callback, accept := ended[0], ended[1], ended[2], ended[3]
	for _, span := range ended {
		require.Equal(t, root(id).TraceID(), span.SpanContext().TraceID())
	}
	require.Equal(t, store.SpanContext().SpanID(), upload.Parent().SpanID())
	require.Equal(t, "no room", upload.Status().Description)
	require.Equal(t, accept.SpanContext().SpanID(), store.Parent().SpanID())
	require.Empty(t, store.Status().Description, "a snooze is no error")
	require.Equal(t, store.SpanContext().SpanID(), callback.Parent().SpanID())
	require.False(t, accept.Parent().IsValid())
}

// A caller's own trace is linked, and nothing else is taken from a header.
func TestCaller(t *testing.T) {
	t.Parallel()
	tracer, spans := recorder(t)
	tracer.RecordAccept(Caller(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), uuid.Must(uuid.NewV7()), time.Now())
	tracer.RecordAccept(Caller(t.Context(), "nonsense"), uuid.Must(uuid.NewV7()), time.Now())
	ended := spans.Ended()
	require.Len(t, ended, 2)
	require.Len(t, ended[0].Links(), 1)
	require.Equal(t, "b7ad6b7169203331", ended[0].Links()[0].SpanContext.SpanID().String())
	require.Empty(t, ended[1].Links())
}

// Where nobody traces, nothing is kept, and how long steps take is told all the same.
func TestUntraced(t *testing.T) {
	t.Parallel()
	var nobody *Tracer
	_, span := nobody.Begin(t.Context(), Fetch)
	span.End(nil)
	nobody.Record(t.Context(), Push, time.Now(), time.Now())
	nobody.RecordAccept(t.Context(), uuid.New(), time.Now())
	var took []Step
	counts := &Tracer{Took: func(step Step, _ time.Duration, _ bool) { took = append(took, step) }}
	_, span = counts.Begin(t.Context(), Fetch)
	span.End(nil)
	counts.Record(t.Context(), Push, time.Now(), time.Now().Add(-time.Second))
	require.Equal(t, []Step{Fetch, Push}, took)
	job := &rivertype.JobInsertParams{EncodedArgs: []byte(`{"transcode_id": "01a21b03-9715-7951-8b56-1f04ff1b024a"}`)}
	_, err := (&Jobs{Tracer: counts}).InsertMany(t.Context(), []*rivertype.JobInsertParams{job}, func(context.Context) ([]*rivertype.JobInsertResult, error) { return nil, nil })
	require.NoError(t, err)
	require.Empty(t, job.Metadata)
}
