package triggers

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// counter counts what is sent to Postgres.
type counter struct{ statements atomic.Int32 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// The time of a trigger is its round trips to Postgres: they are counted, because a
// busy machine's clock proves nothing. BenchmarkTrigger measures.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(dbtest.URL(t))
	require.NoError(t, err)
	count := &counter{}
	cfg.ConnConfig.Tracer = count
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	b := setupOn(t, pool)
	stream, file := b.name.Rendition(), target(b.name, "0_640x360")
	for _, test := range []struct {
		trigger string
		payload []byte
		want    int32
	}{
		{"LIVE_TRACK_LIST", trackList(stream, 3), 2}, // the rows, and all that is written
		{"RECORDING_END", recorded(stream, file), 2},
		{"PUSH_END", pushEnded(stream, file), 2},
		{"LIVE_TRACK_LIST", []byte(stream + "\nnull\n"), 2}, // the rows are asked whether it is of now
		{"PUSH_END", pushEnded("live+other", file), 1},
		{"PUSH_END", []byte("junk"), 1},
		{"STREAM_END", []byte("junk"), 1},
	} {
		count.statements.Store(0)
		id := uuid.NewString()
		require.Equal(t, http.StatusOK, b.post(t, test.trigger, id, test.payload))
		require.Equal(t, test.want, count.statements.Load(), "%s: %.20q", test.trigger, test.payload)

		count.statements.Store(0)
		require.Equal(t, http.StatusOK, b.post(t, test.trigger, id, test.payload))
		require.LessOrEqual(t, count.statements.Load(), int32(3), "a duplicate")
	}
}

func BenchmarkTrigger(b *testing.B) {
	for name, payload := range map[string]func(*testBundle) (string, []byte){
		"LIVE_TRACK_LIST": func(b *testBundle) (string, []byte) { return "LIVE_TRACK_LIST", trackList(b.name.Rendition(), 3) },
		"RECORDING_END": func(b *testBundle) (string, []byte) {
			return "RECORDING_END", recorded(b.name.Rendition(), target(b.name, "0_640x360"))
		},
		"PUSH_END": func(b *testBundle) (string, []byte) {
			return "PUSH_END", pushEnded(b.name.Rendition(), target(b.name, "0_640x360"))
		},
		"unmatched": func(*testBundle) (string, []byte) { return "PUSH_END", pushEnded("live+other", "/x.ts") },
	} {
		b.Run(name, func(b *testing.B) {
			bundle := setup(b)
			trigger, body := payload(bundle)
			var took []time.Duration
			for b.Loop() {
				for len(bundle.woken) > 0 {
					<-bundle.woken
				}
				start := time.Now()
				bundle.post(b, trigger, uuid.NewString(), body)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
