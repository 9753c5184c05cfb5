package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/api/view"
	"weir/db"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/jobs/inbox"
	"weir/jobs/tenants"
)

// The SQLSTATEs of weir.enqueue_transcode.
const (
	stateNoTenant = "WR403"
	stateConflict = "WR409"
	stateFull     = "WR429"
	stateRefused  = "WR422"
)

// setupSQL is a bundle whose database's role speaks for the tenant studio, and whose API
// knows the inbox.
func setupSQL(t *testing.T) (*bundle, *inbox.Inbox) {
	t.Helper()
	var in *inbox.Inbox
	b := setup(t, func(cfg *api.Config) { in = inbox.Open(cfg.Transcodes, api.NewReader(cfg)) })
	b.exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'studio')")
	return b, in
}

func (b *bundle) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

// enqueue asks for a transcode by SQL.
func (b *bundle) enqueue(t *testing.T, body any) (id uuid.UUID, err error) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	err = b.pool.QueryRow(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", string(text)).Scan(&id)
	return id, err
}

func (b *bundle) enqueued(t *testing.T, body any) uuid.UUID {
	t.Helper()
	id, err := b.enqueue(t, body)
	require.NoError(t, err)
	return id
}

// takeIn accepts what waits, as the job does.
func (b *bundle) takeIn(t *testing.T, in *inbox.Inbox, id uuid.UUID) {
	t.Helper()
	require.NoError(t, db.InTx(t.Context(), b.pool, func(tx pgx.Tx) error { return in.Accept(t.Context(), tx, id) }))
}

func (b *bundle) show(t *testing.T, token string, id uuid.UUID) view.Transcode {
	t.Helper()
	a := b.do(t, token, http.MethodGet, "/v1/transcodes/"+id.String(), nil)
	require.Equal(t, http.StatusOK, a.status, a.text)
	return a.transcode(t)
}

// refusedBySQL is the error of a call that was refused.
func refusedBySQL(t *testing.T, err error, state string) *pgconn.PgError {
	t.Helper()
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, state, refused.Code, refused.Message)
	require.NotEmpty(t, refused.Hint)
	return refused
}

// TestRefusalsBySQL: what the API refuses is refused by SQL too, at the same field: at once
// by an exception, or else by a failed transcode and its callback.
func TestRefusalsBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	for _, test := range refusals() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := submission()
			test.change(body)
			id, err := b.enqueue(t, body)
			switch test.sql {
			case atOnce:
				refused := refusedBySQL(t, err, stateRefused)
				require.Equal(t, test.field, refused.Detail)
				require.Contains(t, refused.Message, test.field)
				require.Contains(t, refused.Message, test.says)
				require.Contains(t, refused.Hint, test.says)
			case later:
				require.NoError(t, err)
				b.takeIn(t, in, id)
				shown := b.show(t, studio, id)
				require.Equal(t, jobs.StateFailed, shown.State)
				require.Equal(t, jobs.CodeRequestRefused, shown.Error.Code)
				require.False(t, shown.Error.Retriable)
				require.Contains(t, shown.Error.Message, test.field)
				require.Contains(t, shown.Error.Message, test.says)
				require.Equal(t, jobs.CallbackPending, shown.Callback.State)
			case unmade:
				var refused *pgconn.PgError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, "22P05", refused.Code) // untranslatable_character
			}
		})
	}
}

// TestClipByBothWays: the part of a source that is asked for is kept, and shown.
func TestClipByBothWays(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	for name, test := range map[string]struct {
		source string
		asked  object
		want   view.Clip
	}{
		"usual clock":         {"s3://media/in/clip.mp4", object{"start_ms": 0, "end_ms": 1500}, view.Clip{EndMS: 1500, Clock: jobs.ClockSource}},
		"by word":             {"s3://media/in/clip.mp4", object{"start_ms": 250, "end_ms": 1500, "clock": "Source"}, view.Clip{StartMS: 250, EndMS: 1500, Clock: jobs.ClockSource}},
		"times of a playlist": {"s3://media/in/index.m3u8", object{"start_ms": 250, "end_ms": 1500}, view.Clip{StartMS: 250, EndMS: 1500, Clock: jobs.ClockSource}},
		"time of day": {"s3://media/in/index.m3u8", object{"start_ms": 1_700_000_000_000, "end_ms": 1_700_000_001_000, "clock": "unix"},
			view.Clip{StartMS: 1_700_000_000_000, EndMS: 1_700_000_001_000, Clock: jobs.ClockUnix}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := submission()
			delete(body, "external_id")
			body["source"], body["clip"] = object{"url": test.source}, test.asked
			require.Equal(t, &test.want, b.submit(t, body).Clip)
			id := b.enqueued(t, body)
			b.takeIn(t, in, id)
			require.Equal(t, &test.want, b.show(t, studio, id).Clip)
		})
	}
	require.Nil(t, b.submit(t, submission()).Clip)
}

