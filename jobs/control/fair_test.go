package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// simulation is a fleet whose transcodes end when the test says so.
type simulation struct {
	*jobstest.Bundle
	worker placeWorker
	like   uuid.UUID
}

func simulate(t *testing.T, slots int32) *simulation {
	t.Helper()
	b := jobstest.New(t)
	s := &simulation{Bundle: b, worker: placeWorker{db: b.Pool, log: jobstest.Silent()}}
	s.like = b.Accept(t, "a").ID
	_, err := b.Transcodes.Cancel(t.Context(), "", s.like)
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.hosts SET slots = $1", slots)
	return s
}

// queue has n more transcodes of a tenant wait, at a priority.
func (s *simulation) queue(t *testing.T, tenant string, n, priority int) {
	t.Helper()
	s.Exec(t, `WITH made AS (
		INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
			callback_url, callback_sealed, attempts_left, priority)
		SELECT gen_random_uuid(), $2, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
			callback_url, callback_sealed, 3, $4
		  FROM weir.transcodes t, generate_series(1, $3::int) WHERE t.id = $1
		RETURNING id)
		INSERT INTO weir.renditions (transcode_id, name, ordinal, width, height, bitrate)
		SELECT id, 'a', 0, 640, 360, 800000 FROM made`, s.like, tenant, n, priority)
}

// round places what fits, and tells whose they are.
func (s *simulation) round(t *testing.T) []string {
	t.Helper()
	var ids []uuid.UUID
	s.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		r, err := s.worker.round(ctx, s.Decider(tx))
		for i := range r.placed {
			ids = append(ids, r.placed[i].ID)
		}
		return err
	})
	tenants := make([]string, len(ids))
	for i, id := range ids {
		tenants[i] = s.Get(t, id).Tenant
	}
	return tenants
}

// quietly executes a statement without a look at invariants: neither attempts nor callbacks
// are in question.
func (s *simulation) quietly(t *testing.T, query string, args ...any) (rows int64) {
	t.Helper()
	s.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, query, args...)
		rows = tag.RowsAffected()
		return err
	})
	return rows
}

// end ends the transcode of a tenant that runs longest; "": of any.
func (s *simulation) end(t *testing.T, tenant string) {
	t.Helper()
	require.EqualValues(t, 1, s.quietly(t, `UPDATE weir.transcodes SET state = 'cancelled', finished_at = now()
		WHERE id = (SELECT id FROM weir.transcodes WHERE state = 'placed' AND $1 IN ('', tenant) ORDER BY placed_at, id LIMIT 1)`, tenant))
}

// TestFairness: a tenant with 10,000 waiting delays another's single request by one slot's
// turn at most, whatever the size of the fleet and whatever priorities it gives itself.
func TestFairness(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		slots    int32
		priority int
		weight   int
	}{{1, 0, 10}, {7, 5, 1}} {
		t.Run(fmt.Sprintf("%d slots, priority %d, weight %d", test.slots, test.priority, test.weight), func(t *testing.T) {
			t.Parallel()
			s := simulate(t, test.slots)
			s.queue(t, "big", 10_000, test.priority)
			s.Exec(t, "INSERT INTO weir.tenants (name, weight) VALUES ('big', $1)", test.weight)
			require.Len(t, s.round(t), int(test.slots))
			const times = 5
			for range times {
				s.end(t, "big")
				require.Equal(t, []string{"big"}, s.round(t))
				s.queue(t, "small", 1, 9)
				s.end(t, "big")
				require.Equal(t, []string{"small"}, s.round(t), "the slot that is free next")
				s.end(t, "small")
				require.Equal(t, []string{"big"}, s.round(t))
				for range test.weight {
					s.end(t, "big")
					require.Equal(t, []string{"big"}, s.round(t))
				}
			}
		})
	}
}

