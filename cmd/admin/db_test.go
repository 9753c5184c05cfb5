package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbtest"
	"weir/db/migrations"
	"weir/db/roles"
	"weir/jobs"
	"weir/jobs/promises"
	"weir/secret"
)

// unwatched runs a statement that the schema would refuse.
func (b *bundle) unwatched(t *testing.T, statement string, args ...any) {
	t.Helper()
	conn, err := b.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, step := range []string{"SET session_replication_role = replica", statement, "RESET session_replication_role"} {
		if step == statement {
			_, err = conn.Exec(t.Context(), step, args...)
		} else {
			_, err = conn.Exec(t.Context(), step)
		}
		require.NoError(t, err, step)
	}
}

func (b *bundle) check(t *testing.T) (found []promises.Fault) {
	t.Helper()
	r := b.run(t, "db", "check", "--json")
	var all dbChecked
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&all), r.stderr)
	require.Equal(t, len(all.Faults) > 0, r.code == exitFailed, r.stderr)
	return all.Faults
}

// TestCheck: what breaks a promise is found, each with the line that mends it; nothing is
// found where nothing is broken.
func TestCheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failed := b.accept(t, "studio", "failed")
	callback := b.fail(t, failed)
	b.exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now()")
	require.Contains(t, b.ok(t, "db", "check"), "nothing is broken")
	require.Equal(t, exitUsage, b.run(t, "db", "check", "--days", "0").code)

	succeeded := b.accept(t, "studio", "succeeded")
	b.unwatched(t, "UPDATE weir.transcodes SET state = 'succeeded', ratio = 1, finished_at = now() WHERE id = $1", succeeded)
	b.unwatched(t, "DELETE FROM weir.callbacks WHERE transcode_id = $1", failed)
	lost := b.accept(t, "studio", "lost")
	b.unwatched(t, "UPDATE weir.transcodes SET state = 'running', attempt = 1, host_id = 'gone', updated_at = now() - interval '1 hour' WHERE id = $1", lost)
	b.unwatched(t, "INSERT INTO weir.attempts (transcode_id, number, host_id) VALUES ($1, 1, 'gone')", lost)
	pushed := b.accept(t, "studio", "pushed")
	b.unwatched(t, "UPDATE weir.transcodes SET state = 'storing', attempt = 1, host_id = 'mist-1' WHERE id = $1", pushed)
	b.unwatched(t, "UPDATE weir.renditions SET state = 'pushed', attempt = 1, pushed_at = now() - interval '1 hour' WHERE transcode_id = $1 AND name = '720p'", pushed)
	b.unwatched(t, "INSERT INTO weir.callbacks (id, transcode_id, run, url, body, created_at) VALUES ($1, $2, 1, 'c', '{}', now() - interval '1 hour')", callback, succeeded)
	waits := uuid.New()
	b.unwatched(t, "INSERT INTO weir.inbox (id, tenant, body, digest, job_id, created_at) VALUES ($1, 't', '{}', '', 1000000, now() - interval '1 hour')", waits)
	b.exec(t, "ALTER TABLE weir.callbacks DISABLE TRIGGER callbacks_missed")
	b.exec(t, "SELECT setval('weir.events_id_seq', 1)")

	mends := map[string][]string{}
	for _, f := range b.check(t) {
		mends[f.Promise] = append(mends[f.Promise], f.What+": "+f.Mend)
	}
	require.Equal(t, map[string][]string{
		"schema.trigger":   {"callbacks.callbacks_missed: ALTER TABLE weir.callbacks ENABLE TRIGGER callbacks_missed"},
		"schema.sequence":  mends["schema.sequence"],
		"end.callback":     {"failed " + failed.String() + ": weir-admin transcodes retry " + failed.String()},
		"success.evidence": {"succeeded " + succeeded.String() + ": weir-admin transcodes show " + succeeded.String() + " has which object is missing: ask for it anew"},
		"attempt.host":     {"attempt 1 of " + lost.String() + " on gone: start weir-daemon with WEIR_HOST_ID=gone: it cleans up; or, where the host never comes back: weir-admin hosts forget gone"},
		"job.transcode":    {"running " + lost.String() + ": start weir-daemon with WEIR_HOST_ID=gone: it makes the job anew"},
		"job.store":        {"720p of " + pushed.String() + ": start weir-daemon with WEIR_HOST_ID=mist-1: it makes the job anew"},
		"job.callback":     {"callback " + callback.String() + ": start a weir-daemon that leads: it makes the job anew"},
		"job.accept":       {"request " + waits.String() + ": start a weir-daemon that leads: it makes the job anew"},
	}, mends)
	require.Len(t, mends["schema.sequence"], 1)

	// The lines that are SQL, and the command, mend what they say.
	for _, promise := range []string{"schema.trigger", "schema.sequence"} {
		_, line, _ := strings.Cut(mends[promise][0], ": ")
		b.exec(t, line)
	}
	b.ok(t, "transcodes", "retry", failed.String())
	for _, f := range b.check(t) {
		require.NotContains(t, []string{"schema.trigger", "schema.sequence", "end.callback"}, f.Promise, f.What)
	}
	require.Contains(t, b.run(t, "db", "check").stderr, "break a promise")
	b.exec(t, "UPDATE weir.schema_migrations SET version = 1")
	faults := b.check(t)
	require.Len(t, faults, 1)
	require.Equal(t, schemaFault, faults[0].Promise)
}

