package main

import (
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api/view"
	"weir/db"
	"weir/db/dbtest"
)

func TestTranscodesList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second, third := b.accept(t, "studio", "one"), b.accept(t, "studio", "two"), b.accept(t, "other", "one")
	b.fail(t, second)
	for _, test := range []struct {
		args string
		want []uuid.UUID
	}{
		{"", []uuid.UUID{third, second, first}},
		{"--tenant studio", []uuid.UUID{second, first}},
		{"--state failed", []uuid.UUID{second}},
		{"--external-id one --tenant other", []uuid.UUID{third}},
		{"--host mist-1", []uuid.UUID{second}},
		{"--limit 1", []uuid.UUID{third}},
		{"--to 2020-01-01T00:00:00Z", nil},
		{"--from 2020-01-01T00:00:00+02:00 --limit 1000", []uuid.UUID{third, second, first}},
	} {
		var list transcodeList
		b.decode(t, &list, append([]string{"transcodes", "list"}, strings.Fields(test.args)...)...)
		var ids []uuid.UUID
		for _, each := range list.Transcodes {
			ids = append(ids, each.ID)
		}
		require.Equal(t, test.want, ids, test.args)
	}
	table := strings.Split(b.ok(t, "transcodes", "list"), "\n")
	require.Len(t, table, 5)
	require.Equal(t, strings.Fields("ID ACCEPTED TENANT EXTERNAL-ID STATE DONE HOST ATTEMPT STORED CALLBACK ERROR"), strings.Fields(table[0]))
	fields := strings.Fields(table[2])
	require.Equal(t, second.String(), fields[0])
	require.Equal(t, []string{"studio", "two", "failed", "50%", "mist-1", "1", "1/2", "refused", "push_failed"}, fields[3:])
}

func TestTranscodesShow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	callback := b.fail(t, id)
	text := b.ok(t, "transcodes", "show", id.String())
	for _, says := range []string{
		id.String(), "failed", "push_failed at push: Mist could not.", "s3://media/out/360p.mp4", "mist-1",
		"refused, 1 attempts, " + callback.String(), "answered 404", "PUSH_END", "its ?[31mnote", "https://studio.example/hook", "1280x720", "480x360", "640x360", "size_aspect",
	} {
		require.Contains(t, text, says)
	}
	require.NotContains(t, text, "hush")
	var shown transcodeShown
	b.decode(t, &shown, "transcodes", "show", id.String())
	require.Equal(t, id, shown.ID)
	require.Len(t, shown.Renditions, 2)
	require.Equal(t, "failed", *shown.Attempts[0].Outcome)
	require.Equal(t, "its log ends: disk full", *shown.Attempts[0].ErrorDetail)
	require.EqualValues(t, 2, shown.Attempts[0].HungStarts)
	require.Contains(t, text, "its log ends: disk full")
	require.Equal(t, int32(404), *shown.CallbackAttempts[0].Status)
	require.Equal(t, "a\nb", shown.Events[0].Payload)

	// One that nothing has happened to.
	b.ok(t, "transcodes", "show", b.accept(t, "studio", "two").String())
	r := b.run(t, "transcodes", "show", uuid.NewString())
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "no such transcode")
}

func TestTranscodesRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	r := b.run(t, "transcodes", "retry", id.String())
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 1, strings.Count(r.stderr, "\n"))
	require.Contains(t, r.stderr, "only a failed transcode can be retried")
	b.fail(t, id)
	require.Contains(t, b.ok(t, "transcodes", "retry", id.String()), "queued again: run 2, 1/2 renditions stored")
	var list transcodeList
	b.decode(t, &list, "transcodes", "list")
	got := list.Transcodes[0]
	require.Equal(t, "queued", got.State)
	require.Equal(t, int32(2), got.Run)
	require.Equal(t, []string{"failed", "ok"}, []string{got.Renditions[0].State, got.Renditions[1].State}, "what is ok stays")
	require.Nil(t, got.Callback, "the run's own is to come")
}

func TestTranscodesCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	for range 2 {
		require.Contains(t, b.ok(t, "transcodes", "cancel", id.String(), "--reason", "not wanted"), "is cancelled")
	}
	var got view.Transcode
	b.decode(t, &got, "transcodes", "cancel", id.String(), "--reason", "not wanted")
	require.Equal(t, "cancelled", got.State)
	require.Equal(t, "pending", got.Callback.State)
	failed := b.accept(t, "studio", "two")
	b.fail(t, failed)
	r := b.run(t, "transcodes", "cancel", failed.String(), "--reason", "not wanted")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "ended already")
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	callback := b.fail(t, id)
	require.Contains(t, b.ok(t, "callbacks", "list"), callback.String())
	var list callbackList
	b.decode(t, &list, "callbacks", "list", "--state", "refused", "--tenant", "studio", "--transcode", id.String())
	require.Len(t, list.Callbacks, 1)
	require.Equal(t, "failed", list.Callbacks[0].Outcome)
	b.decode(t, &list, "callbacks", "list", "--state", "delivered")
	require.Empty(t, list.Callbacks)

	jobsBefore := b.jobCount(t)
	require.Contains(t, b.ok(t, "callbacks", "redeliver", callback.String()), "sent again")
	require.Equal(t, jobsBefore+1, b.jobCount(t))
	var again redelivery
	b.decode(t, &again, "callbacks", "redeliver", callback.String())
	require.Equal(t, callback, again.CallbackID)
	b.decode(t, &list, "callbacks", "list")
	require.Equal(t, "refused", list.Callbacks[0].State, "nothing else is touched")

	r := b.run(t, "callbacks", "redeliver", uuid.NewString())
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "no such callback")
}

func (b *bundle) jobCount(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.river_job").Scan(&n))
	return n
}

func TestTriggersAndHosts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	require.Equal(t, 1, strings.Count(b.ok(t, "hosts", "list"), "\n"))
	b.fail(t, id)
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('mist-2', gen_random_uuid(), 2, now() - interval '1 minute')`)
	var hosts hostList
	b.decode(t, &hosts, "hosts", "list")
	require.Equal(t, []bool{true, false}, []bool{hosts.Hosts[0].Alive, hosts.Hosts[1].Alive})
	require.Contains(t, b.ok(t, "hosts", "list"), "lost")
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, up, draining) VALUES
		('mist-3', gen_random_uuid(), 2, now() + interval '1 minute', false, false), ('mist-4', gen_random_uuid(), 2, now() + interval '1 minute', true, true)`)
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, mist_silent_from) VALUES
		('mist-5', gen_random_uuid(), 2, now() + interval '1 minute', now())`)
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes) VALUES ('mist-6', gen_random_uuid(), 2, now() + interval '1 minute', 0)`)
	b.exec(t, `UPDATE weir.hosts SET spool_room_bytes = 1 WHERE id = 'mist-1'`)
	b.decode(t, &hosts, "hosts", "list")
	var states []string
	for _, host := range hosts.Hosts {
		states = append(states, host.State)
	}
	require.Equal(t, []string{"alive", "lost", "stopped", "draining", "mist silent", "spool full"}, states)
	for _, test := range []struct {
		command  string
		draining bool
	}{{"drain", true}, {"drain", true}, {"resume", false}} {
		var change hostChange
		b.decode(t, &change, "hosts", test.command, "mist-1")
		require.Equal(t, hostChange{"mist-1", test.draining}, change)
		b.decode(t, &hosts, "hosts", "list")
		require.Equal(t, test.draining, hosts.Hosts[0].Draining)
	}
	require.Contains(t, b.run(t, "hosts", "drain", "nobody").stderr, "no such host")

	var events eventList
	b.decode(t, &events, "triggers", "list", "--transcode", id.String(), "--trigger", "PUSH_END", "--verdict", "applied")
	require.Len(t, events.Events, 1)
	require.JSONEq(t, `{"X-Version":"3"}`, string(events.Events[0].Headers))
	b.decode(t, &events, "triggers", "list", "--verdict", "stale")
	require.Empty(t, events.Events)
	require.Contains(t, b.ok(t, "triggers", "list"), "its ?[31mnote")
}

func TestDB(t *testing.T) {
	t.Parallel()
	b := &bundle{url: dbtest.Empty(t)}
	r := b.run(t, "transcodes", "list")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "too old")
	require.Contains(t, r.stderr, "`weir-admin db migrate`")

	require.Contains(t, b.ok(t, "db", "status"), "version 0 of ")
	require.Contains(t, b.ok(t, "db", "migrate"), "the schema is at version ")
	require.Contains(t, b.ok(t, "db", "migrate"), "the schema is at version ")
	var status db.SchemaStatus
	b.decode(t, &status, "db", "status")
	require.Equal(t, status.Latest, status.Version)
	require.Contains(t, b.ok(t, "db", "status"), "as this program needs it")
	b.ok(t, "transcodes", "list")

	pool, err := db.Open(t.Context(), b.url, 1)
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), "UPDATE weir.schema_migrations SET version = version + 1")
	require.NoError(t, err)
	require.Contains(t, b.ok(t, "db", "status"), "newer, and serves this program")
	require.Contains(t, b.ok(t, "db", "migrate"), "the schema is at version ")
	b.ok(t, "hosts", "list")
	_, err = pool.Exec(t.Context(), "UPDATE weir.schema_compat SET serves_from = $1", status.Latest+1)
	require.NoError(t, err)
	r = b.run(t, "hosts", "list")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "too new")
	require.Contains(t, b.ok(t, "db", "status"), "too new")
}

