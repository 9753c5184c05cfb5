package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// A viewer finds no button, and what is sent by hand from its session is refused.
func TestViewer(t *testing.T) {
	b := setup(t)
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/source.mp4")
	require.NoError(t, err)
	id := b.submit(t, secret.Secret(missing)).ID
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
