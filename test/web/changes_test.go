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

// A viewer finds no button, and what is sent by hand from its session is refused.
func TestViewer(t *testing.T) {
	b := setup(t)
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/source.mp4")
	require.NoError(t, err)
	id := b.submit(t, missing).ID
	_, err = b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "failed" })
	require.NoError(t, err)
	before := b.lines(t, "SELECT count(*)::text FROM weir.admin_actions")
	b.views(t, "/transcodes/"+id)
	for _, path := range []string{"/transcodes/" + id, "/hosts", "/tenants"} {
		b.open(t, path)
		b.await(t, "the page", "document.querySelector('footer')")
		none, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.querySelectorAll('main form').length === 0"))
		require.NoError(t, err)
		require.True(t, none, path)
	}
	for _, path := range []string{
		"/transcodes/" + id + "/retry", "/transcodes/" + id + "/cancel", "/transcodes/" + id + "/redeliver", "/transcodes/" + id + "/bump",
		"/hosts/host-1/drain", "/tenants/studio/pause", "/queue/pause", "/river/api/jobs/cancel",
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