// The database says of a request word for word what the API says, and all of it.
func TestRefusedInTheSameWords(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	bodies := []any{
		object{"x": 1, "callback_url": 2}, object{}, []any{}, nil, "x", 1,
		object{"source": object{"url": ""}, "profiles": []any{1, object{"name": "a", "width": "x", "b": 1, "A": 2}}},
		object{"source": object{"url": "nowhere"}, "output": object{"url": "https://h"}, "callback_url": "s3://media/x", "profiles": submission()["profiles"]},
	}
	for _, test := range refusals() {
		if test.sql == atOnce {
			body := submission()
			test.change(body)
			bodies = append(bodies, body)
		}
	}
	for _, body := range bodies {
		text, err := json.Marshal(body)
		require.NoError(t, err)
		p := b.do(t, studio, http.MethodPost, "/v1/transcodes", string(text)).problem(t, http.StatusUnprocessableEntity)
		var words []string
		for _, e := range p.Errors {
			words = append(words, e.Location+": "+e.Message)
		}
		_, err = b.enqueue(t, body)
		require.Equal(t, strings.Join(words, "\n"), refusedBySQL(t, err, stateRefused).Hint)
	}
}

// TestLocationsBySQL: the database knows locations as storage does. Those that it takes and
// storage does not are none that anybody writes.
func TestLocationsBySQL(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	long := strings.Repeat("k", 1020)
	for _, place := range []string{
		"s3://media/in/1.mp4", "S3://media/x", "s3://me/x", "s3://m.e-d_ia/x", "s3://-edia/x", "s3://media/%zz", "s3://media/a%00b", "s3://media/a%7fb",
		"s3://media/./x", "s3://media/a/../x", "s3://media/a/%2e%2E/x", "s3://media/a%2F../x", "s3://media/..a/x", "s3://media/" + long, "s3://media/%41bc" + long, "s3://media/abcde" + long,
		"s3://media/x?region=eu-central-1", "s3://media/x?region=", "s3://media/x?acl", "s3://media/x#y", "s3://KEY:SECRET@media/x", "s3://media/ä/x", "s3://mediä/x",
		"s3+https://KEY:SECRET@h/media/x", "s3+https://KEY:SE/CR+ET=@h:9000/media/x", "s3+https://KEY:@h/media/x", "s3+https://:S@h/media/x", "s3+https://K:%zz@h/media/x",
		"s3+https://K%3A:S%2F@h/media/x", "s3+https://h/media/a@b", "s3+https://h:9000/media/a@b", "s3+https://h/media/a%40b", "s3+http://h:0/media/x", "s3+http://h:65536/media/x",
		"s3+http://h:/media/x", "s3+http://h:x/media/x", "s3+http://[::1]:9000/media/x", "s3+http://127.0.0.1:9000/media/x", "s3+http://h", "s3+http://h/", "s3+http:///media/x", "s3+https://K:S@h/media/x?region=us-east-1",
		"https://h", "https://h/", "https://h/x y", "https://h/%zz", "https://h/x?%zz", "https://h/x#%zz", "https://u:p@h/x", "https://u:p^@h/x", "https://u:%zz@h/x", "https://h:443/x", "https://h:/x", "https://h:0/x",
		"https://h:99999/x", "https://:80/x", "https://hä/x", "https://h/ä", "https://h?x=1", "https://h_1.x/", "https://[::1]/x", "https://[::1]:8080/x", "https://[zz]/x", "HTTPS://h/x", "https://a@b@h/x", "https:/h", "//h/x", "https://", "s3://", "://x",
		"https://h/a\tb", "https://h/" + strings.Repeat("a", 8200), "mailto://a@b/x", "https://h%41/x",
	} {
		body := submission()
		body["source"] = object{"url": place}
		a := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
		_, err := b.enqueue(t, body)
		if a.status == http.StatusAccepted {
			require.NoError(t, err, place)
			continue
		}
		p := a.problem(t, http.StatusUnprocessableEntity)
		require.Error(t, err, place)
		require.Equal(t, p.Errors[0].Location+": "+p.Errors[0].Message, refusedBySQL(t, err, stateRefused).Hint, place)
	}
}

