package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api/view"
	"weir/mist"
	"weir/secret"
)

// An operation on many is begun, shown, paused, resumed and cancelled; how many it means is
// told first, and a script has to say that this is meant.
func TestBulk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.accept(t, "studio", "one"), b.accept(t, "studio", "two")
	b.fail(t, first)
	b.fail(t, second)
	b.accept(t, "studio", "open")

	r := b.run(t, "transcodes", "retry", "--filter", "tenant:studio", "--reason", "the disk is back")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "retry 2 transcodes: tenant:studio")
	require.Contains(t, r.stderr, "--yes")

	var op bulkShown
	b.decode(t, &op, "transcodes", "retry", "--filter", "tenant:studio", "--reason", "the disk is back", "--dry-run")
	require.True(t, op.DryRun)
	require.EqualValues(t, 2, op.Counted)
	var list bulkList
	b.decode(t, &list, "bulk", "list")
	require.Empty(t, list.Operations)

	b.decode(t, &op, "transcodes", "retry", "--filter", "tenant:studio", "--reason", "the disk is back", "--who", "jo", "--yes", "--rate", "7")
	require.Equal(t, []any{"retry", "tenant:studio state:failed", "running", int64(2), false, "jo", "cli", "the disk is back", int32(7)},
		[]any{op.Kind, op.Filter, op.State, op.Counted, op.More, op.Who, op.Via, op.Reason, op.PerSecond})
	id := op.ID.String()
	require.Contains(t, b.ok(t, "bulk", "list", "--open"), id)
	require.Contains(t, b.ok(t, "bulk", "show", id), "the disk is back")
	require.Contains(t, b.ok(t, "bulk", "pause", id), "is paused: 0 done")
	require.Contains(t, b.ok(t, "bulk", "resume", id, "--dry-run"), "dry run, nothing is changed: ")
	b.decode(t, &op, "bulk", "show", id)
	require.Equal(t, "paused", op.State)
	b.decode(t, &op, "bulk", "resume", id)
	require.Equal(t, "running", op.State)
	b.decode(t, &op, "bulk", "cancel", id, "--reason", "a mistake")
	require.Equal(t, "cancelled", op.State)
	require.NotNil(t, op.EndedAt)
	r = b.run(t, "bulk", "resume", id)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "has ended")
	require.NotContains(t, b.ok(t, "bulk", "list", "--open"), id)

	b.exec(t, `UPDATE weir.bulk_operations SET whys = '{"skipped": {"it is running": 3}, "failed": {"no": 1}}', examples = jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'failed', false, 'why', 'it is running'))`)
	require.Contains(t, b.ok(t, "bulk", "show", id), "skipped 3: it is running\nfailed 1: no\n")

	b.decode(t, &op, "transcodes", "cancel", "--filter", "external_id:open", "--reason", "not wanted", "--yes")
	require.EqualValues(t, 1, op.Counted)
	b.decode(t, &op, "callbacks", "redeliver", "--filter", "callback:refused ended<1h", "--reason", "it is back", "--yes")
	require.EqualValues(t, 2, op.Counted)
	b.decode(t, &op, "callbacks", "redeliver", "--since", "12h", "--destination", "nowhere.example.com", "--filter", "tenant:studio", "--reason", "it is back", "--yes")
	require.Equal(t, "tenant:studio state:succeeded state:failed state:cancelled destination:nowhere.example.com ended<12h", op.Filter)
	require.Zero(t, op.Counted)
	r = b.run(t, "transcodes", "cancel", "--filter", "state:failed", "--reason", "not wanted", "--yes")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "queued, placed, running, storing")
}

