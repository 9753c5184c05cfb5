package control

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/jobs"
	"weir/jobs/inbox"
	"weir/jobs/jobstest"
)

// wide is what a test of time is given.
const wide = 30 * time.Second

// reader makes a request of any body.
type reader struct {
	refuses []string
	labels  map[string]string
}

func (r reader) Read(_ context.Context, tenant string, body []byte) (*jobs.Request, []string, error) {
	req := jobstest.MakeRequest("", "a")
	req.Tenant, req.Body, req.Labels = tenant, body, r.labels
	return req, r.refuses, nil
}

func openInbox(b *jobstest.Bundle, r reader) *inbox.Inbox {
	return inbox.Open(&jobs.Transcodes{DB: b.Pool, River: b.River, Sealer: b.Sealer}, r)
}

// enqueue commits n requests by SQL.
func enqueue(t *testing.T, b *jobstest.Bundle, n int) (ids []uuid.UUID) {
	t.Helper()
	b.Exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'studio') ON CONFLICT DO NOTHING")
	for range n {
		var id uuid.UUID
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", submission(t)).Scan(&id))
		ids = append(ids, id)
	}
	return ids
}

var errBack = errors.New("rolled back")

func submission(t *testing.T) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"source": map[string]any{"url": "s3+https://KEY:hush@h/media/in.mp4"}, "output": map[string]any{"url": "s3://media/out"},
		"callback_url": "https://studio.example/hook",
		"profiles":     []any{map[string]any{"name": "a", "width": 640, "height": 360, "bitrate": 800_000}},
	})
	require.NoError(t, err)
	return string(body)
}

// Against the pinned River: the row that the function inserts, and what it tells, are those
// of River's own insert.
func TestAcceptJobIsRivers(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	listener, err := b.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer listener.Release()
	_, err = listener.Exec(t.Context(), `LISTEN "weir.river_insert"`)
	require.NoError(t, err)
	heard := func() string {
		n, err := listener.Conn().WaitForNotification(t.Context())
		require.NoError(t, err)
		return n.Payload
	}
	id := enqueue(t, b, 1)[0]
	bySQL := heard()
	_, err = b.River.Insert(t.Context(), jobs.AcceptArgs{ID: id}, nil)
	require.NoError(t, err)
	require.Equal(t, heard(), bySQL)

	rows, err := b.Pool.Query(t.Context(), `SELECT to_jsonb(j) - '{id,created_at,scheduled_at}'::text[] FROM weir.river_job j WHERE kind = 'accept' ORDER BY id`)
	require.NoError(t, err)
	both, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Len(t, both, 2)
	require.JSONEq(t, both[1], both[0])
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE scheduled_at = created_at AND created_at <= now()"))
}

// A rolled back transaction leaves nothing, a committed one is accepted by its jobs.
func TestAcceptJobs(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	enqueue(t, b, 1)
	b.Exec(t, "DELETE FROM weir.inbox; DELETE FROM weir.river_job")
	require.ErrorIs(t, db.InTx(t.Context(), b.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", submission(t))
		require.NoError(t, err)
		return errBack
	}), errBack)
	require.Zero(t, b.Count(t, "SELECT (SELECT count(*) FROM weir.inbox) + (SELECT count(*) FROM weir.river_job)"))
	ids := enqueue(t, b, 3)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.transcodes"))
	works(t, b, openInbox(b, reader{}))
	require.Eventually(t, func() bool {
		return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'accept' AND state = 'completed'") == len(ids)
	}, wide, lookEvery)
	for _, id := range ids {
		require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
	}
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.inbox"))
}

// works runs a daemon's accept jobs, and nothing else of it.
func works(t *testing.T, b *jobstest.Bundle, in *inbox.Inbox) {
	t.Helper()
	client, err := jobs.NewClient(&jobs.Config{DB: b.Pool, Log: jobstest.Silent(), HostID: "leads", BootID: uuid.New()}, func(settings *river.Config) {
		river.AddWorker(settings.Workers, &acceptWorker{db: b.Pool, inbox: in})
		settings.Queues[jobs.AcceptQueue] = river.QueueConfig{MaxWorkers: acceptWorkers}
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.WithoutCancel(t.Context()))) })
}