// TestTakenBySQL: what is accepted is what the API accepts, sealed, and known by the id
// that was returned; before that it is queued.
func TestTakenBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	body := submission()
	body["external_id"] = "task-1"
	body["source"] = object{"url": "s3+https://KEY:hush-source@h/media/in.mp4"}
	body["livepeer"] = object{"access_token": "hush-token"}
	body["callback_url"] = "https://studio.example/hook?token=hush-callback"
	maps.Copy(firstProfile(body), object{"quality": 20, "gop": "2.0", "profile": "h264main", "fps": nil})
	id := b.enqueued(t, body)
	require.Equal(t, uuid.Version(7), id.Version())

	waits := b.show(t, studio, id)
	require.Equal(t, jobs.StateQueued, waits.State)
	require.Equal(t, "task-1", *waits.ExternalID)
	require.Equal(t, "s3+https://h/media/in.mp4", waits.Source.Location)
	require.Len(t, waits.Renditions, 2)
	b.do(t, other, http.MethodGet, "/v1/transcodes/"+id.String(), nil).problem(t, http.StatusNotFound)

	b.takeIn(t, in, id)
	taken := b.show(t, studio, id)
	require.NotNil(t, taken.Queue)
	taken.Queue = nil // it has a place there only now
	require.Equal(t, waits, taken, "it is what it was")
	require.Zero(t, b.count(t, "inbox"))
	var rows string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT string_agg(t::text, '') || (SELECT string_agg(j::text, '') FROM weir.river_job j) FROM weir.transcodes t").Scan(&rows))
	require.NotContains(t, rows, "hush")
	b.takeIn(t, in, id) // a second job for it has nothing to do
	require.Equal(t, 1, b.count(t, "transcodes"))

	posted := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusOK, posted.status, "by HTTP it is a repetition: %s", posted.text)
	require.Equal(t, id, posted.transcode(t).ID)
}

// TestExternalIDBySQL: a request is safe to repeat, by both ways at once.
func TestExternalIDBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	named := func(name string) object {
		body := submission()
		body["external_id"] = name
		return body
	}
	different := func(name string) object {
		body := named(name)
		body["callback_url"] = "https://studio.example/another"
		return body
	}
	conflicts := func(name string) {
		t.Helper()
		_, err := b.enqueue(t, different(name))
		require.Equal(t, "body.external_id", refusedBySQL(t, err, stateConflict).Detail)
	}

	waiting := b.enqueued(t, named("waits"))
	require.Equal(t, waiting, b.enqueued(t, named("waits")))
	conflicts("waits")
	b.takeIn(t, in, waiting)
	require.Equal(t, waiting, b.enqueued(t, named("waits")), "also when it is accepted")
	conflicts("waits")
	require.Zero(t, b.count(t, "inbox"))

	// By HTTP while it waits: that accepts it.
	first := b.enqueued(t, named("both"))
	b.do(t, studio, http.MethodPost, "/v1/transcodes", different("both")).problem(t, http.StatusConflict)
	again := b.do(t, studio, http.MethodPost, "/v1/transcodes", named("both"))
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, first, again.transcode(t).ID)

	// The API's own can be compared by the daemon alone.
	posted := b.submit(t, named("posted"))
	same := b.enqueued(t, named("posted"))
	b.takeIn(t, in, same)
	require.Equal(t, posted.ID, b.show(t, studio, same).ID, "it is known by both ids")
	require.Equal(t, posted.ID, b.enqueued(t, named("posted")), "and now the database knows it too")
	conflicts("posted")
	posted = b.submit(t, named("posted again"))
	changed := b.enqueued(t, different("posted again"))
	b.takeIn(t, in, changed)
	shown := b.show(t, studio, changed)
	require.Equal(t, []string{jobs.StateFailed, jobs.CodeExternalIDTaken}, []string{shown.State, shown.Error.Code})
	require.Equal(t, jobs.CallbackPending, shown.Callback.State)
	require.Equal(t, jobs.StateQueued, b.show(t, studio, posted.ID).State)

	// Retention takes what belongs to a transcode along.
	b.exec(t, "DELETE FROM weir.renditions; DELETE FROM weir.callbacks")
	b.exec(t, "DELETE FROM weir.transcodes")
	require.Zero(t, b.count(t, "enqueued"))
}