// Slots go by weight over time, and a tenant whose transcodes never end is kept to its
// share by those that do.
func TestTurnsByWeight(t *testing.T) {
	t.Parallel()
	s := simulate(t, 1)
	s.Exec(t, "INSERT INTO weir.tenants (name, weight) VALUES ('heavy', 3)")
	s.queue(t, "heavy", 100, 5)
	s.queue(t, "light", 100, 5)
	count := map[string]int{}
	for range 40 {
		for _, tenant := range s.round(t) {
			count[tenant]++
		}
		s.end(t, "")
	}
	require.Equal(t, map[string]int{"heavy": 30, "light": 10}, count)
	require.LessOrEqual(t, s.Count(t, "SELECT count(*) FROM weir.turns"), 2)

	slow := simulate(t, 4)
	slow.queue(t, "slow", 100, 5)
	slow.queue(t, "fast", 100, 5)
	slow.round(t)
	for range 10 {
		slow.end(t, "fast")
		require.Equal(t, []string{"fast"}, slow.round(t))
	}
}

// In a tenant's queue urgent ones are first, and those that have waited long enough before
// them.
func TestPriorities(t *testing.T) {
	t.Parallel()
	s := simulate(t, 1)
	s.queue(t, "a", 1, 9)
	s.Exec(t, "UPDATE weir.transcodes SET created_at = now() - interval '91 minutes' WHERE priority = 9")
	s.queue(t, "a", 1, 5)
	s.queue(t, "a", 1, 0)
	s.queue(t, "a", 1, 9)
	var order []int
	for range 4 {
		require.Len(t, s.round(t), 1)
		order = append(order, s.Count(t, "SELECT priority FROM weir.transcodes WHERE state = 'placed'"))
		s.end(t, "a")
	}
	require.Equal(t, []int{9, 0, 5, 9}, order)
}

// Slots that stay for the urgent are theirs, behind however many that can wait.
func TestUrgentSlots(t *testing.T) {
	t.Parallel()
	s := simulate(t, 4)
	s.worker.urgentPercent = 25
	s.queue(t, "a", 300, 3)
	s.Exec(t, "UPDATE weir.transcodes SET created_at = now() - interval '3 hours' WHERE state = 'queued'")
	require.Len(t, s.round(t), 3)
	require.Empty(t, s.round(t))
	s.queue(t, "a", 2, 2)
	require.Len(t, s.round(t), 1)
	require.Equal(t, 1, s.Count(t, "SELECT count(*) FROM weir.transcodes WHERE state = 'placed' AND priority = 2"))
	s.quietly(t, "UPDATE weir.transcodes SET state = 'cancelled', finished_at = now() WHERE state = 'placed' AND priority = 3")
	require.Len(t, s.round(t), 3, "with one of them in its slot the others are for all")
}

// What is paused is not placed; what runs goes on.
func TestPaused(t *testing.T) {
	t.Parallel()
	s := simulate(t, 4)
	s.queue(t, "a", 2, 5)
	s.queue(t, "b", 2, 5)
	s.Exec(t, "UPDATE weir.placement SET paused_at = now(), paused_by = 'me', pause_reason = 'a test'")
	require.Empty(t, s.round(t))
	s.Exec(t, "UPDATE weir.placement SET paused_at = NULL, paused_by = NULL, pause_reason = NULL")
	s.Exec(t, "INSERT INTO weir.tenants (name, paused_at, paused_by, pause_reason, hosts) VALUES ('a', now(), 'me', 'a test', NULL), ('b', NULL, NULL, NULL, '{mist-2}')")
	require.Empty(t, s.round(t), "b may run on another host alone")
	s.Boot(t, "mist-2", 1)
	require.Equal(t, []string{"b"}, s.round(t))
	s.Exec(t, "DELETE FROM weir.tenants")
	require.ElementsMatch(t, []string{"a", "a", "b"}, s.round(t))
}

// texts keeps the statements of a pool and what they were given.
type texts struct {
	mu   sync.Mutex
	seen map[string][]any
}

// TraceQueryStart implements pgx.QueryTracer.
func (s *texts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[data.SQL] = data.Args
	return ctx
}

