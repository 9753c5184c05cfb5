package bulk_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/audit"
	"weir/jobs/bulk"
	"weir/jobs/filter"
	"weir/jobs/jobstest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(asWorker); url != "" {
		beWorker(url)
		return
	}
	goleak.VerifyTestMain(m)
}

// asWorker makes the test's binary be a daemon that works on bulk operations of the
// database at this URL, until it is killed.
const asWorker = "WEIR_TEST_BULK_WORKER"

func beWorker(url string) {
	pool, err := db.Open(context.Background(), url, 4)
	if err != nil {
		panic(err)
	}
	client, err := newWorker(pool)
	if err != nil {
		panic(err)
	}
	if err := client.Start(context.Background()); err != nil {
		panic(err)
	}
	select {}
}

func newWorker(pool *pgxpool.Pool) (*river.Client[pgx.Tx], error) {
	return jobs.NewClient(&jobs.Config{DB: pool, Log: jobstest.Silent(), HostID: "control-1", BootID: uuid.New()},
		func(settings *river.Config) {
			bulk.Room(settings, pool, jobstest.Silent(), true)
			// Their jobs are inserted here and worked elsewhere.
			river.AddWorker(settings.Workers, &elsewhere[jobs.CallbackArgs]{})
			river.AddWorker(settings.Workers, &elsewhere[jobs.PlaceArgs]{})
			river.AddWorker(settings.Workers, &elsewhere[jobs.ResidueArgs]{})
		})
}

type elsewhere[T river.JobArgs] struct{ river.WorkerDefaults[T] }

func (*elsewhere[T]) Work(context.Context, *river.Job[T]) error { return nil }

type bundle struct {
	*jobstest.Bundle
	ops *bulk.Operations
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := jobstest.New(t)
	return &bundle{b, &bulk.Operations{DB: b.Pool, River: b.River}}
}

// work has a daemon work until the test ends.
func (b *bundle) work(t *testing.T) {
	t.Helper()
	client, err := newWorker(b.Pool)
	require.NoError(t, err)
	require.NoError(t, client.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.Background())) })
}

// failed makes transcodes that failed, the oldest first.
func (b *bundle) failed(t *testing.T, n int) (ids []uuid.UUID) {
	t.Helper()
	for range n {
		id := b.Accept(t, "a").ID
		b.Start(t, id)
		b.Fail(t, id, 1, "a", jobs.Failed("source_no_video", jobs.StageProbe, ""))
		require.Equal(t, jobs.StateFailed, b.Get(t, id).State)
		ids = append(ids, id)
		b.Exec(t, "UPDATE weir.hosts SET slots = slots + 1")
	}
	return ids
}

func by() bulk.By { return bulk.By{Who: "jo", Via: audit.CLI, Reason: "the store is back"} }

func parse(t *testing.T, text string) filter.Filter {
	t.Helper()
	f, err := filter.Parse(text)
	require.NoError(t, err)
	return f
}

func (b *bundle) start(t *testing.T, kind bulk.Kind, text string, rate int) dbsqlc.BulkOperation {
	t.Helper()
	op, err := b.ops.Start(t.Context(), by(), bulk.Request{Kind: kind, Filter: parse(t, text), PerSecond: rate})
	require.NoError(t, err)
	return op
}

// ends waits until an operation has.
func (b *bundle) ends(t *testing.T, id uuid.UUID) (op dbsqlc.BulkOperation) {
	t.Helper()
	defer func() { require.Empty(t, op.Trouble) }()
	b.until(t, func() bool {
		var err error
		op, err = b.ops.Get(t.Context(), id)
		require.NoError(t, err)
		return op.EndedAt != nil
	})
	return op
}

func (b *bundle) until(t *testing.T, is func() bool) {
	t.Helper()
	const most, every = time.Minute, 20 * time.Millisecond // of a busy machine
	require.Eventually(t, is, most, every)
}

// Retry, cancel and redeliver reach what the filter means and nothing else; what is done,
// by whom and why is in rows.
func TestKinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 3)
	open := b.Accept(t, "a").ID
	other := jobstest.MakeRequest("", "a")
	other.Tenant = "other"
	others := b.AcceptRequest(t, other).ID
	b.work(t)

	op := b.ends(t, b.start(t, bulk.Retry, "tenant:studio", bulk.MaxRate).ID)
	require.Equal(t, []any{bulk.StateDone, "tenant:studio state:failed", int64(3), int64(3), int64(0), int64(0), "jo", "the store is back"},
		[]any{op.State, op.Filter, op.Counted, op.Done, op.Skipped, op.Failed, op.Who, op.Reason})
	for _, id := range ids {
		require.Equal(t, int32(2), b.Get(t, id).Run)
		require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
	}

	op = b.ends(t, b.start(t, bulk.Cancel, "tenant:studio", bulk.MaxRate).ID)
	require.Equal(t, int64(4), op.Done)
	require.Equal(t, jobs.StateCancelled, b.Get(t, open).State)
	require.Equal(t, jobs.StateQueued, b.Get(t, others).State)

	b.Exec(t, "UPDATE weir.callbacks SET state = 'refused' WHERE state = 'pending'")
	before := b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback' AND args->>'redelivery' = 'true'")
	require.Zero(t, before)
	op = b.ends(t, b.start(t, bulk.Redeliver, "callback:refused ended<1h", bulk.MaxRate).ID)
	require.Equal(t, int64(4), op.Done)
	require.Equal(t, 4, b.Count(t, "SELECT count(DISTINCT args->>'callback_id') FROM weir.river_job j JOIN weir.callbacks c ON c.job_id = j.id OR j.args->>'callback_id' = c.id::text WHERE j.kind = 'callback' AND c.state = 'refused'"))

	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.admin_actions WHERE who = 'jo' AND via = 'cli' AND reason = 'the store is back' AND detail ? 'counted'"))
	list, err := b.ops.List(t.Context(), bulk.Page{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []string{"redeliver", "cancel"}, []string{list[0].Kind, list[1].Kind})
	list, err = b.ops.List(t.Context(), bulk.Page{Limit: 2, Open: true})
	require.NoError(t, err)
	require.Empty(t, list)
}

