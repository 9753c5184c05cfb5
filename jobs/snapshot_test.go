package jobs_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// between does something once, right before the query of that name.
type between struct {
	query string
	once  sync.Once
	do    func()
}

func (b *between) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, "-- name: "+b.query+" ") {
		b.once.Do(b.do)
	}
	return ctx
}

func (*between) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// What is read while a transcode succeeds is that before it, or that after it.
func TestDetailsAreOfOneMoment(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*jobs.Transcodes, context.Context, *dbsqlc.Transcode) (jobs.Detail, error){
		"get": func(ts *jobs.Transcodes, ctx context.Context, t *dbsqlc.Transcode) (jobs.Detail, error) {
			return ts.Get(ctx, t.Tenant, t.ID)
		},
		"list": func(ts *jobs.Transcodes, ctx context.Context, _ *dbsqlc.Transcode) (jobs.Detail, error) {
			page, err := ts.List(ctx, jobs.Filter{Limit: 1})
			if err != nil {
				return jobs.Detail{}, err
			}
			return page[0], nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := jobstest.New(t)
			transcode := b.Run(t, "a")
			cfg := b.Pool.Config()
			var ended error
			cfg.ConnConfig.Tracer = &between{query: "RenditionListOf", do: func() { ended = b.Store(t.Context(), &transcode, "a") }}
			pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
			require.NoError(t, err)
			t.Cleanup(pool.Close)

			detail, err := read(&jobs.Transcodes{DB: pool}, t.Context(), &transcode)
			require.NoError(t, err)
			require.NoError(t, ended)
			require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
			require.Equal(t, jobs.StateRunning, detail.Transcode.State)
			require.Equal(t, jobs.RenditionPushed, detail.Renditions[0].State)
			require.Nil(t, detail.Callback)
		})
	}
}