// Callbacks and triggers are listed by what transcodes are.
func TestListsOfWhatBelongsToTranscodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.accept(t, "studio", "one"), b.accept(t, "other", "two")
	b.fail(t, one)
	b.fail(t, two)
	b.exec(t, `UPDATE weir.transcodes SET labels = '{"size": "big", "customer": "x"}', error_code = 's3_refused' WHERE id = $1`, one)
	b.exec(t, `UPDATE weir.callbacks SET state = 'expired', url = 'https://Hooks.example:8443/', created_at = now() - interval '3 hours' WHERE transcode_id = $1`, two)
	b.exec(t, `UPDATE weir.mist_events SET host_id = 'mist-2', received_at = now() - interval '3 hours' WHERE transcode_id = $1`, two)
	b.exec(t, `INSERT INTO weir.mist_events (host_id, trigger, stream, headers, payload, payload_bytes, verdict) VALUES ('mist-1', 'PUSH_END', 's', '{}', '', 0, 'unmatched')`)
	lists := map[string]func(args ...string) []uuid.UUID{
		"callbacks": func(args ...string) (of []uuid.UUID) {
			var list callbackList
			b.decode(t, &list, append([]string{"callbacks", "list"}, args...)...)
			for _, c := range list.Callbacks {
				of = append(of, c.TranscodeID)
			}
			return of
		},
		"triggers": func(args ...string) (of []uuid.UUID) {
			var list eventList
			b.decode(t, &list, append([]string{"triggers", "list"}, args...)...)
			for _, e := range list.Events {
				if e.TranscodeID == nil {
					e.TranscodeID = &uuid.Nil
				}
				of = append(of, *e.TranscodeID)
			}
			return of
		},
	}
	for text, want := range map[string][]uuid.UUID{
		"tenant:studio": {one}, "tenant:studio tenant:other state:failed code:s3_refused": {one}, "tenant:nobody": nil,
		"state:failed code:push_failed": {two}, "external_id:two": {two}, "age<1h code:s3_refused": {one}, "age>1h": nil,
		"tenant:studio label:size=big label:customer=x label:customer=y": {one}, "tenant:other label:size=big": nil,
		"broadcaster:http://b age<1d": nil,
	} {
		for name, list := range lists {
			require.Equal(t, want, list("--filter", text), "%s of %s", name, text)
		}
	}
	for text, want := range map[string][]uuid.UUID{
		"": {one, two}, "callback:expired": {two}, "callback:expired callback:refused": {one, two}, "destination:HOOKS.example:8443 age<1d": {two},
		"destination:hooks.example age<1d": nil, "ended>2h": {two}, "ended<2h": {one}, "host:mist-1": {one, two},
	} {
		require.Equal(t, want, lists["callbacks"]("--filter", text), text)
	}
	require.Equal(t, []uuid.UUID{two}, lists["callbacks"]("--state", "expired", "--tenant", "other"))
	for text, want := range map[string][]uuid.UUID{
		"": {uuid.Nil, two, one}, "host:mist-2": {two}, "host:mist-1": {uuid.Nil, one}, "callback:expired age<1d": {two},
		"destination:studio.example ended<2h": {two, one},
	} {
		require.Equal(t, want, lists["triggers"]("--filter", text), text)
	}
	require.Equal(t, []uuid.UUID{two}, lists["triggers"]("--host", "mist-2"))
	require.Equal(t, []uuid.UUID{uuid.Nil, one}, lists["triggers"]("--since", "2h"))
	require.Equal(t, []uuid.UUID{one}, lists["triggers"]("--since", "2h", "--verdict", "applied", "--filter", "tenant:studio"))
}

