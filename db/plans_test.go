package db_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// lists are statements of operators and of the API whose filters are optional, with
// those that are to be found by an index; they run through db.Replanned, so each is
// planned for itself. Of triggers, one kind alone may be looked for through all that
// retention keeps.
func lists() map[string][]filters {
	id := "'00000000-0000-7000-8000-000000000005'"
	return map[string][]filters{
		"TranscodeList": {
			{}, {"tenant": "'tenant-1'"}, {"tenant": "'small'"}, {"external_id": "'request-5'"}, {"tenant": "'tenant-1'", "external_id": "'none'"},
			{"host_id": "'mist-1'"}, {"host_id": "'gone'"}, {"host_id": "'mist-1'", "state": "'failed'"}, {"tenant": "'small'", "host_id": "'mist-1'"},
			{"state": "'queued'"}, {"state": "'placed'"}, {"state": "'running'"}, {"state": "'storing'"},
			{"state": "'succeeded'"}, {"state": "'failed'"}, {"state": "'cancelled'"},
			{"tenant": "'tenant-1'", "state": "'placed'"}, {"tenant": "'tenant-1'", "state": "'failed'"}, {"tenant": "'tenant-1'", "state": "'succeeded'"},
			{"created_from": "now() - interval '1 hour'"}, {"created_to": "now() - interval '20 days'"},
			{"code": "'internal'"}, {"code": "'deadline_exceeded'"}, {"code": "'internal'", "state": "'failed'"}, {"tenant": "'small'", "code": "'internal'"},
			{"state": "'failed'", "ended_from": "now() - interval '1 day'"}, {"ended_from": "now() - interval '1 hour'"}, {"ended_from": "now() - interval '1 day'", "ended_to": "now() - interval '12 hours'"},
			{"ended_from": "now() - interval '1 hour'", "destination": "'h'"}, {"created_from": "now() - interval '1 hour'", "broadcaster": "'b'"},
			{"ended_from": "now() - interval '1 hour'", "callback_state": "'refused'"},
			{"before_at": "now() - interval '20 days'", "before_id": id}, {"tenant": "'small'", "before_at": "now() - interval '20 days'", "before_id": id},
		},
		"TranscodeListByLabel": {
			byLabel(nil), byLabel(filters{"state": "'failed'"}), byLabel(filters{"host_id": "'mist-1'"}), byLabel(filters{"created_from": "now() - interval '1 hour'"}),
			byLabel(filters{"before_at": "now() - interval '20 days'", "before_id": id}), byLabel(filters{"value": "'rare'"}), byLabel(filters{"tenant": "'small'", "value": "'none'"}),
		},
		"TranscodeCount": {
			{"state": "'failed'"}, {"state": "'queued'"}, {"code": "'internal'"}, {"tenant": "'small'"}, {"tenant": "'small'", "state": "'failed'"}, {"host_id": "'mist-1'", "state": "'failed'"},
			{"state": "'failed'", "ended_from": "now() - interval '1 day'"}, {"ended_from": "now() - interval '1 hour'", "destination": "'h'"}, {"created_from": "now() - interval '1 hour'", "callback_state": "'refused'"},
		},
		"TranscodeCountByLabel": {byLabel(nil), byLabel(filters{"state": "'failed'"}), byLabel(filters{"value": "'rare'"})},
		"FailureGroups": {
			{"by": "'code'", "within_seconds": "86400"}, {"by": "'broadcaster'", "within_seconds": "86400"}, {"by": "'tenant'", "within_seconds": "86400", "codes": "'{internal}'"},
			{"by": "'host'", "within_seconds": "8640000", "tenants": "'{small}'", "hosts": "'{mist-1}'"},
		},
		"BulkList":       {{"open": "false"}, {"open": "true"}, {"open": "false", "before_at": "now()", "before_id": id}},
		"UsageList":      {{"tenant": "'tenant-1'", "from_day": "now()::date - 30", "to_day": "now()::date + 1"}},
		"UsageListOfAll": {{"from_day": "now()::date - 30", "to_day": "now()::date + 1"}},
		"CallbackViewList": {
			{}, {"callback_states": "'{pending}'"}, {"callback_states": "'{delivered}'"}, {"callback_states": "'{refused}'"}, {"callback_states": "'{expired}'"},
			{"transcode_id": id}, {"tenants": "'{tenant-1}'"}, {"tenants": "'{small}'"}, {"tenants": "'{tenant-1}'", "callback_states": "'{refused}'"},
			{"states": "'{failed}'"}, {"codes": "'{internal}'"}, {"hosts": "'{gone}'"}, {"external_ids": "'{request-5}'"},
			{"callback_states": "'{refused,expired}'", "created_from": "now() - interval '1 hour'", "destinations": "'{h}'"},
			{"ended_from": "now() - interval '1 hour'", "broadcasters": "'{b}'"}, {"created_to": "now() - interval '20 days'"},
			{"tenants": "'{small}'", "labels": `'{"{\"customer\": \"acme\"}"}'`},
		},
		"AdminActionList": {
			{}, {"target": "'host-1'"}, {"since": "now() - interval '1 hour'"}, {"before_id": "1000"},
		},
		"EventPrune":     {{}}, // its inner page
		"MetricsHistory": {{}}, // the first of each
		"MistEventList": {
			{}, {"transcode_id": id}, {"verdict": "'applied'"}, {"verdict": "'stale'"}, {"verdict": "'unmatched'"}, {"verdict": "'unreadable'"},
			{"trigger": "'PUSH_END'"}, {"before_id": "1000"}, {"hosts": "'{mist-1}'"}, {"hosts": "'{gone}'"}, {"received_from": "now() - interval '1 hour'"},
			{"hosts": "'{mist-1}'", "received_from": "now() - interval '1 hour'"}, {"tenants": "'{tenant-1}'"}, {"tenants": "'{small}'"},
			{"states": "'{running}'"}, {"codes": "'{internal}'"}, {"external_ids": "'{request-5}'"}, {"created_from": "now() - interval '1 hour'", "destinations": "'{h}'"},
			{"ended_from": "now() - interval '1 hour'", "broadcasters": "'{b}'"}, {"ended_from": "now() - interval '1 hour'", "callback_states": "'{refused}'"},
			{"tenants": "'{small}'", "labels": `'{"{\"customer\": \"acme\"}"}'`},
		},
	}
}