// TestRepairAccepts: whatever anybody does to the jobs of the inbox, what waits is accepted.
func TestRepairAccepts(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	ids := enqueue(t, b, 6)
	jobOf := func(id uuid.UUID) (job int64) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT job_id FROM weir.inbox WHERE id = $1", id).Scan(&job))
		return job
	}
	before := map[uuid.UUID]int64{}
	for _, id := range ids {
		before[id] = jobOf(id)
	}
	b.Exec(t, "DELETE FROM weir.river_job WHERE id = $1", before[ids[0]])
	b.Exec(t, "UPDATE weir.river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", before[ids[1]])
	b.Exec(t, "UPDATE weir.river_job SET state = 'discarded', finalized_at = now() WHERE id = $1", before[ids[2]])
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempted_at = now() - interval '31 s' WHERE id = $1", before[ids[3]])
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempted_at = now() WHERE id = $1", before[ids[4]])
	for range 2 {
		require.NoError(t, controlOf(b).repairAccepts(t.Context(), b.River))
		for i, id := range ids {
			require.Equal(t, i < 4, before[id] != jobOf(id), "request %d", i)
		}
		require.Equal(t, 4+5, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'accept'"))
	}
	works(t, b, openInbox(b, reader{}))
	require.Eventually(t, func() bool { return b.Count(t, "SELECT count(*) FROM weir.inbox") == 1 }, wide, 10*time.Millisecond)
	require.Equal(t, 5, b.Count(t, "SELECT count(*) FROM weir.transcodes"), "the last one is in somebody's hand")
}

// TestRefusedByTheSchema: what seemed to be right and can't be kept would be so at every try, with
// its secrets open: it ends as a failed transcode with its callback.
func TestRefusedByTheSchema(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := enqueue(t, b, 1)[0]
	in := openInbox(b, reader{labels: map[string]string{"k": strings.Repeat("v", 1<<15)}})
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return in.Accept(ctx, tx, id) })
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.inbox"))
	refused := b.Get(t, id)
	require.Equal(t, []string{jobs.StateFailed, jobs.CodeRequestRefused}, []string{refused.State, *refused.ErrorCode})
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks WHERE transcode_id = $1", id))
}

// TestRefusedByReader: what only the daemon can refuse ends as a failed transcode with its
// callback, and leaves the external_id free.
func TestRefusedByReader(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := enqueue(t, b, 1)[0]
	in := openInbox(b, reader{refuses: []string{"body.source.url is far away"}})
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return in.Accept(ctx, tx, id) })
	failed := b.Get(t, id)
	require.Equal(t, jobs.StateFailed, failed.State)
	require.Equal(t, "The request can't be accepted as it is. body.source.url is far away", *failed.ErrorMessage)
	require.Nil(t, failed.ExternalID)
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.callbacks WHERE transcode_id = $1 AND body LIKE '%far away%' AND body LIKE '%\"unretriable\":true%'", id))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))
}

// TestSealedSoon measures for how long the secrets of a request stand open.
func TestSealedSoon(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	works(t, b, openInbox(b, reader{}))
	sealed := func(id uuid.UUID) func() bool {
		return func() bool { return b.Count(t, "SELECT count(*) FROM weir.inbox WHERE id = $1", id) == 0 }
	}
	require.Eventually(t, sealed(enqueue(t, b, 1)[0]), wide, time.Millisecond) // the client has started
	const requests = 100
	var open []time.Duration
	for range requests {
		id := enqueue(t, b, 1)[0]
		committed := time.Now()
		require.Eventually(t, sealed(id), wide, time.Millisecond)
		open = append(open, time.Since(committed))
	}
	slices.Sort(open)
	median, worst := open[requests/2], open[requests*99/100]
	t.Logf("from commit to sealed: p50 %s, p99 %s", median, worst)
	require.Less(t, median, time.Second)
}