// On a terminal the reason and a "yes" are asked for: what is meant is said first, any other
// answer does nothing, and a script is told which flags answer.
func TestAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail(t, b.accept(t, "studio", "one"))
	retry := []string{"transcodes", "retry", "--filter", "tenant:studio"}
	operations := func() (all []bulkShown) {
		var list bulkList
		b.decode(t, &list, "bulk", "list")
		return list.Operations
	}
	for typed, said := range map[string]string{
		"the disk is back\nn\n":  "nothing was done",
		"the disk is back\n\n":   "nothing was done",
		"the disk is back\n\x04": "nothing was done", // the end of what is typed
		"the disk is back\nyo\n": "nothing was done",
		"  \n":                   "--reason is missing",
		"\x04":                   "--reason is missing",
	} {
		r := b.answers(t, typed, retry...)
		require.NotEqual(t, exitOK, r.code, "%q", typed)
		require.Contains(t, r.stderr, "why? ", "%q", typed)
		require.Contains(t, r.stderr, said, "%q", typed)
		require.Empty(t, operations(), "%q", typed)
	}
	r := b.run(t, retry...)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "--reason is missing")
	require.NotContains(t, r.stderr, "why?")

	r = b.answers(t, "the disk is back\n yes \n", retry...)
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Contains(t, r.stderr, "retry 1 transcode: tenant:studio. Is that meant? [y/N] ")
	all := operations()
	require.Len(t, all, 1)
	require.Equal(t, []string{"the disk is back", "ann"}, []string{all[0].Reason, all[0].Who})

	// Flags answer: nothing is asked.
	r = b.answers(t, "", "bulk", "cancel", all[0].ID.String(), "--reason", "a mistake")
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Empty(t, r.stderr)
	r = b.answers(t, "a mistake\n", "transcodes", "cancel", b.accept(t, "studio", "two").String())
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Equal(t, "why? ", r.stderr)
}

// Failures are grouped, and a group acted on.
func TestFailures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.accept(t, "studio", "one"), b.accept(t, "other", "two")
	b.fail(t, first)
	b.fail(t, second)
	var shown failuresShown
	b.decode(t, &shown, "failures")
	require.Len(t, shown.Groups, 1)
	g := shown.Groups[0]
	require.Equal(t, []any{"push_failed", int64(2), "may", []string{"host"}, second, "code:push_failed ended<1d"}, []any{g.Name, g.Failures, g.RetryHelps, g.MendedBy, g.Example, g.Filter})
	b.decode(t, &shown, "failures", "list", "--by", "tenant", "--filter", "tenant:other", "--since", "2h")
	require.Len(t, shown.Groups, 1)
	require.Equal(t, "tenant:other ended<2h", shown.Groups[0].Filter)
	b.decode(t, &shown, "failures", "--by", "broadcaster")
	require.Equal(t, []any{"", ""}, []any{shown.Groups[0].Name, shown.Groups[0].Filter})
	require.Contains(t, b.ok(t, "failures", "--by", "host"), "mist-1")

	var op bulkShown
	b.decode(t, &op, "failures", "retry", "mist-1", "--by", "host", "--filter", "tenant:other", "--reason", "its disk is back", "--yes")
	require.Equal(t, []any{"tenant:other state:failed host:mist-1 ended<1d", int64(1)}, []any{op.Filter, op.Counted})
	b.decode(t, &op, "failures", "cancel", "push_failed", "--since", "2h", "--reason", "hopeless", "--dry-run")
	require.Equal(t, "state:queued state:placed state:running state:storing code:push_failed age<2h", op.Filter)
}

