package control

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertest"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// Only hosts with a running lease and a free slot that are not draining are offered;
// a storing transcode holds no slot.
func TestHostFree(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "dead", 4)
	b.Boot(t, "draining", 4)
	_, err := b.Pool.Exec(t.Context(), "UPDATE weir.hosts SET lease_until = now() WHERE id = 'dead'")
	require.NoError(t, err)
	_, err = b.Pool.Exec(t.Context(), "UPDATE weir.hosts SET draining = true WHERE id = 'draining'")
	require.NoError(t, err)
	b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	storing := b.Run(t, "a")
	_, err = dbsqlc.New().TranscodeSetStoring(t.Context(), b.Pool, dbsqlc.TranscodeSetStoringParams{ID: storing.ID, Attempt: 1})
	require.NoError(t, err)
	free, err := dbsqlc.New().HostFree(t.Context(), b.Pool)
	require.NoError(t, err)
	require.Equal(t, []dbsqlc.HostFreeRow{{ID: jobstest.Host, Slots: 4, Free: 3}}, free)
}

// workPlace works the oldest place job that waits, as River would.
func workPlace(t *testing.T, b *jobstest.Bundle, pool *pgxpool.Pool) {
	t.Helper()
	job := &river.Job[jobs.PlaceArgs]{JobRow: &rivertype.JobRow{State: rivertype.JobStateRunning}}
	require.NoError(t, b.Pool.QueryRow(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now()
		WHERE id = (SELECT min(id) FROM weir.river_job WHERE kind = 'place' AND state = 'available') RETURNING id`).Scan(&job.ID))
	worker := &placeWorker{db: pool, log: jobstest.Silent()}
	require.NoError(t, worker.Work(rivertest.WorkContext(t.Context(), b.River), job))
}

// TestFullPauses: while no slot is free a round is not followed at once by another one, and what
// comes in between is.
func TestFullPauses(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET draining = true")
	b.Accept(t, "a")
	began := time.Now()
	workPlace(t, b, b.Pool)
	require.GreaterOrEqual(t, time.Since(began), fullPause)
	require.Zero(t, placeJobs(t, b))
	b.Accept(t, "b")
	require.Equal(t, 1, placeJobs(t, b))

	// The slots that stay for the urgent are none for these two.
	b.Exec(t, "UPDATE weir.hosts SET draining = false")
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		worker := &placeWorker{db: b.Pool, log: jobstest.Silent(), urgentPercent: percent}
		r, err := worker.round(ctx, jobs.Decider{Tx: tx, River: b.River})
		require.True(t, r.full)
		require.Empty(t, r.placed)
		return err
	})
}

func placeJobs(t *testing.T, b *jobstest.Bundle) int {
	t.Helper()
	return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'place' AND state = 'available'")
}

// acceptMany makes n more queued transcodes of one; tenant is whose they are.
func acceptMany(t *testing.T, b *jobstest.Bundle, like uuid.UUID, tenant string, n int) {
	t.Helper()
	b.Exec(t, `WITH made AS (
		INSERT INTO weir.transcodes
		SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'tenant', $2::text))).*
		  FROM weir.transcodes t, generate_series(1, $3::int) WHERE t.id = $1
		RETURNING id)
		INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate)
		SELECT id, 'a', 0, 640, 360, 800000 FROM made`, like, tenant, n)
}

// counter counts the statements of a pool, those of transactions among them.
type counter struct{ n atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A fleet that comes up with all its slots free: rounds of bounded size, in a number of
// statements that does not grow with the slots, one behind the other.
func TestPlaceFleet(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const hosts, slots, queued = 8, 500, 4100
	b.Exec(t, "UPDATE weir.hosts SET draining = true")
	for i := range hosts {
		b.Boot(t, fmt.Sprintf("fleet-%d", i), slots)
	}
	acceptMany(t, b, b.Accept(t, "a").ID, "studio", queued-1)
	cfg := b.Pool.Config()
	statements := &counter{}
	cfg.ConnConfig.Tracer = statements
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()

	const statementsMost = 18
	placed := 0
	for placeJobs(t, b) > 0 {
		before := statements.n.Load()
		workPlace(t, b, pool)
		require.LessOrEqual(t, statements.n.Load()-before, int64(statementsMost))
		now := b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'placed'")
		require.LessOrEqual(t, now-placed, roundMost)
		placed = now
	}
	require.Equal(t, hosts*slots, placed)
	require.Equal(t, placed, b.Count(t, `SELECT count(*) FROM weir.attempts a
		JOIN weir.transcodes t ON t.id = a.transcode_id AND t.attempt = a.number AND t.host_id = a.host_id
		JOIN weir.river_job j ON j.id = a.job_id AND j.queue = 'host-' || a.host_id AND j.args->>'transcode_id' = t.id::text
		JOIN weir.renditions r ON r.transcode_id = t.id AND r.attempt = 1`))
	require.Equal(t, hosts, b.Count(t, `SELECT count(*) FROM (SELECT FROM weir.attempts GROUP BY host_id HAVING count(*) = $1) full_ones`, slots))
}

// A round of a large fleet reads all of its hosts, and places more for it.
func TestPlaceLargeFleet(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const hosts, queued = 400, 150
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() + interval '1 hour'")
	b.Exec(t, `INSERT INTO weir.hosts SELECT (jsonb_populate_record(h, jsonb_build_object('id', 'fleet-' || n, 'spool_id', NULL))).*
		FROM weir.hosts h, generate_series(2, $2::int) n WHERE h.id = $1`, jobstest.Host, hosts)
	acceptMany(t, b, b.Accept(t, "a").ID, "studio", queued-1)
	workPlace(t, b, b.Pool)
	require.Equal(t, hosts/4, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'placed'"))
	workPlace(t, b, b.Pool)
	require.Equal(t, queued, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'placed'"))
	require.Equal(t, queued, b.Count(t, "SELECT count(DISTINCT host_id) FROM weir.transcodes"))
}

// A burst of requests leaves no more rounds than there were requests at once.
func TestPlaceBurst(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	const atOnce, requests = 4, 200
	var group errgroup.Group
	group.SetLimit(atOnce)
	for range requests {
		group.Go(func() error {
			_, _, err := b.Transcodes.Accept(t.Context(), jobstest.MakeRequest("", "a"))
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.LessOrEqual(t, placeJobs(t, b), atOnce)
	require.Positive(t, placeJobs(t, b))

	// Retries at one time need one round too.
	b.Exec(t, "DELETE FROM weir.river_job")
	for range 3 {
		transcode := b.Start(t, b.Accept(t, "a").ID)
		b.Fail(t, transcode.ID, transcode.Attempt, "a", jobs.Failed(jobs.CodeNothingReturned, jobs.StageTranscode, ""))
	}
	require.LessOrEqual(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'place' AND state = 'scheduled'"), 2)
}

// A request that relied on a round which began before it was committed is placed by the
// next one.
func TestPlaceWakeIsNotLost(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET draining = true")
	b.Accept(t, "a")
	require.Equal(t, 1, placeJobs(t, b))
	late, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = late.Rollback(t.Context()) }()
	require.NoError(t, b.Decider(late).WakePlacement(t.Context()))
	workPlace(t, b, b.Pool)
	require.Equal(t, 1, placeJobs(t, b), "another one follows")
	require.NoError(t, late.Commit(t.Context()))
	workPlace(t, b, b.Pool)
	require.Zero(t, placeJobs(t, b))
}

// A tenant gets its share of the slots while another waits, and all of them while none does.
func TestPlaceShares(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t) // four slots
	acceptMany(t, b, b.Accept(t, "a").ID, "studio", 5)
	acceptMany(t, b, b.Accept(t, "a").ID, "late", 1)
	held := func(tenant string) int {
		return b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'placed' AND tenant = $1", tenant)
	}
	workPlace(t, b, b.Pool)
	require.Equal(t, []int{3, 1}, []int{held("studio"), held("late")}, "what nobody else waits for is taken")
	acceptMany(t, b, b.Accept(t, "a").ID, "later", 3)
	b.Exec(t, "UPDATE weir.hosts SET slots = slots + 2")
	workPlace(t, b, b.Pool)
	require.Equal(t, []int{3, 1, 2}, []int{held("studio"), held("late"), held("later")}, "who holds more than half waits")
}