// A caller that comes second waits for the first one's end, and is told what came of it.
func TestExternalIDBySQLAtOnce(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	body := submission()
	body["external_id"] = "at-once"
	text, err := json.Marshal(body)
	require.NoError(t, err)
	call := func(ctx context.Context, on interface {
		QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	},
	) (id uuid.UUID, err error) {
		err = on.QueryRow(ctx, "SELECT weir.enqueue_transcode($1::text::jsonb)", string(text)).Scan(&id)
		return id, err
	}
	for _, commits := range []bool{false, true} {
		tx, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		first, err := call(t.Context(), tx)
		require.NoError(t, err)
		type came struct {
			id  uuid.UUID
			err error
		}
		second := make(chan came, 1)
		go func() {
			id, err := call(t.Context(), b.pool)
			second <- came{id, err}
		}()
		require.Eventually(t, func() bool {
			var waits bool
			err := b.pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database())").Scan(&waits)
			return err == nil && waits
		}, serving, lookEvery)
		if commits {
			require.NoError(t, tx.Commit(t.Context()))
		} else {
			require.NoError(t, tx.Rollback(t.Context()))
		}
		got := <-second
		require.NoError(t, got.err)
		require.Equal(t, commits, got.id == first)
		b.exec(t, "DELETE FROM weir.inbox")
	}
}

// TestFreeBySQL: what is within the bounds of metadata and labels is taken.
func TestFreeBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	body := submission()
	body["metadata"] = object{
		"a":    object{"b": object{"c": []any{0, rawNumber("0.00e5"), rawNumber("1e308"), rawNumber("1e-300"), true, nil}}},
		"long": strings.Repeat("x", 3300), "": "", "mail": "a@b.example, http://h/?at=c@d",
	}
	body["labels"] = object{"customer/name": strings.Repeat("ü", 128), strings.Repeat("k", 64): "1"}
	id := b.enqueued(t, body)
	b.takeIn(t, in, id)
	require.Equal(t, jobs.StateQueued, b.show(t, studio, id).State)
}

// TestQueueFullBySQL: the limit of a tenant's queue binds by both ways, what waits for a
// daemon included; a repetition is none too many, and a rollback makes room.
func TestQueueFullBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	b.exec(t, "INSERT INTO weir.tenants (name, queued_most) VALUES ('studio', 3)")
	named := submission()
	named["external_id"] = "task-1"
	first := b.enqueued(t, named)
	b.takeIn(t, in, first)
	second := b.enqueued(t, submission())
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	text, err := json.Marshal(submission())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", string(text))
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", string(text))
	require.Equal(t, "queue", refusedBySQL(t, err, stateFull).Detail)
	require.NoError(t, tx.Rollback(t.Context()))

	b.enqueued(t, submission())
	_, err = b.enqueue(t, submission())
	require.Contains(t, refusedBySQL(t, err, stateFull).Message, "3 transcodes wait")
	require.Equal(t, first, b.enqueued(t, named), "it waits already")
	b.takeIn(t, in, second)
	_, err = b.enqueue(t, submission())
	refusedBySQL(t, err, stateFull)
	b.do(t, studio, http.MethodPost, "/v1/transcodes/"+second.String()+"/cancel", nil)
	b.enqueued(t, submission())
}

// Who has no limit of his own has the usual one.
func TestUsualQueueBySQL(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	var body string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT pg_get_functiondef('weir.enqueue_transcode(jsonb)'::regprocedure)").Scan(&body))
	require.Contains(t, body, fmt.Sprintf("n.name = whose), %d)", tenants.DefaultQueuedMost))
}

// TestCancelBySQL: what waits can be cancelled, and is told of.
func TestCancelBySQL(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	id := b.enqueued(t, submission())
	path := "/v1/transcodes/" + id.String() + "/cancel"
	b.do(t, other, http.MethodPost, path, nil).problem(t, http.StatusNotFound)
	require.Equal(t, 1, b.count(t, "inbox"))
	for range 2 {
		a := b.do(t, studio, http.MethodPost, path, nil)
		require.Equal(t, http.StatusOK, a.status, a.text)
		require.Equal(t, jobs.StateCancelled, a.transcode(t).State)
	}
	require.Equal(t, 1, b.count(t, "callbacks"))
}