// A dry run does all of it, shows what came of it and leaves nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	open, failed := b.accept(t, "studio", "open"), b.accept(t, "studio", "failed")
	callback := b.fail(t, failed)
	before := b.rows(t)
	var transcode view.Transcode
	b.decode(t, &transcode, "transcodes", "cancel", open.String(), "--reason", "r", "--dry-run")
	require.Equal(t, "cancelled", transcode.State)
	b.decode(t, &transcode, "transcodes", "retry", failed.String(), "--dry-run")
	require.EqualValues(t, 2, transcode.Run)
	b.decode(t, &transcode, "transcodes", "bump", open.String(), "--priority", "9", "--dry-run")
	require.EqualValues(t, 9, transcode.Priority)
	var tenant tenantShown
	b.decode(t, &tenant, "tenants", "set", "studio", "--weight", "7", "--dry-run")
	require.EqualValues(t, 7, tenant.Weight)
	b.decode(t, &tenant, "tenants", "pause", "studio", "--reason", "r", "--dry-run")
	require.NotNil(t, tenant.Paused)
	var queue queueStatus
	b.decode(t, &queue, "queue", "pause", "--reason", "r", "--dry-run")
	require.NotNil(t, queue.Paused)
	for _, args := range [][]string{
		{"callbacks", "redeliver", callback.String()}, {"hosts", "drain", "mist-1"}, {"tenants", "set", "studio", "--weight", "2"}, {"queue", "pause", "--reason", "r"},
	} {
		require.Contains(t, b.ok(t, append(args, "--dry-run")...), "dry run, nothing is changed: ")
	}
	require.Equal(t, "dry run, nothing is changed: retry would be of 1 transcode: tenant:studio state:failed\n",
		b.ok(t, "transcodes", "retry", "--filter", "tenant:studio", "--reason", "r", "--dry-run"))
	// What could not be done is told as it is without.
	r := b.run(t, "transcodes", "retry", open.String(), "--dry-run")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "only a failed transcode can be retried")
	require.Equal(t, before, b.rows(t))
}