// bySQL is what callers ask the views of their tenant, and what weir.enqueue_transcode asks.
func bySQL() []string {
	return []string{
		"SELECT * FROM weir.my_transcodes WHERE id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.my_transcodes WHERE external_id = 'request-5'",
		"SELECT * FROM weir.my_transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')",
		"SELECT * FROM weir.my_transcodes ORDER BY created_at DESC, id DESC LIMIT 50",
		"SELECT * FROM weir.my_renditions WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT * FROM weir.my_callbacks WHERE transcode_id = '00000000-0000-7000-8000-000000000005'",
		"SELECT t.id, bool_or(e.digest = '') FROM weir.transcodes t LEFT JOIN weir.enqueued e ON e.transcode_id = t.id" +
			" WHERE t.tenant = 'tenant-1' AND t.external_id = 'request-5' GROUP BY t.id",
	}
}

// byLabel are filters beside those that a list by label always has.
func byLabel(more filters) filters {
	all := filters{"tenant": "'tenant-1'", "key": "'customer'", "value": "'acme'", "labels": `'{"customer": "acme"}'`}
	maps.Copy(all, more)
	return all
}

// filters are a list's parameters as SQL, by name.
type filters map[string]string

// bounded are the tables that do not grow with what was ever done.
func bounded() []string {
	return []string{"hosts", "leads", "tenants", "placement", "turns", "heads", "head_news", "stores", "river_leader", "river_queue", "river_client", "river_client_queue", "schema_migrations", "schema_compat", "identity",
		"inbox", "speakers", "callback_secrets", "web_sessions", "pg_class", "pg_namespace", "examinations", "examined", "findings"}
}

