package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
)

// Each button does what weir-admin does, once, and is written down with who and why.
func TestChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.logged(t, olga, b.operator)
	failed := b.Run(t, "a")
	b.Fail(t, failed.ID, failed.Attempt, "a", jobs.Failed(jobs.CodeCancelled, jobs.StageStore, "gone"))
	require.Equal(t, jobs.StateFailed, b.Get(t, failed.ID).State)
	waits := b.Accept(t, "a").ID
	b.Boot(t, "gone-1", 3)
	b.Dies(t, "gone-1")
	state := func(id uuid.UUID) string { return b.Get(t, id).State }
	one := func(query string) func() bool {
		return func() bool { return b.Count(t, "SELECT count(*) FROM "+query) == 1 }
	}
	for _, step := range []struct {
		path, what string
		so         func() bool
		again      int // what doing it again answers
	}{
		{"/transcodes/" + failed.ID.String() + "/redeliver", "transcodes redeliver", func() bool { return true }, http.StatusSeeOther},
		{"/transcodes/" + failed.ID.String() + "/retry", "transcodes retry", func() bool { return state(failed.ID) == jobs.StateQueued }, http.StatusConflict},
		{"/transcodes/" + waits.String() + "/bump", "transcodes bump", one("weir.transcodes WHERE priority = 2"), http.StatusSeeOther},
		{"/transcodes/" + waits.String() + "/cancel", "transcodes cancel", func() bool { return state(waits) == jobs.StateCancelled }, http.StatusSeeOther},
		{"/transcodes/" + waits.String() + "/retry", "", func() bool { return state(waits) == jobs.StateCancelled }, http.StatusConflict},
		{"/transcodes/" + uuid.NewString() + "/cancel", "", func() bool { return true }, http.StatusNotFound},
		{"/hosts/" + jobstest.Host + "/drain", "hosts drain", one("weir.hosts WHERE draining AND drained_by = 'olga' AND drain_reason = 'because'"), http.StatusSeeOther},
		{"/hosts/" + jobstest.Host + "/resume", "hosts resume", one("weir.hosts WHERE NOT draining AND id = '" + jobstest.Host + "'"), http.StatusSeeOther},
		{"/hosts/" + jobstest.Host + "/forget", "", one("weir.hosts WHERE forgotten_at IS NULL AND id = '" + jobstest.Host + "'"), http.StatusConflict},
		{"/hosts/gone-1/forget", "hosts forget", one("weir.hosts WHERE id = 'gone-1' AND forgotten_at IS NOT NULL"), http.StatusNotFound},
		{"/hosts/none/drain", "", func() bool { return true }, http.StatusNotFound},
		{"/tenants/studio/pause", "tenants pause", one("weir.tenants WHERE paused_by = 'olga'"), http.StatusSeeOther},
		{"/tenants/studio/resume", "tenants resume", one("weir.tenants WHERE paused_at IS NULL"), http.StatusConflict},
		{"/queue/pause", "queue pause", one("weir.placement WHERE paused_by = 'olga'"), http.StatusSeeOther},
		{"/queue/resume", "queue resume", one("weir.placement WHERE paused_at IS NULL"), http.StatusConflict},
	} {
		before := b.changes(t)
		form := url.Values{"priority": {"2"}}
		answer, _ := v.post(t, step.path, form)
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, "%s without a reason", step.path)
		require.Equal(t, before, b.changes(t))
		form.Set("reason", "because")
		answer, body := v.post(t, step.path, form)
		if step.what == "" {
			require.Equal(t, step.again, answer.StatusCode, step.path)
			require.Equal(t, before, b.changes(t), "%s was refused", step.path)
			continue
		}
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
		require.True(t, step.so(), step.path)
		require.Equal(t, 1, b.Count(t, `SELECT count(*) FROM weir.admin_actions
			WHERE id = (SELECT max(id) FROM weir.admin_actions) AND who = 'olga' AND via = 'web' AND what = $1 AND reason = 'because'`, step.what))
		_, body = v.get(t, answer.Header.Get("Location"))
		require.Contains(t, body, `class="done"`, step.path)
		answer, _ = v.post(t, step.path, form)
		require.Equal(t, step.again, answer.StatusCode, "%s again", step.path)
	}
	_, body := v.get(t, "/actions")
	require.Contains(t, body, "hosts drain")
	for _, priority := range []string{"", "-1", "10", "x"} {
		answer, _ := v.post(t, "/transcodes/"+waits.String()+"/bump", url.Values{"reason": {"because"}, "priority": {priority}})
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, priority)
	}
}

// A host that was forgotten is on no page, and its slots are none.
func TestForgottenHostIsOnNoPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Boot(t, "gone-1", 3)
	v := b.logged(t, olga, b.operator)
	for _, path := range []string{"/", "/hosts"} {
		_, body := v.get(t, path)
		require.Contains(t, body, "gone-1", path)
	}
	b.Dies(t, "gone-1")
	_, err := (&jobs.Hosts{DB: b.Pool, River: b.River}).Forget(t.Context(), "gone-1")
	require.NoError(t, err)
	for _, path := range []string{"/", "/hosts"} {
		_, body := v.get(t, path)
		require.NotContains(t, body, "gone-1", path)
		require.Contains(t, body, jobstest.Host, path)
	}
}

// What tenants write is text and no page of ours.
func TestEscapes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(2)>`
	request := jobstest.MakeRequest(evil, "a")
	request.Labels = map[string]string{"k": evil}
	id := b.AcceptRequest(t, request).ID.String()
	v := b.logged(t, olga, b.operator)
	for _, path := range []string{"/transcodes", "/transcodes/" + id, "/transcodes?q=" + url.QueryEscape(evil), "/transcodes?q=" + url.QueryEscape("state:"+evil), "/login?next=" + url.QueryEscape(evil), "/?done=" + url.QueryEscape(evil)} {
		_, body := v.get(t, path)
		require.NotContains(t, body, "<script>alert", path)
		require.NotContains(t, body, "<img", path)
	}
}

// Search takes an id, an external id, and filters; what it can't read it says.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	request := jobstest.MakeRequest("task-1", "a")
	request.Labels = map[string]string{"customer": "acme"}
	id := b.AcceptRequest(t, request).ID.String()
	b.Accept(t, "a")
	v := b.logged(t, vera, b.viewer)
	for query, lines := range map[string]int{
		"": 2, "task-1": 1, "none": 0, "tenant:studio": 2, "state:queued tenant:studio": 2, "state:failed": 0, "external_id:task-1": 1,
		"tenant:studio label:customer=acme": 1, "age<1h": 2, "age>1h": 0,
		"code:push_failed": 0, "ended<1d": 0, "callback:refused age<1d": 0, "broadcaster:none age<1d": 0, "state:queued state:failed": 2,
	} {
		answer, body := v.get(t, "/transcodes?q="+url.QueryEscape(query))
		require.Equal(t, http.StatusOK, answer.StatusCode, query)
		require.Equal(t, lines, strings.Count(body, `<th scope="row">`), query)
	}
	answer, _ := v.get(t, "/transcodes?q="+id)
	require.Equal(t, "/transcodes/"+id, answer.Header.Get("Location"))
	for _, wrong := range []string{"state:nope", "colour:red", "label:customer=acme", "callback:refused"} {
		answer, body := v.get(t, "/transcodes?q="+url.QueryEscape(wrong))
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, wrong)
		require.Contains(t, body, `role="alert"`, wrong)
	}
}