// TestPrune: a dry run says what would go and leaves it, and who has it done is written down.
func TestPrune(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old, young := b.accept(t, "studio", "old"), b.accept(t, "studio", "young")
	for _, id := range []uuid.UUID{old, young} {
		b.fail(t, id)
	}
	b.exec(t, "UPDATE weir.attempts SET stage = 'cleaned', cleaned_at = now()")
	b.exec(t, "UPDATE weir.transcodes SET finished_at = now() - interval '100 days' WHERE id = $1", old)
	b.exec(t, "UPDATE weir.mist_events SET received_at = now() - interval '8 days' WHERE transcode_id = $1", old)
	there := func() (transcodes, triggers, actions int) {
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM weir.transcodes), (SELECT count(*) FROM weir.mist_events),
			(SELECT count(*) FROM weir.admin_actions WHERE what = 'db prune')`).Scan(&transcodes, &triggers, &actions))
		return transcodes, triggers, actions
	}
	var would, did pruned
	b.decode(t, &would, "db", "prune", "--dry-run")
	require.True(t, would.DryRun)
	require.Equal(t, keptDays{Transcodes: 90, Triggers: 7, Events: 7, CallbackAttempts: 30}, would.Days)
	transcodes, triggers, actions := there()
	require.Equal(t, []int{2, 2, 0}, []int{transcodes, triggers, actions})

	b.decode(t, &did, "db", "prune", "--reason", "the disk is full")
	require.Equal(t, would.Removed, did.Removed)
	require.EqualValues(t, 1, did.Removed.Transcodes)
	require.EqualValues(t, 1, did.Removed.Triggers)
	transcodes, triggers, actions = there()
	require.Equal(t, []int{1, 1, 1}, []int{transcodes, triggers, actions})

	b.exec(t, "UPDATE weir.mist_events SET received_at = now() - interval '3 days'")
	b.exec(t, "UPDATE weir.transcodes SET finished_at = now() - interval '3 days'")
	require.Contains(t, b.ok(t, "db", "prune", "--older-than", "2", "--only", "triggers"), "removed: 0 transcodes, 0 bulk operations, 1 triggers")
	r := command(t.Context(), []string{databaseEnv + "=" + b.url, "WEIR_KEEP_TRANSCODES_DAYS=2"}, "db", "prune", "--only", "transcodes")
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Contains(t, r.stdout, "removed: 1 transcodes")
	// On a host the daemon's file says how long: what it keeps for ever is not removed.
	r = command(t.Context(), []string{"WEIR_KEEP_TRIGGERS_DAYS=3"}, "db", "prune", "--dry-run", "--json",
		"--config", file(t, "WEIR_DATABASE_URL="+b.url, "WEIR_KEEP_TRANSCODES_DAYS=0", "WEIR_KEEP_TRIGGERS_DAYS=1"))
	require.Equal(t, exitOK, r.code, r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &would))
	require.Equal(t, keptDays{Transcodes: 0, Triggers: 3, Events: 7, CallbackAttempts: 30}, would.Days)
	for _, wrong := range [][]string{{"--older-than", "0"}, {"--older-than", "-1"}, {"--only", "nope"}} {
		require.Equal(t, exitUsage, b.run(t, append([]string{"db", "prune"}, wrong...)...).code)
	}
	b.ok(t, "db", "roles")
	b.url = b.member(t, roles.Admin)
	require.Contains(t, b.run(t, "db", "prune").stderr, "permission denied")
}

// settled is how long other tests may go on making members of the roles, which are the server's:
// more than any of them takes.
const settled = 30 * time.Second

// TestDatabaseChangesAreWrittenDown: who changed the schema, roles or the key, and why; and
// nothing where nothing was to be changed.
func TestDatabaseChangesAreWrittenDown(t *testing.T) {
	t.Parallel()
	b := &bundle{url: dbtest.Empty(t)}
	keys := text(secret.Key{2}) + "," + text(secret.Key{1})
	do := func(args ...string) []actionShown {
		t.Helper()
		environ := []string{databaseEnv + "=" + b.url, keysEnv + "=" + keys, "USER=root", "SUDO_USER=ann"}
		r := command(t.Context(), environ, append(args, "--reason", "because "+args[1])...)
		require.Equal(t, exitOK, r.code, r.stderr)
		var list actionList
		b.decode(t, &list, "actions", "list")
		return list.Actions
	}
	written := 0
	// wrote: the newest is of these words, and no other is new.
	wrote := func(target string, args ...string) string {
		t.Helper()
		list := do(args...)
		written++
		require.Len(t, list, written)
		require.Equal(t, []string{"ann", "cli", args[0] + " " + args[1], target, "because " + args[1]},
			[]string{list[0].Who, list[0].Via, list[0].What, list[0].Target, list[0].Reason})
		return string(list[0].Detail)
	}
	nothing := func(args ...string) {
		t.Helper()
		require.Len(t, do(args...), written, args)
	}

	require.JSONEq(t, fmt.Sprintf(`{"from": 0, "to": %d, "rights": false}`, migrations.Latest), wrote("schema", "db", "migrate"))
	nothing("db", "migrate")

	var err error
	b.pool, err = db.Open(t.Context(), b.url, 4)
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	nothing("db", "roles", "--dry-run")
	require.Contains(t, wrote("roles", "db", "roles"), "rights granted")
	// Members are the whole server's: it sets time-outs of those that other tests have made since.
	require.Eventually(t, func() bool {
		before := written
		written = len(do("db", "roles"))
		return written == before
	}, settled, time.Millisecond)
	nothing("db", "migrate")
	b.exec(t, "REVOKE SELECT ON weir.v_transcodes FROM "+roles.Readonly)
	require.JSONEq(t, fmt.Sprintf(`{"from": %d, "to": %[1]d, "rights": true}`, migrations.Latest), wrote("schema", "db", "migrate"))
	b.exec(t, "REVOKE SELECT ON weir.v_transcodes FROM "+roles.Readonly)
	wrote("roles", "db", "roles")

	role, _ := b.someone(t)
	require.Contains(t, wrote(role, "db", "speaker", role, "studio"), "speaks for tenant studio")
	nothing("db", "speaker", role, "studio")
	wrote(role, "db", "speaker", role, "other")
	wrote(role, "db", "speaker", role, "--remove")

	inserter, err := jobs.NewInserter(b.pool)
	require.NoError(t, err)
	sealer, err := secret.NewSealer(secret.Key{1})
	require.NoError(t, err)
	b.jobs = &jobs.Transcodes{DB: b.pool, River: inserter, Sealer: sealer}
	nothing("seal", "rotate")
	b.accept(t, "studio", "a")
	require.JSONEq(t, `{"transcodes.source_sealed": 1, "transcodes.output_sealed": 1, "transcodes.callback_sealed": 1}`, wrote("secrets", "seal", "rotate"))
	nothing("seal", "rotate")
}