// ofTheOpen are indexes that hold only what is open: reading one to its end is reading
// what is to be done.
func ofTheOpen() []string {
	return []string{"attempts_open", "bulk_operations_open", "event_deliveries_pending", "event_deliveries_waiting", "river_job_running_by_host", "transcodes_open_on_host", "transcodes_queued_by_tenant", "transcodes_queued_urgent"}
}

// TestPlans: no statement's cost grows with history, and none counts it. Of each one in sql/
// the plan for any parameters must be good, unless it is in lists.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	history, err := os.ReadFile("testdata/history.sql")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), string(history))
	require.NoError(t, err)
	listed, found := lists(), map[string][]string{}
	for name, s := range statements(t) {
		given, ok := listed[name]
		if !ok {
			planned := explain(t, pool, "force_generic_plan", s.text, s.arguments(nil))
			found[name] = append(faults(planned, false), s.counts(planned)...)
		}
		for _, filters := range given {
			of := fmt.Sprint(name, " with ", filters)
			planned := explain(t, pool, "force_custom_plan", s.text, s.arguments(filters))
			found[of] = append(faults(planned, true), s.counts(planned)...)
		}
		delete(listed, name)
	}
	_, err = pool.Exec(t.Context(), "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'tenant-1')")
	require.NoError(t, err)
	for _, text := range bySQL() {
		found[text] = faults(explain(t, pool, "force_custom_plan", text, nil), true)
	}
	maps.DeleteFunc(found, func(_ string, faults []string) bool { return len(faults) == 0 })
	require.Empty(t, found)
	require.Empty(t, listed, "statements that are not there")
}

// statement is one of sql/: what sqlc made of it, and its parameters in order.
type statement struct {
	text       string
	parameters []string
}

// counts are what it adds up over all that was ever done.
func (s *statement) counts(p *plan) []string {
	if !adds.MatchString(s.text) {
		return nil
	}
	return counts(p, "")
}

func (s *statement) arguments(given filters) []string {
	arguments := make([]string, len(s.parameters))
	for i, name := range s.parameters {
		arguments[i] = "NULL"
		if name == "page_size" && given != nil {
			arguments[i] = "50"
		}
		if value, ok := given[name]; ok {
			arguments[i] = value
		}
	}
	return arguments
}

var (
	sqlPattern       = regexp.MustCompile(`(?m)^-- name: (\w+) :\w+\n`)
	generatedPattern = regexp.MustCompile("(?s)const \\w+ = `-- name: (\\w+) :\\w+\n(.*?)`")
	parameterPattern = regexp.MustCompile(`(?:sqlc\.narg\('|@)(\w+)`)
	numberPattern    = regexp.MustCompile(`\$(\d+)`)
)

// statements are all of sql/, by name.
func statements(t *testing.T) map[string]*statement {
	t.Helper()
	all := map[string]*statement{}
	for _, file := range read(t, "../sql/*.sql") {
		marks := sqlPattern.FindAllStringSubmatchIndex(file, -1)
		for i, mark := range marks {
			end := len(file)
			if i+1 < len(marks) {
				end = marks[i+1][0]
			}
			s := &statement{}
			for _, match := range parameterPattern.FindAllStringSubmatch(file[mark[1]:end], -1) {
				if !slices.Contains(s.parameters, match[1]) {
					s.parameters = append(s.parameters, match[1])
				}
			}
			all[file[mark[2]:mark[3]]] = s
		}
	}
	for _, file := range read(t, "dbsqlc/*.sql.go") {
		for _, match := range generatedPattern.FindAllStringSubmatch(file, -1) {
			require.Contains(t, all, match[1], "run `make generate`")
			all[match[1]].text = match[2]
		}
	}
	require.NotEmpty(t, all)
	for name, s := range all {
		require.NotEmpty(t, s.text, "%s: run `make generate`", name)
		last := 0
		for _, match := range numberPattern.FindAllStringSubmatch(s.text, -1) {
			n, err := strconv.Atoi(match[1])
			require.NoError(t, err)
			last = max(last, n)
		}
		require.Len(t, s.parameters, last, "%s", name)
	}
	return all
}

