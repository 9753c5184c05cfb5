package telemetry

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"weir/jobs/trace"
)

// span is one that was received, and whose it is.
type span struct {
	*tracepb.Span

	daemon, host string
}

func (s *span) field(name string) string {
	for _, attribute := range s.GetAttributes() {
		if attribute.GetKey() == name {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

// receiver takes traces as a collector does, by OTLP over HTTP.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	spans []span
	// bodies are what came, to look for what must not be in it.
	bodies strings.Builder
}

func startReceiver() *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var export collector.ExportTraceServiceRequest
	if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies.Write(body)
	for _, of := range export.GetResourceSpans() {
		whose := span{}
		for _, attribute := range of.GetResource().GetAttributes() {
			switch attribute.GetKey() {
			case "service.instance.id":
				whose.daemon = attribute.GetValue().GetStringValue()
			case "host.name":
				whose.host = attribute.GetValue().GetStringValue()
			}
		}
		for _, scope := range of.GetScopeSpans() {
			for _, one := range scope.GetSpans() {
				r.spans = append(r.spans, span{one, whose.daemon, whose.host})
			}
		}
	}
}

// of are the spans of a transcode's trace, by name.
func (r *receiver) of(transcode uuid.UUID) map[string][]span {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string][]span{}
	for _, s := range r.spans {
		if slices.Equal(s.GetTraceId(), transcode[:]) {
			found[s.GetName()] = append(found[s.GetName()], s)
		}
	}
	return found
}

// One transcode is one trace, by its own id: every step is in it, each below another one of
// it, though two daemons have worked on it.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	o, err := shared()
	require.NoError(t, err)
	id, err := uuid.Parse(o.transcode)
	require.NoError(t, err)
	var spans map[string][]span
	require.Eventually(t, func() bool { // the last ones are on their way
		spans = o.traces.of(id)
		return len(spans["job callback"]) > 0 && len(spans["job transcode"]) > 0 && len(spans["job store"]) > 0 && len(spans["job package"]) > 0
	}, patience, 100*time.Millisecond, "%v", spans)

	ids := map[string]string{}
	daemons := map[string]bool{}
	for name, all := range spans {
		for _, s := range all {
			ids[hex.EncodeToString(s.GetSpanId())] = name
			daemons[s.daemon] = true
		}
	}
	require.Len(t, daemons, 2, "both are in it")
	for _, step := range trace.Steps() {
		require.Len(t, spans[string(step)], 1, step)
		s := spans[string(step)][0]
		require.Equal(t, o.transcode, s.field("weir.transcode"))
		require.LessOrEqual(t, s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano(), step)
		require.Equal(t, tracepb.Status_STATUS_CODE_UNSET, s.GetStatus().GetCode(), step)
		if step == trace.Accept {
			require.Empty(t, s.GetParentSpanId())
			require.Equal(t, id[8:], s.GetSpanId())
			require.Equal(t, hostOf(0), s.host)
			continue
		}
		require.Contains(t, ids, hex.EncodeToString(s.GetParentSpanId()), "%s is below a span of the trace", step)
	}
	below := func(step trace.Step) string { return ids[hex.EncodeToString(spans[string(step)][0].GetParentSpanId())] }
	for _, step := range []trace.Step{trace.Fetch, trace.Probe, trace.Prepare, trace.Transcode, trace.Push} {
		if step != trace.Probe && step != trace.Prepare {
			require.Equal(t, "job transcode", below(step), step)
		}
		require.Equal(t, hostOf(1), spans[string(step)][0].host)
	}
	require.Equal(t, "job store", below(trace.Upload))
	require.Equal(t, "job package", below(trace.Package))
	require.Equal(t, "job callback", below(trace.Callback))
	require.Equal(t, "job transcode", ids[hex.EncodeToString(spans["job store"][0].GetParentSpanId())], "what inserted it")

	settings := o.Settings()
	o.traces.mu.Lock()
	defer o.traces.mu.Unlock()
	for _, secret := range []string{string(o.S3.SecretKey), settings["WEIR_SECRET_KEY"], string(o.API.Token)} {
		require.NotContains(t, o.traces.bodies.String(), secret)
	}
}