// What is meant is frozen: what comes, fails or begins again later is left alone, and what
// can't be done is told with why.
func TestFrozen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 3)
	running := b.Start(t, b.Accept(t, "a").ID)
	op := b.start(t, bulk.Retry, "state:failed", bulk.MaxRate)
	require.Equal(t, int64(3), op.Counted)
	later := b.failed(t, 1)[0]
	b.Fail(t, running.ID, 1, "a", jobs.Failed("source_no_video", jobs.StageProbe, ""))
	// By hand, and failed again.
	_, err := b.Transcodes.Retry(t.Context(), ids[0])
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.transcodes SET former_external_id = 'x' WHERE id = $1", ids[1])
	b.work(t)
	op = b.ends(t, op.ID)
	require.Equal(t, []int64{1, 1, 0}, []int64{op.Done, op.Skipped, op.Failed})
	skipped, failed, err := bulk.WhysOf(&op)
	require.NoError(t, err)
	require.Equal(t, []bulk.Why{{Why: jobs.ErrReplaced.Error(), Items: 1}}, skipped)
	require.Empty(t, failed)
	examples, err := bulk.ExamplesOf(&op)
	require.NoError(t, err)
	require.Equal(t, []bulk.Example{{ID: ids[1], Why: jobs.ErrReplaced.Error()}}, examples)
	require.Equal(t, int32(2), b.Get(t, ids[2]).Run)
	require.Equal(t, int32(1), b.Get(t, later).Run)
	require.Equal(t, int32(1), b.Get(t, running.ID).Run)
}

// What Postgres refuses of one item is that item's failure, and holds up no other.
func TestItemFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 3)
	b.Exec(t, `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$`)
	b.Exec(t, `CREATE TRIGGER refuse BEFORE UPDATE ON weir.transcodes FOR EACH ROW WHEN (OLD.id = '`+ids[1].String()+`') EXECUTE FUNCTION public.refuse()`)
	b.work(t)
	op := b.ends(t, b.start(t, bulk.Retry, "state:failed", bulk.MaxRate).ID)
	require.Equal(t, []int64{2, 0, 1}, []int64{op.Done, op.Skipped, op.Failed})
	_, failed, err := bulk.WhysOf(&op)
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.Contains(t, failed[0].Why, "not this one")
}

// Dry: counted as truly as otherwise, and nothing is left of it.
func TestDry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.failed(t, 2)
	dry := by()
	dry.Dry = true
	op, err := b.ops.Start(t.Context(), dry, bulk.Request{Kind: bulk.Retry, Filter: parse(t, "state:failed")})
	require.NoError(t, err)
	require.Equal(t, int64(2), op.Counted)
	_, err = b.ops.Get(t.Context(), op.ID)
	require.ErrorIs(t, err, bulk.ErrNotFound)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.admin_actions"))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk'"))
	counted, err := b.ops.Count(t.Context(), bulk.Retry, parse(t, "state:failed"))
	require.NoError(t, err)
	require.Equal(t, "2", counted.String())
	require.Equal(t, "10,000+", bulk.CountOf(bulk.CountMost+1).String())
}

func TestRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range []struct {
		kind   bulk.Kind
		filter string
		rate   int
		reason string
		says   string
	}{
		{bulk.Retry, "", 1, "r", "filter"},
		{bulk.Retry, "state:running", 1, "r", "failed"},
		{bulk.Cancel, "state:succeeded", 1, "r", "queued, placed, running, storing"},
		{bulk.Redeliver, "state:queued", 1, "r", "succeeded, failed, cancelled"},
		{"mend", "state:failed", 1, "r", "retry"},
		{bulk.Retry, "state:failed", 1000, "r", "500"},
		{bulk.Retry, "state:failed", 1, " ", "reason"},
		{bulk.Retry, "label:a=b", 1, "r", "tenant:"},
	} {
		_, err := b.ops.Start(t.Context(), bulk.By{Who: "jo", Via: audit.CLI, Reason: test.reason}, bulk.Request{Kind: test.kind, Filter: parse(t, test.filter), PerSecond: test.rate})
		require.ErrorContains(t, err, test.says, "%v", test)
	}
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.bulk_operations"))
	_, err := b.ops.Pause(t.Context(), by(), uuid.New())
	require.ErrorIs(t, err, bulk.ErrNotFound)
}