// TestUsage: a wrong command line is one line and exit code 2, before anything is done.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, says string }{
		{"", "needs one of: transcodes, failures, bulk, callbacks, triggers, events, hosts, top, tenants, queue, actions, seal, web-user, db"},
		{"bogus", "bogus"},
		{"transcodes", "weir-admin transcodes needs one of: list, show, explain, watch, timeline, retry, cancel"},
		{"transcodes bogus", "weir-admin transcodes has no \"bogus\": give one of list, show"},
		{"transcodes list extra", "weir-admin transcodes list: \"extra\" is one word too many; it takes flags alone"},
		{"hosts drain", "weir-admin hosts drain needs HOST"},
		{"tenants stores rm studio", "weir-admin tenants stores rm needs STORE"},
		{"tenants show a b", "weir-admin tenants show: \"b\" is one word too many; it takes TENANT"},
		{"tenants set studio --weight 0", "--weight is 0: give 1 to 1000"},
		{"tenants set studio --spool-percent 101", "--spool-percent is 101: give 0 to 100"},
		{"tenants set studio --running-most -1", "--running-most is -1: give 0 to"},
		{"transcodes bump 00000000-0000-7000-8000-000000000000 --priority 10", "--priority is 10: give 0 to 9"},
		{"web-user jo --role admin", "--role is \"admin\": give one of viewer, operator"},
		{"transcodes list --bogus", "--bogus"},
		{"transcodes list --state gone", "--state is \"gone\": give one of queued"},
		{"transcodes list --limit 0", "--limit is 0: give 1 to 1000"},
		{"transcodes list --limit many", "weir-admin: --limit is \"many\": give a number\n"},
		{"tenants set studio --weight 99999999999", "--weight is \"99999999999\": give a smaller number"},
		{"queue pause --reason r --dry-run=maybe", "--dry-run is \"maybe\": give true or false"},
		{"transcodes list --from yesterday", "--from is \"yesterday\""},
		{"transcodes show", "takes one id"},
		{"transcodes show 1", "see `weir-admin transcodes list`"},
		{"transcodes cancel 1 2", "takes one id"},
		{"callbacks redeliver --since yesterday --reason r --yes", "\"yesterday\" is no time: write 90s"},
		{"callbacks redeliver --since 1h 00000000-0000-7000-8000-000000000000", "an id or --filter, and not both"},
		{"callbacks redeliver x", "see `weir-admin callbacks list`"},
		{"triggers list --transcode x", "--transcode is no id"},
		{"triggers list --verdict nope", "--verdict is \"nope\": give one of applied, noted, stale, unmatched, unreadable"},
		{"triggers list --trigger PUSH", "--trigger is \"PUSH\": give one of LIVE_TRACK_LIST, PUSH_END"},
		{"callbacks list --state nope", "--state is \"nope\": give one of pending, delivered"},
		{"callbacks list --filter sate:failed", "there is no sate: write one of tenant:, state:"},
		{"callbacks list --filter callback:refused --state refused", "--state and --filter both name it"},
		{"callbacks list --filter destination:h", "give age< or ended<"},
		{"triggers list --filter verdict:stale", "there is no verdict: write one of tenant:, state:"},
		{"triggers list --filter host:a --host b", "--host and --filter both name it"},
		{"triggers list --filter label:a=b", "give tenant: with label:"},
		{"triggers list --since yesterday", "--since is \"yesterday\": give how long ago, as 12h, or a time"},
		{"transcodes list --filter sate:failed", "there is no sate: write one of tenant:, state:"},
		{"transcodes list --filter state:failed --state failed", "give one of them"},
		{"transcodes list --filter label:a=b", "give tenant: with label:"},
		{"transcodes cancel 00000000-0000-7000-8000-000000000000", "--reason is missing"},
		{"transcodes cancel --filter state:queued", "--reason is missing"},
		{"transcodes retry --filter state:failed --yes", "--reason is missing"},
		{"transcodes retry --filter state:nope --yes --reason r", "there is no state \"nope\": give one of queued"},
		{"transcodes retry 00000000-0000-7000-8000-000000000000 --filter state:failed", "an id or --filter, and not both"},
		{"transcodes retry 00000000-0000-7000-8000-000000000000 --yes", "go with --filter"},
		{"transcodes retry --filter state:failed --rate 0 --reason r", "--rate is 0: give 1 to 500"},
		{"transcodes bump 00000000-0000-7000-8000-000000000000 --who " + strings.Repeat("x", 201), "--who is longer"},
		{"bulk cancel 00000000-0000-7000-8000-000000000000", "--reason is missing"},
		{"bulk list --limit 0", "--limit is 0"},
		{"failures --by day", "--by is \"day\": give one of code, host, broadcaster, tenant"},
		{"failures list --since yesterday", "--since is \"yesterday\""},
		{"failures list --filter state:failed", "tenant:, code: and host: alone"},
		{"failures retry nope --reason r", "there is no code \"nope\": give one of"},
		{"failures bogus", "bogus"},
		{"actions list --since yesterday", "--since is \"yesterday\": give how long ago, as 12h, or a time"},
		{"support-bundle --since 8d --yes", "--since is \"8d\": give 1m to 7d"},
		{"transcode list", "unknown command \"transcode\" for \"weir-admin\"; Did you mean this? transcodes"},
		{"db migrate now", "now"},
	} {
		r := command(t.Context(), nil, strings.Fields(test.args)...)
		require.Equal(t, exitUsage, r.code, test.args)
		require.Contains(t, r.stderr, test.says)
		require.True(t, strings.HasPrefix(r.stderr, "weir-admin: "))
		require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
		require.Empty(t, r.stdout)
	}
	r := command(t.Context(), nil, "hosts", "list")
	require.Equal(t, result{exitFailed, "", "weir-admin: no database: set WEIR_DATABASE_URL, or give --database-url or --config\n"}, r)
	r = command(t.Context(), []string{databaseEnv + "=postgres://u:hush@:bad:/x"}, "hosts", "list")
	require.Equal(t, exitFailed, r.code)
	require.NotContains(t, r.stderr, "hush")
	// One that can't be reached is the one of who named it, said once.
	for _, test := range []struct{ args, environ []string }{
		{nil, []string{databaseEnv + "=postgres://u:hush@127.0.0.1:1/x"}},
		{[]string{"--database-url", "postgres://u:hush@127.0.0.1:1/x"}, []string{databaseEnv + "=postgres://nowhere/y"}},
	} {
		r = command(t.Context(), test.environ, append([]string{"hosts", "list", "--json"}, test.args...)...)
		named := databaseEnv
		if test.args != nil {
			named = "--database-url"
		}
		require.Equal(t, exitFailed, r.code)
		require.Empty(t, r.stdout)
		require.Regexp(t, "^weir-admin: "+named+": .*failed to connect to `user=u database=x`: [^;\t]*connection refused\n$", r.stderr)
		require.Equal(t, 1, strings.Count(r.stderr, "refused"), r.stderr)
		require.NotContains(t, r.stderr, "hush")
	}
}

