package db_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
	"weir/db/roles"
)

const (
	// finishedEnv has TestQueriesOverHistory make a history of its own size.
	finishedEnv = "WEIR_TEST_FINISHED"
	// finishedMost is what it makes otherwise: as much as TestPlans, in some ten seconds.
	finishedMost = 200_000
)

var questionPattern = regexp.MustCompile("(?s)## ([^\n]+)\n(.*?)```sql\n(.*?);\n```")

// question is one of docs/queries.md.
type question struct{ asks, query string }

func questions(t *testing.T) []question {
	t.Helper()
	text, err := os.ReadFile("../docs/queries.md")
	require.NoError(t, err)
	var all []question
	for _, match := range questionPattern.FindAllStringSubmatch(string(text), -1) {
		require.NotContains(t, match[2], "\n## ", "a question without a query stands before %q", match[3])
		all = append(all, question{match[1], match[3]})
	}
	require.Len(t, all, strings.Count(string(text), "\n## "))
	require.GreaterOrEqual(t, len(all), 20)
	return all
}

// night is a database that has everything that the questions ask for, seen by a role that
// may read alone.
func night(t *testing.T) *pgx.Conn {
	t.Helper()
	pool := dbtest.New(t)
	text, err := os.ReadFile("testdata/night.sql")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), string(text))
	require.NoError(t, err)
	return reader(t, pool)
}

// reader is a connection as weir_readonly. It is noon there, so that midnight is not just
// behind a test.
func reader(t *testing.T, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	_, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	_, err = conn.Exec(t.Context(), fmt.Sprintf("SET timezone = '%+d'; SET ROLE %s", noon-time.Now().UTC().Hour(), roles.Readonly))
	require.NoError(t, err)
	return conn
}

const noon = 12

// rows are a query's, each with its cells as Postgres shows them, by "|".
func rows(t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	result, err := conn.Query(t.Context(), query, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err, query)
	var all []string
	for result.Next() {
		cells := make([]string, len(result.RawValues()))
		for i, raw := range result.RawValues() {
			cells[i] = string(raw)
		}
		all = append(all, strings.Join(cells, "|"))
	}
	require.NoError(t, result.Err(), query)
	return all
}

// answers are what the questions find in testdata/night.sql; a "*" is what differs.
func answers() map[string][]string {
	id := func(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }
	return map[string][]string{
		"What is stuck?": {
			id(5) + "|globex|storing|mist-1|cleaned|00:40:*|store_failed",
			id(4) + "|globex|running|mist-1|started|00:30:*|",
		},
		"How long is the queue, and how old is its oldest?": {"acme|2|13*", "globex|1|4*", "initech|1|*"},
		"Why is this tenant waiting?":                       {"its tenant is paused|by jo: its source is down|2|13*"},
		"Where is this request?":                            {id(10) + "|acme|succeeded|1|mist-1|2|cleaned||delivered"},
		"What was tried for it, and how did it end?": {
			"1|mist-2||cleaned|lost|host_lost|*", "2|mist-1||cleaned|succeeded||*",
		},
		"Which part of its source was asked for?": {
			"1790000000000|1790000060000|unix|60000|1|", "1790000000000|1790000060000|unix|60000|2|2026-09-2*",
		},
		"Which objects does it have?": {"720p|ok|1280|720|s3://media/out/720p.ts|12|"},
		"What fails now, and why?": {
			"push_failed|push_failed|2|2|*|its log ends: push_failed", "host_lost|*|2|0|*", "*", "*",
		},
		"When did it begin to fail?":            nil,
		"Which host fails most since midnight?": {"mist-3|2|1|push_failed", "mist-2|2|2|host_lost", "*|1|1|*", "*|1|1|*"},
		"Which Broadcaster fails most?":         {"https://b-1.example:8935|push_failed|2", "https://b-1.example:8935|fetch_failed|1"},
		"Whose requests failed for good tonight?": {
			"globex|push_failed|2", "acme|*|1", "acme|*|1",
		},
		"Which hosts take no work, and why?": {
			"mist-2|lost|0|0|2*||1000||", "mist-3|draining|0|0|*||1000|jo|new disk", "mist-4|mist silent|0|0|*|1000||",
		},
		"How many slots are free?":                         {"1|4|1|3"},
		"What runs on this host, and how far is it?":       {id(5) + "|globex|storing|0.50|cleaned|*", id(4) + "|globex|running|0.50|started|*"},
		"What had the dead host in hand?":                  {id(3) + "|globex|1|started|lost|queued"},
		"What waits for its storage?":                      {"globex|mist-1|store_failed|1|*|store_failed"},
		"Which callbacks did this receiver miss?":          {"*|globex||failed|refused|3|410|answered|*", "*|globex||failed|expired|3|503|answered|*"},
		"Which callbacks are due, and what is in the way?": {"studio.example|503|answered|1|6*|"},
		"What did this operator do last night?": {
			"*|cli|hosts drain|mist-3|new disk|{}", "*|web|tenants pause|acme|its source is down|{}",
		},
		"Who has touched this host?":            {"*|jo|cli|hosts drain|new disk", "*|jo|cli|hosts drain|long ago"},
		"What did this tenant use this month?":  {"5|1|3.0|5.0|2048 kB"},
		"How was the last hour?":                nil,
		"Which tenant waited longest today?":    {"*", "*"},
		"Which host is slower than the others?": nil,
	}
}