// It keeps its rate, pauses, goes on and ends when it is told to.
func TestPause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const items, watched = 20, 6 // of a machine that stands still for seconds it is not done before the pause
	b.failed(t, items)
	b.work(t)
	began := time.Now()
	op := b.start(t, bulk.Retry, "state:failed", 2) // a second's worth of them at once, and then two in a second
	b.until(t, func() bool { return b.Count(t, "SELECT done FROM weir.bulk_operations") > 0 })
	paused, err := b.ops.Pause(t.Context(), by(), op.ID)
	require.NoError(t, err)
	require.Less(t, paused.Done, int64(items))
	// Its answer is the end of it: the row's lock was between.
	b.until(t, func() bool {
		return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk' AND finalized_at IS NULL") == 0
	})
	require.Equal(t, int(paused.Done), b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE run = 2"))
	_, err = b.ops.Resume(t.Context(), by(), op.ID)
	require.NoError(t, err)
	b.until(t, func() bool { return b.Count(t, "SELECT done FROM weir.bulk_operations") >= watched })
	require.Greater(t, time.Since(began), 1500*time.Millisecond, "six at two in a second, and two ahead")
	b.Exec(t, "UPDATE weir.bulk_operations SET per_second = $1, next_at = now()", bulk.MaxRate) // nobody waits for the rest
	ended := b.ends(t, op.ID)
	require.Equal(t, []any{bulk.StateDone, int64(items)}, []any{ended.State, ended.Done})
	_, err = b.ops.Cancel(t.Context(), by(), op.ID)
	require.ErrorIs(t, err, bulk.ErrEnded)
}

// One that is cancelled stops where it is.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.failed(t, 2)
	op := b.start(t, bulk.Retry, "state:failed", 1)
	_, err := b.ops.Cancel(t.Context(), bulk.By{Who: "jo", Via: audit.CLI}, op.ID)
	require.ErrorContains(t, err, "reason")
	op, err = b.ops.Cancel(t.Context(), by(), op.ID)
	require.NoError(t, err)
	require.Equal(t, bulk.StateCancelled, op.State)
	b.work(t)
	b.until(t, func() bool {
		return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk' AND finalized_at IS NULL") == 0
	})
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE run = 2"))
}

// An error that comes again and again holds an operation up where it is, and is told. A person
// may end it; a job that gave up gets another; and when the error is gone it goes on.
func TestTrouble(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 3) // dealt with from the newest on
	b.Exec(t, `CREATE FUNCTION weir.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full' USING ERRCODE = 'disk_full'; END $$`)
	b.Exec(t, "CREATE TRIGGER refuse BEFORE UPDATE ON weir.transcodes FOR EACH ROW WHEN (OLD.id = '"+ids[1].String()+"') EXECUTE FUNCTION weir.refuse()")
	op := b.start(t, bulk.Retry, "state:failed", bulk.MaxRate)
	b.work(t)
	met := func(times int) {
		b.until(t, func() bool {
			return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk' AND cardinality(errors) >= $1", times) > 0
		})
	}
	met(1)
	held, err := b.ops.Get(t.Context(), op.ID)
	require.NoError(t, err)
	require.Equal(t, []any{bulk.StateRunning, int64(1), int64(0)}, []any{held.State, held.Done, held.Failed})
	require.Contains(t, held.Trouble, "retry "+ids[1].String())
	require.Contains(t, held.Trouble, "the disk is full")
	require.Equal(t, jobs.StateFailed, b.Get(t, ids[0]).State, "nothing is passed over")

	held, err = b.ops.Pause(t.Context(), by(), op.ID)
	require.NoError(t, err)
	require.Empty(t, held.Trouble, "a person holds it up now")
	_, err = b.ops.Resume(t.Context(), by(), op.ID)
	require.NoError(t, err)
	b.until(t, func() bool { // its row says so before its job has ended
		held, err := b.ops.Get(t.Context(), op.ID)
		require.NoError(t, err)
		return held.Trouble != "" && b.Count(t, `WITH gone AS (UPDATE weir.river_job SET state = 'discarded', finalized_at = now()
			WHERE kind = 'bulk' AND state IN ('retryable', 'available', 'scheduled')
			AND NOT EXISTS (SELECT FROM weir.river_job WHERE kind = 'bulk' AND state = 'running') RETURNING 1) SELECT count(*) FROM gone`) > 0
	})
	b.Exec(t, "DROP TRIGGER refuse ON weir.transcodes")
	b.Exec(t, "UPDATE weir.bulk_operations SET updated_at = now() - interval '1 minute'")
	require.NoError(t, b.ops.Repair(t.Context()))
	ended := b.ends(t, op.ID)
	require.Equal(t, []any{bulk.StateDone, int64(3), int64(0), int64(0)}, []any{ended.State, ended.Done, ended.Skipped, ended.Failed})
}
