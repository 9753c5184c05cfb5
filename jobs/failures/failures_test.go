package failures_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/failures"
	"weir/jobs/filter"
	"weir/jobs/jobstest"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mist-2", 9)
	fail := func(tenant, host, broadcaster, code string, ago time.Duration) uuid.UUID {
		req := jobstest.MakeRequest("", "a")
		req.Tenant = tenant
		id := b.AcceptRequest(t, req).ID
		b.Place(t, id, host)
		b.Exec(t, "UPDATE weir.attempts SET broadcaster = NULLIF($2, '') WHERE transcode_id = $1", id, broadcaster)
		b.Exec(t, "UPDATE weir.transcodes SET attempts_left = 0 WHERE id = $1", id)
		b.Exec(t, "UPDATE weir.transcodes SET state = 'running' WHERE id = $1", id)
		b.Exec(t, `WITH failed AS (UPDATE weir.transcodes SET state = 'failed', finished_at = now() - make_interval(secs => $3), error_code = $2, error_stage = 'store', error_message = 'm' WHERE id = $1 RETURNING *)
			INSERT INTO weir.callbacks (id, transcode_id, run, url, body) SELECT gen_random_uuid(), id, run, callback_url, '{}' FROM failed`, id, code, ago.Seconds())
		return id
	}
	fail("acme", jobstest.Host, "http://b1", jobs.CodePushFailed, 2*time.Hour)
	newest := fail("acme", jobstest.Host, "http://b1", jobs.CodePushFailed, time.Minute)
	fail("other", "mist-2", "http://b2", jobs.CodePushFailed, time.Hour)
	probe := fail("other", "mist-2", "", "source_no_video", time.Hour)
	fail("other", "mist-2", "", "source_no_video", 48*time.Hour)

	ask := func(by, text string) []failures.Group {
		f, err := filter.Parse(text)
		require.NoError(t, err)
		answer, err := failures.Groups(t.Context(), b.Pool, failures.Question{By: by, Within: 24 * time.Hour, Filter: f})
		require.NoError(t, err)
		require.False(t, answer.Capped)
		return answer.Groups
	}
	groups := ask(failures.ByCode, "")
	require.Len(t, groups, 2)
	first, second := groups[0], groups[1]
	require.Equal(t, []any{jobs.CodePushFailed, int64(3), newest, "may", "host"}, []any{first.Name, first.Failures, first.Example, first.Helps(), first.Mends()})
	require.WithinDuration(t, time.Now().Add(-2*time.Hour), first.FirstAt, time.Minute)
	require.Equal(t, []any{"source_no_video", int64(1), probe, "no", "input"}, []any{second.Name, second.Failures, second.Example, second.Helps(), second.Mends()})
	require.Equal(t, "The source holds no video.", second.Words)

	groups = ask(failures.ByHost, "")
	require.Equal(t, []string{"mist-1", "mist-2"}, []string{groups[0].Name, groups[1].Name})
	require.Equal(t, "some", groups[1].Helps())
	require.Equal(t, []failures.Code{{Code: jobs.CodePushFailed, Failures: 1}, {Code: "source_no_video", Failures: 1}}, groups[1].Codes)
	require.Len(t, ask(failures.ByTenant, "tenant:acme"), 1)
	require.Empty(t, ask(failures.ByTenant, "code:source_no_video host:mist-1"))
	groups = ask(failures.ByBroadcaster, "")
	require.Equal(t, []string{"http://b1", "", "http://b2"}, []string{groups[0].Name, groups[1].Name, groups[2].Name})
}

// A group's filter means its transcodes, and what is asked wrongly is refused.
func TestFilterOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ by, text, name, want, says string }{
		{failures.ByCode, "tenant:acme", "push_failed", "tenant:acme code:push_failed ended<2h", ""},
		{failures.ByBroadcaster, "", "http://b:1", "broadcaster:http://b:1 ended<2h", ""},
		{failures.ByHost, "host:a host:b", "a", "host:a ended<2h", ""},
		{failures.ByHost, "host:a", "b", "", "none of those"},
		{failures.ByHost, "", "", "", "without a host"},
		{failures.ByCode, "", "nope", "", "push_failed"},
		{"day", "", "x", "", "code, host, broadcaster, tenant"},
		{failures.ByCode, "state:failed", "x", "", "alone"},
	} {
		f, err := filter.Parse(test.text)
		require.NoError(t, err)
		got, err := (&failures.Question{By: test.by, Within: 2 * time.Hour, Filter: f}).FilterOf(test.name)
		if test.says != "" {
			require.ErrorContains(t, err, test.says)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, got.String())
		open, err := (&failures.Question{By: test.by, Within: 2 * time.Hour, Filter: f}).OpenOf(test.name)
		require.NoError(t, err)
		require.Equal(t, strings.Replace(test.want, "ended<", "age<", 1), open.String())
	}
}
