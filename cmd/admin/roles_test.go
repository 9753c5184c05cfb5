package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
	"weir/db/roles"
	"weir/secret"
)

// forbidden is Postgres' code for a right that is missing.
const forbidden = "42501"

// someone is a role of this test alone that may log in; its URL has its password.
func (b *bundle) someone(t *testing.T) (name, as string) {
	t.Helper()
	name = "weir_test_" + uuid.NewString()
	quoted, password := pgx.Identifier{name}.Sanitize(), uuid.NewString()
	b.exec(t, "CREATE ROLE "+quoted+" LOGIN PASSWORD '"+password+"'")
	dbtest.DropRole(t, b.pool, name)
	u, err := url.Parse(b.url)
	require.NoError(t, err)
	u.User = url.UserPassword(name, password)
	return name, u.String()
}

// member is someone who is a member of a role of ours.
func (b *bundle) member(t *testing.T, of string) (as string) {
	t.Helper()
	name, as := b.someone(t)
	b.exec(t, "GRANT "+of+" TO "+pgx.Identifier{name}.Sanitize())
	return as
}

func connect(t *testing.T, as string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), as)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// TestRoles: each role may what it is for and nothing else.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.ok(t, "db", "roles")
	require.Contains(t, first, "rights granted")
	reader := b.member(t, roles.Readonly)
	require.Contains(t, b.ok(t, "db", "roles"), "statement_timeout 30s, lock_timeout 5s, idle_in_transaction_session_timeout 60s", "of the new member")
	again := b.ok(t, "db", "roles")
	require.Equal(t, 4, strings.Count(again, "was there"))
	require.NotContains(t, again, "timeout")
	tenant, tenantURL := b.someone(t)
	require.Contains(t, b.ok(t, "db", "speaker", tenant, "studio"), "role "+tenant+" speaks for tenant studio")
	b.ok(t, "db", "migrate") // tells the rights anew

	asked := `{"source": {"url": "s3://media/in.mp4"}, "output": {"url": "s3://media/out"}, "callback_url": "https://studio.example/hook",
		"profiles": [{"name": "a", "width": 640, "height": 360, "bitrate": 800000}]}`
	enqueue := "SELECT weir.enqueue_transcode('" + asked + "')"
	for _, test := range []struct {
		who, as    string
		may, mayNo []string
	}{
		{"studio", tenantURL, []string{
			enqueue, "SELECT * FROM weir.my_transcodes", "SELECT * FROM weir.my_renditions", "SELECT * FROM weir.my_callbacks", "SELECT weir.speaks_for()",
		}, []string{
			"SELECT id FROM weir.inbox", "SELECT body FROM weir.inbox", "SELECT * FROM weir.transcodes", "SELECT * FROM weir.v_transcodes", "SELECT * FROM weir.speakers",
			"SELECT * FROM weir.enqueued", "SELECT * FROM weir.river_job", "INSERT INTO weir.speakers VALUES ('x', 'other')", "UPDATE weir.speakers SET tenant = 'other'",
			"INSERT INTO weir.river_job (args, kind, max_attempts) VALUES ('{}', 'place', 1)", "DELETE FROM weir.inbox",
			"SELECT weir.submission_faults('{}')", "SELECT weir.submission_form()", "DO $$ BEGIN LOCK TABLE weir.transcodes; END $$", "CREATE TABLE weir.mine ()",
			"SELECT * FROM weir.v_slo", "SELECT * FROM weir.slo_of_hour(now())", "SET SESSION AUTHORIZATION " + roles.Admin, "SET ROLE " + roles.Daemon, "SELECT nextval('weir.river_job_id_seq')",
		}},
		{"readonly", reader, []string{
			"SELECT * FROM weir.v_transcodes", "SELECT * FROM weir.v_renditions", "SELECT * FROM weir.v_attempts", "SELECT * FROM weir.v_callbacks", "SELECT * FROM weir.v_outputs",
			"SELECT * FROM weir.v_queue", "SELECT * FROM weir.v_hosts", "SELECT * FROM weir.v_failures", "SELECT * FROM weir.v_usage", "SELECT * FROM weir.v_slo", "SELECT * FROM weir.v_admin_actions",
		}, []string{
			enqueue, "SELECT * FROM weir.inbox", "SELECT id FROM weir.inbox", "SELECT * FROM weir.enqueued", "SELECT source_sealed FROM weir.transcodes", "SELECT * FROM weir.transcodes",
			"SELECT * FROM weir.speakers", "SELECT * FROM weir.river_job", "SELECT * FROM weir.admin_actions", "SELECT * FROM weir.v_transcodes FOR UPDATE", "DO $$ BEGIN LOCK TABLE weir.v_transcodes IN SHARE MODE; END $$",
			"INSERT INTO weir.transcodes DEFAULT VALUES", "DELETE FROM weir.callbacks", "SELECT * FROM weir.my_transcodes", "CREATE TABLE weir.mine ()", "SET ROLE " + roles.Admin,
		}},
		{"admin", b.member(t, roles.Admin), []string{
			"SELECT * FROM weir.transcodes", "SELECT id, tenant, external_id, created_at, job_id FROM weir.inbox", "SELECT * FROM weir.v_transcodes", "SELECT * FROM weir.v_slo", "SELECT * FROM weir.speakers",
		}, []string{
			enqueue, "SELECT body FROM weir.inbox", "SELECT digest FROM weir.inbox", "SELECT * FROM weir.inbox", "DELETE FROM weir.inbox", "DELETE FROM weir.transcodes", "TRUNCATE weir.transcodes",
			"INSERT INTO weir.speakers VALUES ('x', 'other')", "UPDATE weir.schema_migrations SET version = 1", "CREATE TABLE weir.mine ()", "DROP VIEW weir.v_transcodes", "SET ROLE " + roles.Daemon,
		}},
		{"daemon", b.member(t, roles.Daemon), []string{
			"SELECT body FROM weir.inbox", "DELETE FROM weir.inbox WHERE false", "UPDATE weir.transcodes SET ratio = ratio", "SELECT nextval('weir.river_job_id_seq')",
		}, []string{
			enqueue, "INSERT INTO weir.speakers VALUES ('x', 'other')", "UPDATE weir.speakers SET tenant = 'other'", "UPDATE weir.schema_migrations SET version = 1", "TRUNCATE weir.inbox",
			"DROP TABLE weir.inbox", "CREATE TABLE weir.mine ()", "ALTER TABLE weir.inbox DISABLE TRIGGER ALL", "DELETE FROM weir.identity",
		}},
	} {
		t.Run(test.who, func(t *testing.T) {
			conn := connect(t, test.as)
			for _, text := range test.may {
				_, err := conn.Exec(t.Context(), text)
				require.NoError(t, err, text)
			}
			for _, text := range test.mayNo {
				_, err := conn.Exec(t.Context(), text)
				var refused *pgconn.PgError
				require.ErrorAs(t, err, &refused, text)
				require.Equal(t, forbidden, refused.Code, "%s: %s", text, refused.Message)
			}
		})
	}
}

