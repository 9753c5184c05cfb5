package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// An operator cancels what runs; a failure is explained, retried with what was mended, and
// its callback sent again.
func TestChange(t *testing.T) {
	b := setup(t)
	id := b.submit(t, b.source(t, 30)).ID
	b.operates(t, "/transcodes/"+id)
	b.press(t, "Cancel", "no longer wanted")
	b.shows(t, "It is cancelled.")
	cancelled, err := b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "cancelled" })
	require.NoError(t, err)
	require.Equal(t, "cancelled", cancelled.State)
	b.await(t, "the state", "document.getElementById('facts').innerText.includes('cancelled')")

	b.prefix += "-missing"
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/source.mp4")
	require.NoError(t, err)
	id = b.submit(t, missing).ID
	b.open(t, "/transcodes/"+id)
	b.await(t, "why", "document.getElementById('facts').innerText.includes('failed') && document.getElementById('why').innerText.includes('object_missing')")
	why := b.text("#why")
	for _, words := range []string{"object_missing", "fetch", "Who can mend it", "input"} {
		require.Contains(t, why, words)
	}
	b.await(t, "the callback", "document.getElementById('callback').innerText.includes('delivered')")
	told := len(b.Studio.Callbacks(id))
	b.press(t, "Redeliver", "the receiver lost it")
	b.shows(t, "Its callback is sent again.")
	b.await(t, "the delivery", "document.querySelectorAll('#callback tbody tr').length === 2")
	require.Greater(t, len(b.Studio.Callbacks(id)), told)

	b.source(t, 2) // it is there now
	b.press(t, "Retry", "the source was uploaded")
	b.shows(t, "It is queued again")
	b.await(t, "100 %", "document.getElementById('whole-percent').innerText === '100 %'")
	b.await(t, "the end", "document.getElementById('facts').innerText.includes('succeeded')")

	require.Equal(t, []string{"transcodes cancel no longer wanted", "transcodes redeliver the receiver lost it", "transcodes retry the source was uploaded"},
		b.lines(t, "SELECT what || ' ' || reason FROM weir.admin_actions WHERE who = $1 AND via = 'web' ORDER BY id", operatorName))
}

// gone leaves a host behind whose lease has ended.
func (b *testBundle) gone(t *testing.T, id string) {
	t.Helper()
	b.lines(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ($1, gen_random_uuid(), 2, now() - interval '1 hour') RETURNING id`, id)
}

// An operator forgets a host that is lost for good, and ends what goes on of a group of
// failures, at the rate that the form asks for.
func TestChangeMany(t *testing.T) {
	b := setup(t)
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/source.mp4")
	require.NoError(t, err)
	id := b.submit(t, missing).ID
	_, err = b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "failed" })
	require.NoError(t, err)
	b.gone(t, "gone-1")
	b.operates(t, "/hosts")
	b.await(t, "the host", "document.getElementById('gone-1').innerText.includes('lost')")
	b.judge(t, "hosts with one that is gone")
	b.press(t, "Forget gone-1", "its disk is dead")
	b.shows(t, "The host is forgotten.")
	b.await(t, "it to be gone", "!document.getElementById('gone-1')")

	b.open(t, "/failures?by=code")
	b.await(t, "the group", "document.querySelector('main tbody').innerText.includes('Retry all of object_missing')")
	b.do(t, chromedp.Click(chromedp.CSS(`main a[href^="/bulk/new?filter=code%3Aobject_missing+age"]`)))
	b.await(t, "how many", "document.querySelector('[role=status]').innerText.includes('0 transcodes') && document.getElementById('rate').value === '20'")
	b.judge(t, "bulk-new with a rate")
	b.do(t, chromedp.SetValue(chromedp.CSS("#rate"), "7"), chromedp.SetValue(chromedp.CSS("#reason"), "none may begin"), chromedp.Click(chromedp.CSS("#begin")))
	b.shows(t, "It has begun")
	b.await(t, "the rate", "document.querySelector('#bulk tbody').innerText.includes('7 in a second')")
	require.Equal(t, []string{"hosts forget gone-1 its disk is dead", "transcodes cancel none may begin"},
		b.lines(t, "SELECT what || ' ' || CASE what WHEN 'hosts forget' THEN target || ' ' ELSE '' END || reason FROM weir.admin_actions WHERE who = $1 AND via = 'web' AND (target = 'gone-1' OR reason = 'none may begin') ORDER BY id", operatorName))
}

// A viewer finds no button, and what is sent by hand from its session is refused.
func TestViewer(t *testing.T) {
	b := setup(t)
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/source.mp4")
	require.NoError(t, err)
	id := b.submit(t, missing).ID
	_, err = b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "failed" })
	require.NoError(t, err)
	b.gone(t, "gone-of-viewers")
	before := b.lines(t, "SELECT count(*)::text FROM weir.admin_actions")
	b.views(t, "/transcodes/"+id)
	for _, path := range []string{"/transcodes/" + id, "/hosts", "/tenants", "/bulk"} {
		b.open(t, path)
		b.await(t, "the page", "document.querySelector('footer')")
		none, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.querySelectorAll('main form').length === 0"))
		require.NoError(t, err)
		require.True(t, none, path)
	}
	for _, path := range []string{
		"/transcodes/" + id + "/retry", "/transcodes/" + id + "/cancel", "/transcodes/" + id + "/redeliver", "/transcodes/" + id + "/bump",
		"/hosts/host-1/drain", "/hosts/host-1/forget", "/tenants/studio/pause", "/queue/pause", "/river/api/jobs/cancel",
	} {
		// As a form of the page itself would send it, with the session's cookie.
		status, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](fmt.Sprintf(
			"fetch(%q, {method: 'POST', body: new URLSearchParams({reason: 'forged', priority: '0'})}).then(a => a.status)", path), chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, status, path)
	}
	require.Equal(t, before, b.lines(t, "SELECT count(*)::text FROM weir.admin_actions"))
	transcode, err := b.API.Await(b.ctx, id, func(*devstack.Transcode) bool { return true })
	require.NoError(t, err)
	require.Equal(t, "failed", transcode.State)
	require.Empty(t, strings.Join(b.lines(t, "SELECT id FROM weir.hosts WHERE draining"), " "))
}