func matches(t *testing.T, want, got string) bool {
	t.Helper()
	parts := strings.Split(want, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	is, err := regexp.MatchString("^"+strings.Join(parts, ".*")+"$", got)
	require.NoError(t, err)
	return is
}

// TestQueries: each question of docs/queries.md is answered, by a role that may only read.
func TestQueries(t *testing.T) {
	t.Parallel()
	conn, answered := night(t), answers()
	for _, q := range questions(t) {
		found := rows(t, conn, q.query)
		require.NotEmpty(t, found, q.asks)
		require.NotContains(t, strings.Join(found, "\n"), "hush", q.asks)
		want, known := answered[q.asks]
		require.True(t, known, "%s: nobody has said what its answer is", q.asks)
		delete(answered, q.asks)
		if want == nil {
			continue
		}
		require.Len(t, found, len(want), "%s: %s", q.asks, found)
		for i := range want {
			require.True(t, matches(t, want[i], found[i]), "%s: %s is not %s", q.asks, found[i], want[i])
		}
	}
	require.Empty(t, answered, "questions that are not there")
	require.Equal(t, []string{"5|1|4"}, rows(t, conn, "SELECT sum(ended), sum(succeeded), sum(failed) FROM weir.v_slo WHERE per = 'all'"))
	require.Equal(t, []string{"6"}, rows(t, conn, "SELECT count(*) FROM weir.v_failures WHERE at > now() - interval '1 hour'"))
	// Source 60 s, done 30 s behind its start; asked for 120 s before it ended and placed 30 s
	// later; verified 20 s behind its push; told after 5 s. The attempt that was lost counts for
	// the wait alone.
	require.Equal(t, []string{"30|2|20|5"}, rows(t, conn, "SELECT queue_wait_p99, speed_p50, store_p95, callback_lag_p95 FROM weir.v_slo WHERE per = 'tenant and host' AND tenant = 'acme' AND host_id = 'mist-1' AND succeeded = 1"))
}

// bySight are what people ask the views for, beside the questions: by what their comments say.
func bySight() []string {
	return []string{
		"SELECT * FROM weir.v_transcodes WHERE id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_transcodes WHERE external_id = 'request-5'",
		"SELECT * FROM weir.v_transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')",
		"SELECT * FROM weir.v_transcodes WHERE created_at > now() - interval '1 hour'",
		"SELECT * FROM weir.v_transcodes WHERE tenant = 'tenant-1' AND created_at > now() - interval '1 hour'",
		"SELECT * FROM weir.v_transcodes WHERE host_id = 'mist-1' AND created_at > now() - interval '1 hour'",
		"SELECT * FROM weir.v_renditions WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_renditions WHERE transcode_state = 'storing'",
		"SELECT * FROM weir.v_attempts WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_attempts WHERE cleaned_at IS NULL",
		"SELECT * FROM weir.v_outputs WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_callbacks WHERE id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_callbacks WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_callbacks WHERE state IN ('pending', 'refused', 'expired') AND created_at > now() - interval '1 day'",
		"SELECT * FROM weir.v_callbacks WHERE created_at > now() - interval '1 hour'",
		"SELECT * FROM weir.v_failures WHERE at > now() - interval '1 day'",
		"SELECT * FROM weir.v_failures WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.v_queue WHERE tenant = 'tenant-1'",
		"SELECT * FROM weir.v_usage WHERE tenant = 'tenant-1' AND day >= now()::date - 30",
		"SELECT * FROM weir.v_usage WHERE day >= now()::date - 30",
		"SELECT * FROM weir.v_admin_actions WHERE at > now() - interval '12 hours'",
	}
}

// TestQueriesOverHistory: no question, and nothing that a view's comment says, reads what is
// long over. WEIR_TEST_FINISHED=1000000 has it tried over a million.
func TestQueriesOverHistory(t *testing.T) {
	t.Parallel()
	pool, finished := dbtest.New(t), finishedMost
	if given := os.Getenv(finishedEnv); given != "" {
		var err error
		finished, err = strconv.Atoi(given)
		require.NoError(t, err)
	}
	history, err := os.ReadFile("testdata/month.sql")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), fmt.Sprintf("SET weir.finished = '%d'; %s", finished, history))
	require.NoError(t, err)
	asked := bySight()
	for _, q := range questions(t) {
		asked = append(asked, q.query)
	}
	found := map[string][]string{}
	for _, text := range asked {
		if of := slices.DeleteFunc(faults(explain(t, pool, "force_custom_plan", text, nil), false), ofTheOldest); len(of) > 0 {
			found[text] = of
		}
	}
	require.Empty(t, found)
	// An hour of v_slo is planned by itself, for any hour.
	var body string
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT prosrc FROM pg_proc WHERE oid = 'weir.slo_of_hour'::regproc").Scan(&body))
	require.Empty(t, faults(explain(t, pool, "force_generic_plan", body, []string{"now()"}), false))
}

// ofTheOldest: v_slo begins at the first end that there is, which is one step of that index.
func ofTheOldest(fault string) bool { return fault == "reads all of transcodes_by_end" }