// TestSpeaker: a role asks for one tenant's transcodes, sees its own, and loses it again.
func TestSpeaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, exitUsage, b.run(t, "db", "speaker", "x").code)
	require.Contains(t, b.run(t, "db", "speaker", "--remove", "weir_test_nobody").stderr, "speaks for no tenant")
	b.ok(t, "db", "roles")
	require.Contains(t, b.run(t, "db", "speaker", "x", "no tenant").stderr, "a tenant's name is")
	made := "weir_test_" + uuid.NewString()
	dbtest.DropRole(t, b.pool, made)
	said := b.ok(t, "db", "speaker", made, "studio")
	require.Contains(t, said, "role "+made+" made")
	require.Contains(t, said, "idle_in_transaction_session_timeout 60s")
	require.NotContains(t, b.ok(t, "db", "speaker", made, "other"), "made")

	_, as := b.someone(t)
	mine, others := b.accept(t, "studio", "mine"), b.accept(t, "other", "others")
	conn := connect(t, as)
	_, err := conn.Exec(t.Context(), "SELECT FROM weir.my_transcodes")
	require.Error(t, err)
	u, err := url.Parse(as)
	require.NoError(t, err)
	for i, tenant := range []string{"studio", "other"} {
		require.Contains(t, b.ok(t, "db", "speaker", u.User.Username(), tenant), "left as they are")
		rows, err := conn.Query(t.Context(), "SELECT id FROM weir.my_transcodes")
		require.NoError(t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{[]uuid.UUID{mine, others}[i]}, ids)
		rows, err = conn.Query(t.Context(), "SELECT DISTINCT transcode_id FROM weir.my_renditions")
		require.NoError(t, err)
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		require.NoError(t, err)
		require.Equal(t, []uuid.UUID{[]uuid.UUID{mine, others}[i]}, ids)
	}
	b.ok(t, "db", "speaker", "--remove", u.User.Username())
	_, err = conn.Exec(t.Context(), "SELECT FROM weir.my_transcodes")
	require.Error(t, err)
}