func read(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	texts := make([]string, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		texts[i] = string(text)
	}
	return texts
}

// plan is a node of what EXPLAIN tells.
type plan struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []plan `json:"Plans"`
	// Loops is how often it was begun, where it was executed.
	Loops float64 `json:"Actual Loops"`
}

// loops is how often the node of it was begun that was begun most often.
func (p *plan) loops() float64 {
	most := p.Loops
	for i := range p.Plans {
		most = max(most, p.Plans[i].loops())
	}
	return most
}

func explain(t *testing.T, pool *pgxpool.Pool, mode, text string, arguments []string) *plan {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), fmt.Sprintf("SET plan_cache_mode = %s; PREPARE p AS %s", mode, text))
	require.NoError(t, err, "%s", text)
	call := "p"
	if len(arguments) > 0 {
		call += "(" + strings.Join(arguments, ", ") + ")"
	}
	var answer []byte
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON) EXECUTE "+call).Scan(&answer), "%s", text)
	_, err = conn.Exec(t.Context(), "DEALLOCATE p")
	require.NoError(t, err)
	var plans []struct{ Plan plan }
	require.NoError(t, json.Unmarshal(answer, &plans))
	require.Len(t, plans, 1)
	return &plans[0].Plan
}

// faults are the nodes that read what has grown. A walk through an index in its order,
// to the end of a page, is none in a list.
func faults(p *plan, list bool) (found []string) {
	switch {
	case slices.Contains(bounded(), p.Relation), strings.HasPrefix(p.Relation, "pg_"):
	case p.Type == "Seq Scan":
		found = append(found, "reads all of "+p.Relation)
	case p.Index != "" && p.Cond == "" && !list && !slices.Contains(ofTheOpen(), p.Index):
		found = append(found, "reads all of "+p.Index)
	}
	for i := range p.Plans {
		found = append(found, faults(&p.Plans[i], list)...)
	}
	return found
}

// What a plan may read to its end is there, and holds only what is open.
func TestIndexesOfTheOpen(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows, err := pool.Query(t.Context(), `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'weir'`)
	require.NoError(t, err)
	definitions := map[string]string{}
	for rows.Next() {
		var name, definition string
		require.NoError(t, rows.Scan(&name, &definition))
		definitions[name] = definition
	}
	require.NoError(t, rows.Err())
	for _, name := range ofTheOpen() {
		require.Contains(t, slices.Collect(maps.Keys(definitions)), name)
		require.Contains(t, definitions[name], " WHERE ", "%s", name)
	}
}

// TestHostFreeIsNoProduct: what is free of a large fleet costs its hosts and what they hold, and
// not the one times the other, also where it was planned when nothing ran. A round of a thousand
// busy hosts took 130 ms so.
func TestHostFreeIsNoProduct(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "PREPARE free AS "+statements(t)["HostFree"].text)
	require.NoError(t, err)
	for _, text := range []string{
		`EXECUTE free`, // plans it
		`SET session_replication_role = replica`,
		`INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes)
		 SELECT 'mist-' || n, gen_random_uuid(), 4, now() + interval '1 hour', 1 FROM generate_series(1, 100) n`,
		`INSERT INTO weir.transcodes (id, tenant, form, request, request_digest, source_url, source_sealed, output_url, output_sealed,
		        callback_url, callback_sealed, state, attempt, attempts_left, host_id)
		 SELECT gen_random_uuid(), 'a', 'v1', '{}', '', 's', '', 'o', '', 'c', '', 'running', 1, 2, 'mist-' || n FROM generate_series(1, 100) n`,
	} {
		_, err = conn.Exec(t.Context(), text)
		require.NoError(t, err)
	}
	var answer []byte
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE free").Scan(&answer))
	var plans []struct{ Plan plan }
	require.NoError(t, json.Unmarshal(answer, &plans))
	require.Len(t, plans, 1)
	require.EqualValues(t, 1, plans[0].Plan.loops(), "%s", answer)
}