// of is a statement by its name in sql/, and what it was given last.
func (s *texts) of(name string) (text string, args []any) {
	for text, args := range s.seen {
		if strings.Contains(text, "name: "+name+" ") {
			return text, args
		}
	}
	return "", nil
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*texts) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// node is a part of a plan as it was executed.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node  `json:"Plans"`
}

func (n *node) each(visit func(*node)) {
	visit(n)
	for i := range n.Plans {
		n.Plans[i].each(visit)
	}
}

// TestPlaceBacklog: whatever waits, of however many tenants, a round reads about as many
// transcodes as it places, and of the tenants no more than their names.
func TestPlaceBacklog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ tenants, each int }{{1, 20_000}, {1000, 100}, {10_000, 2}} {
		t.Run(fmt.Sprintf("%d of each of %d", test.each, test.tenants), func(t *testing.T) { //nolint:paralleltest // each fills a database, one after the other
			testPlaceBacklog(t, test.tenants, test.each)
		})
	}
}

func testPlaceBacklog(t *testing.T, tenants, each int) {
	t.Helper()
	s := simulate(t, 300)
	s.worker.urgentPercent = 10
	s.quietly(t, `INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
			callback_url, callback_sealed, attempts_left, priority)
		SELECT gen_random_uuid(), 'tenant-' || n % $2, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
			callback_url, callback_sealed, 3, n % 10
		  FROM weir.transcodes t, generate_series(1, $2::int * $3::int) n WHERE t.id = $1`, s.like, tenants, each)
	s.Exec(t, "ANALYZE weir.transcodes")
	require.NoError(t, (&Control{DB: s.Pool, Log: jobstest.Silent()}).repairHeads(t.Context(), s.River))
	s.hear(t)
	s.Exec(t, "ANALYZE weir.heads")
	cfg := s.Pool.Config()
	statements := &texts{seen: map[string][]any{}}
	cfg.ConnConfig.Tracer = statements
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()

	var took []time.Duration
	for range 5 {
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		began := time.Now()
		r, err := s.worker.round(t.Context(), jobs.Decider{Tx: tx, River: s.River})
		took = append(took, time.Since(began))
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(t.Context()))
		require.Len(t, r.placed, roundMost)
		require.True(t, r.more)
	}
	t.Logf("rounds of %d over %d queued of %d tenants: %v", roundMost, tenants*each, tenants, took)

	for name, most := range map[string]int{"TranscodeQueue": 3 * roundMost, "HeadSettle": 2 * roundMost} {
		text, args := statements.of(name)
		require.NotEmpty(t, text, name)
		if i := slices.Index(args, any(false)); name == "TranscodeQueue" { // also as it is where the free slots stay for the urgent
			urgent := slices.Clone(args)
			urgent[i] = true
			s.readsAtMost(t, name+" of the urgent", text, urgent, most, tenants)
		}
		s.readsAtMost(t, name, text, args, most, tenants)
	}
}

// readsAtMost explains a statement: it reads no more transcodes, and no table to its end that
// is larger than a row for each tenant (and for that of the transcode that theirs are like).
func (s *simulation) readsAtMost(t *testing.T, name, text string, args []any, most, tenants int) {
	t.Helper()
	tx, err := s.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	var answer []byte
	require.NoError(t, tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+text, args...).Scan(&answer))
	var plans []struct {
		Plan node
		Took float64 `json:"Execution Time"`
	}
	require.NoError(t, json.Unmarshal(answer, &plans))
	t.Logf("%s took %.1f ms", name, plans[0].Took)
	transcodes := 0.0
	plans[0].Plan.each(func(n *node) {
		require.LessOrEqual(t, (n.Rows+n.Removed)*n.Loops, float64(max(tenants+1, most)), "%s %s: %s", n.Type, n.Index, answer)
		if n.Relation == "transcodes" {
			require.NotEqual(t, "Seq Scan", n.Type, "%s", answer)
			transcodes += (n.Rows + n.Removed) * n.Loops
		}
	})
	require.Positive(t, transcodes)
	require.LessOrEqual(t, transcodes, float64(most), "%s", answer)
}