// TestAdminAsItsRole: the commands work for a member of weir_admin; those that make the
// schema and its roles are its owner's.
func TestAdminAsItsRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ok(t, "db", "roles")
	b.exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'studio')")
	var waits uuid.UUID
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT weir.enqueue_transcode('{"source": {"url": "s3://media/in.mp4"}, "output": {"url": "s3://media/out"},
		"callback_url": "https://u:hush@studio.example/hook", "profiles": [{"name": "a", "width": 640, "height": 360, "bitrate": 800000}]}')`).Scan(&waits))
	failed, open := b.accept(t, "studio", "a"), b.accept(t, "studio", "b")
	callback := b.fail(t, failed)
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('gone', gen_random_uuid(), 2, now() - interval '1 minute')`)
	owner := b.url
	b.url = b.member(t, roles.Admin)
	for _, args := range [][]string{
		{"transcodes", "list"}, {"transcodes", "show", failed.String()}, {"transcodes", "show", waits.String()},
		{"callbacks", "list"}, {"callbacks", "redeliver", callback.String()}, {"triggers", "list"},
		{"transcodes", "retry", failed.String()}, {"transcodes", "cancel", open.String(), "--reason", "r"}, {"transcodes", "cancel", failed.String(), "--reason", "r"}, {"failures"},
		{"transcodes", "retry", "--filter", "state:failed", "--reason", "r", "--yes"}, {"bulk", "list"}, {"actions", "list"},
		{"hosts", "list"}, {"hosts", "drain", "mist-1"}, {"hosts", "resume", "mist-1"}, {"db", "status"},
		{"tenants", "list"}, {"tenants", "show", "studio"}, {"tenants", "set", "studio", "--weight", "2"}, {"tenants", "pause", "studio", "--reason", "r"}, {"tenants", "resume", "studio"},
		{"queue", "pause", "--reason", "r"}, {"queue", "resume"}, {"queue", "status"}, {"tenants", "stores", "list", "studio"},
	} {
		out := b.ok(t, args...)
		require.NotContains(t, out, "hush")
	}
	for _, args := range []string{
		"transcodes explain " + waits.String(), "transcodes explain " + failed.String(), "transcodes timeline " + failed.String(), "callbacks show " + callback.String(),
		"triggers show 1", "events tail --once --after 0", "events deliveries list", "hosts show mist-1", "hosts forget gone --reason r", "top --once",
	} {
		require.NotContains(t, b.ok(t, strings.Fields(args)...), "hush", args)
	}
	keys := text(secret.Key{2}) + "," + text(secret.Key{1})
	for _, what := range []string{"status", "rotate"} {
		r := command(t.Context(), []string{databaseEnv + "=" + b.url, keysEnv + "=" + keys}, "seal", what)
		require.Equal(t, exitOK, r.code, r.stderr)
	}
	require.Contains(t, b.ok(t, "transcodes", "list"), waits.String())
	require.Contains(t, b.run(t, "transcodes", "cancel", waits.String(), "--reason", "r").stderr, "it waits for a daemon")
	require.Equal(t, exitFailed, b.run(t, "db", "roles").code)
	require.Equal(t, exitFailed, b.run(t, "db", "speaker", "weir_test_nobody", "studio").code)
	b.url = owner
}

// TestForgottenBegin: a transaction of a reader that is left open ends, and with it what
// waits behind it, the whole queue where that is a migration.
func TestForgottenBegin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ok(t, "db", "roles")
	reader := connect(t, func() string { as := b.member(t, roles.Readonly); b.ok(t, "db", "roles"); return as }())
	for setting, want := range map[string]string{"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "1min"} {
		var is string
		require.NoError(t, reader.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&is))
		require.Equal(t, want, is, setting)
	}
	// Nobody waits for a minute here.
	_, err := reader.Exec(t.Context(), "SET idle_in_transaction_session_timeout = '1s'")
	require.NoError(t, err)
	_, err = reader.Exec(t.Context(), "BEGIN; SELECT count(*) FROM weir.v_transcodes")
	require.NoError(t, err)
	id := b.accept(t, "studio", "in between") // reading is in nobody's way
	began := time.Now()
	b.exec(t, "ALTER TABLE weir.transcodes SET (fillfactor = 70)") // a migration, which is
	b.exec(t, "BEGIN; LOCK TABLE weir.transcodes IN ACCESS EXCLUSIVE MODE; COMMIT")
	require.Less(t, time.Since(began), 30*time.Second)
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT id FROM weir.transcodes WHERE id = $1", id).Scan(&id))
	_, err = reader.Exec(t.Context(), "SELECT 1")
	require.Error(t, err)
}