// rows are all that a command might change, as text.
func (b *bundle) rows(t *testing.T) (text string) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT concat(
		(SELECT json_agg(x ORDER BY id) FROM weir.transcodes x), (SELECT json_agg(x ORDER BY id) FROM weir.hosts x), (SELECT json_agg(x) FROM weir.tenants x),
		(SELECT json_agg(x) FROM weir.placement x), (SELECT json_agg(x ORDER BY id) FROM weir.callbacks x), (SELECT json_agg(x ORDER BY id) FROM weir.river_job x),
		(SELECT json_agg(x ORDER BY id) FROM weir.admin_actions x))`).Scan(&text))
	return text
}

// Each change leaves a row with who, what, to which and why.
func TestChangesAreWrittenDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	open, failed := b.accept(t, "studio", "open").String(), b.accept(t, "studio", "failed")
	callback := b.fail(t, failed).String()
	environ := []string{databaseEnv + "=" + b.url, "USER=root", "SUDO_USER=ann"}
	for _, args := range [][]string{
		{"callbacks", "redeliver", callback}, {"transcodes", "bump", open}, {"transcodes", "cancel", open}, {"transcodes", "retry", failed.String()},
		{"hosts", "drain", "mist-1"}, {"hosts", "resume", "mist-1"}, {"tenants", "set", "studio", "--weight", "2"}, {"tenants", "pause", "studio"}, {"tenants", "resume", "studio"},
		{"queue", "pause"}, {"queue", "resume"},
	} {
		r := command(t.Context(), environ, append(args, "--reason", "because "+args[1])...)
		require.Equal(t, exitOK, r.code, r.stderr)
		target := "queue" // as the pages say it
		if len(args) > 2 {
			target = args[2]
		}
		var list actionList
		b.decode(t, &list, "actions", "list", "--limit", "1")
		require.Equal(t, []string{"ann", "cli", args[0] + " " + args[1], target, "because " + args[1]},
			[]string{list.Actions[0].Who, list.Actions[0].Via, list.Actions[0].What, list.Actions[0].Target, list.Actions[0].Reason})
	}
	r := command(t.Context(), environ, "transcodes", "bump", failed.String(), "--priority", "1", "--who", "jo")
	require.Equal(t, exitOK, r.code, r.stderr)
	var list actionList
	b.decode(t, &list, "actions", "list", "--target", failed.String(), "--since", "2020-01-01T00:00:00Z")
	require.Len(t, list.Actions, 2)
	require.Equal(t, "jo", list.Actions[0].Who)
	require.JSONEq(t, `{"priority": 1}`, string(list.Actions[0].Detail))
	require.Contains(t, b.ok(t, "actions", "list"), "because retry")
	b.decode(t, &list, "actions", "list", "--target", "studio", "--since", "1h")
	require.Len(t, list.Actions, 3)
	require.JSONEq(t, `{"weight": 2}`, string(list.Actions[2].Detail))
	b.exec(t, "UPDATE weir.admin_actions SET at = at - interval '2 hours'")
	b.decode(t, &list, "actions", "list", "--since", "1h")
	require.Empty(t, list.Actions)
	// What was refused is nobody's change.
	before := len(b.ok(t, "actions", "list"))
	require.Equal(t, exitFailed, command(t.Context(), environ, "transcodes", "retry", uuid.NewString()).code)
	require.Len(t, b.ok(t, "actions", "list"), before)
}

// The words that flags take are those of the schema and of Mist.
func TestWords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var check string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'mist_events_verdict_check'").Scan(&check))
	require.Equal(t, len(verdicts()), strings.Count(check, "::text"), check)
	for _, verdict := range verdicts() {
		require.Contains(t, check, "'"+verdict+"'")
	}
	var kinds []string
	for _, name := range []mist.TriggerName{mist.TriggerLiveTrackList, mist.TriggerPushEnd, mist.TriggerRecordingEnd, mist.TriggerInputAbort, mist.TriggerSegmentRejected} {
		kinds = append(kinds, string(name))
	}
	require.Equal(t, kinds, triggerKinds())
}

// What is written by --json is JSON and nothing else, of each list.
func TestListsAreJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, args := range []string{"transcodes list", "transcodes list --filter state:failed", "failures", "failures list", "bulk list", "actions list", "callbacks list", "triggers list"} {
		require.True(t, json.Valid([]byte(b.ok(t, append(strings.Fields(args), "--json")...))), args)
	}
}

// The same of what is sealed: a secret that is not kept is not shown either.
func TestDryRunOfSealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := secret.Key{1}
	environ := []string{databaseEnv + "=" + b.url, keysEnv + "=" + base64.StdEncoding.EncodeToString(key[:]), "USER=ann"}
	change := func(args ...string) string {
		r := command(t.Context(), environ, args...)
		require.Equal(t, exitOK, r.code, r.stderr)
		return r.stdout
	}
	store := []string{"tenants", "stores", "set", "studio", "own", "--endpoint", "https://s3.example.com", "--allow", "media"}
	require.Contains(t, change(append(store, "--dry-run")...), "own")
	require.Len(t, strings.Split(change("tenants", "secret", "add", "studio", "--dry-run"), "\n"), 2)
	require.NotContains(t, b.ok(t, "tenants", "stores", "list", "studio"), "own")
	require.JSONEq(t, `{"secrets": []}`, b.ok(t, "tenants", "secret", "list", "studio", "--json"))
	require.JSONEq(t, `{"actions": []}`, b.ok(t, "actions", "list", "--json"))

	change(append(store, "--reason", "theirs")...)
	change("tenants", "secret", "add", "studio")
	require.Contains(t, change("tenants", "stores", "rm", "studio", "own", "--dry-run"), "dry run")
	require.Contains(t, b.ok(t, "tenants", "stores", "list", "studio"), "own")
	change("tenants", "stores", "rm", "studio", "own")
	var list actionList
	b.decode(t, &list, "actions", "list", "--target", "studio")
	require.Len(t, list.Actions, 3)
	require.Equal(t, []string{"tenants stores rm", "tenants secret add", "tenants stores set"}, []string{list.Actions[0].What, list.Actions[1].What, list.Actions[2].What})
	require.Equal(t, []string{"ann", "theirs"}, []string{list.Actions[2].Who, list.Actions[2].Reason})
}