// TestDatabaseIsTheOneGiven: the flag wins over the environment, and libpq's
// variables win over neither, also where an address leaves something out.
func TestDatabaseIsTheOneGiven(t *testing.T) {
	t.Parallel()
	named, trap := setup(t), setup(t)
	id := named.accept(t, "studio", "one").String()
	at := func(raw string) *url.URL {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		return u
	}
	trapURL := at(trap.url)
	libpq := []string{
		"PGHOST=" + trapURL.Hostname(), "PGPORT=" + trapURL.Port(), "PGDATABASE=" + strings.TrimPrefix(trapURL.Path, "/"),
		"PGUSER=" + trapURL.User.Username(), "PGOPTIONS=-c search_path=nowhere", "PGSERVICE=nowhere",
	}
	password, _ := at(named.url).User.Password()
	withoutPassword := at(named.url)
	withoutPassword.User = url.User(withoutPassword.User.Username())
	for _, test := range []struct {
		name    string
		args    []string
		environ []string
		code    int
	}{
		{"environment", nil, []string{databaseEnv + "=" + named.url}, exitOK},
		{"flag", []string{"--database-url", named.url}, nil, exitOK},
		{"flag over environment", []string{"--database-url", named.url}, []string{databaseEnv + "=" + trap.url}, exitOK},
		{"password beside the flag", []string{"--database-url", withoutPassword.String()}, []string{"PGPASSWORD=" + password}, exitOK},
		{"neither", nil, nil, exitFailed},
		{"no database in the address", []string{"--database-url", strings.Replace(named.url, at(named.url).Path, "/", 1)}, nil, exitFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"transcodes", "show", id}, test.args...)...)
			cmd.Env = append(append([]string{asProgram + "=1"}, libpq...), test.environ...)
			out, err := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s %v", out, err)
			if test.code == exitOK {
				require.Contains(t, string(out), id)
			}
			require.NotContains(t, string(out), "no such transcode", "it asked another database")
		})
	}
}