// TestListBySQL: pages hold what waits and what is accepted, each once, newest first.
func TestListBySQL(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	var want []uuid.UUID
	for i := range 7 {
		body := submission()
		if i%3 == 0 {
			want = append(want, b.submit(t, body).ID)
			continue
		}
		id := b.enqueued(t, body)
		if i%3 == 1 {
			b.takeIn(t, in, id)
		}
		want = append(want, id)
	}
	list := func(query string) (items []view.Transcode) {
		page := ""
		for {
			var got api.TranscodePage
			a := b.do(t, studio, http.MethodGet, "/v1/transcodes?limit=2"+query+page, nil)
			require.Equal(t, http.StatusOK, a.status, a.text)
			a.decode(t, &got)
			items = append(items, got.Items...)
			if got.Next == "" {
				return items
			}
			page = "&page=" + got.Next
		}
	}
	items := list("")
	require.Len(t, items, len(want))
	for i, item := range items {
		require.Equal(t, want[len(want)-1-i], item.ID)
		require.NotEmpty(t, item.Source.Location)
	}
	require.Len(t, list("&state=queued"), len(want))
	require.Empty(t, list("&state=failed"))
	require.Empty(t, list("&host=mist-1"))
	require.Empty(t, b.do(t, other, http.MethodGet, "/v1/transcodes", nil).page(t).Items)
}

func (a *answer) page(t *testing.T) (page api.TranscodePage) {
	t.Helper()
	a.decode(t, &page)
	return page
}

// TestSpeakers: a role speaks for the tenant of its row, and for no other, however it came
// to be the session's.
func TestSpeakers(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	b.exec(t, "DELETE FROM weir.speakers")
	_, err := b.enqueue(t, submission())
	require.Equal(t, "role", refusedBySQL(t, err, stateNoTenant).Detail)

	roles := []string{"weir_test_" + uuid.NewString(), "weir_test_" + uuid.NewString(), "weir_test_" + uuid.NewString()}
	for _, role := range roles {
		quoted := pgx.Identifier{role}.Sanitize()
		b.exec(t, "CREATE ROLE "+quoted)
		dbtest.DropRole(t, b.pool, role)
		t.Cleanup(func() {
			_, err := b.pool.Exec(context.WithoutCancel(t.Context()), "REVOKE ALL ON SCHEMA weir FROM "+quoted+
				"; REVOKE ALL ON FUNCTION weir.enqueue_transcode(jsonb) FROM "+quoted)
			require.NoError(t, err)
		})
		b.exec(t, "GRANT USAGE ON SCHEMA weir TO "+quoted+"; GRANT EXECUTE ON FUNCTION weir.enqueue_transcode(jsonb) TO "+quoted)
	}
	b.exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES ($1, 'studio'), ($2, 'other')", roles[0], roles[1])
	for i, want := range []string{"studio", "other", ""} {
		tx, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SET LOCAL ROLE "+pgx.Identifier{roles[i]}.Sanitize())
		require.NoError(t, err)
		text, err := json.Marshal(submission())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SELECT weir.enqueue_transcode($1::text::jsonb)", string(text))
		if want == "" {
			refusedBySQL(t, err, stateNoTenant)
			require.NoError(t, tx.Rollback(t.Context()))
			continue
		}
		require.NoError(t, err)
		require.NoError(t, tx.Commit(t.Context()))
		require.Equal(t, 1, b.countOf(t, "SELECT count(*) FROM weir.inbox WHERE tenant = $1", want))
	}
}

func (b *bundle) countOf(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// Neither an error nor what the server logs of it repeats what was sent.
func TestRefusalsBySQLRepeatNothing(t *testing.T) {
	t.Parallel()
	b, _ := setupSQL(t)
	body := submission()
	body["source"] = object{"url": "s3+https://KEY:hush@h/"}
	body["s3://hush"], body["livepeer"] = 1, object{"access_token": "hush\n", "api_url": "hush"}
	firstProfile(body)["name"] = "hush/hush"
	_, err := b.enqueue(t, body)
	refused := refusedBySQL(t, err, stateRefused)
	require.NotContains(t, strings.Join([]string{refused.Message, refused.Detail, refused.Hint, refused.Where, refused.InternalQuery}, "\n"), "hush")
}

// TestNullIsLeftOut: a field that is null is as one that is not there, by both ways.
func TestNullIsLeftOut(t *testing.T) {
	t.Parallel()
	b, in := setupSQL(t)
	for _, field := range []string{"external_id", "profiles", "outputs", "livepeer", "priority", "clip", "callback_secret", "events", "events_url", "metadata", "labels"} {
		t.Run(field, func(t *testing.T) {
			body := submission()
			delete(body, "external_id")
			body[field] = nil
			require.Equal(t, http.StatusAccepted, b.do(t, studio, http.MethodPost, "/v1/transcodes", body).status)
			id := b.enqueued(t, body)
			b.takeIn(t, in, id)
			require.Equal(t, jobs.StateQueued, b.show(t, studio, id).State)
		})
	}
}
