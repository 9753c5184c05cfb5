package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// River's own pages work behind the login, under the policy that they are given: an operator
// sees jobs and goes from an attempt to its own; a viewer sees them too, and can't cancel.
func TestRiver(t *testing.T) {
	b := setup(t)
	id := b.submit(t, b.source(t, 2)).ID
	_, err := b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "succeeded" })
	require.NoError(t, err)
	job := b.lines(t, "SELECT max(job_id)::text FROM weir.attempts WHERE transcode_id = $1", id)[0]
	other := setup(t) // a browser of its own
	for _, user := range []struct {
		*testBundle

		name   string
		login  func(*testing.T, string)
		cancel int
	}{{b, operatorName, b.operates, http.StatusOK}, {other, viewerName, other.views, http.StatusForbidden}} {
		b := user.testBundle
		user.login(t, "/transcodes/"+id)
		b.heard()
		b.do(t, chromedp.Click(chromedp.CSS("#attempts tbody a")))
		b.await(t, "the attempt's job", fmt.Sprintf("location.pathname === '/river/jobs/%s' && document.querySelector('#root').innerText.includes('transcode')", job))
		b.open(t, "/river/jobs?state=completed")
		b.await(t, "the list of jobs", "document.querySelector('#root').innerText.includes('callback')")
		require.Empty(t, b.heard(), user.name)

		// What its button sends.
		status, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](fmt.Sprintf(
			"fetch('/river/api/jobs/cancel', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({ids: [%q]})}).then(a => a.status)", job),
			chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.Equal(t, user.cancel, status, user.name)
	}
	require.Equal(t, []string{operatorName}, b.lines(t, "SELECT who FROM weir.admin_actions WHERE what = 'river POST' AND target = 'jobs/cancel' AND detail->>'asked' LIKE '%' || $1 || '%'", job))
}
