package web

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Somebody logs in, finds a transcode by its external id, and watches it from its
// beginning to its end without a reload; then plays what came of it.
func TestWatch(t *testing.T) {
	b := setup(t)
	// Half as long as the source plays: progress is told once a second, and is to be seen on its way.
	require.NoError(t, b.Broadcaster.Faults(b.ctx, `{"mode": "throughput", "factor": 0.5}`))
	t.Cleanup(func() { require.NoError(t, b.Broadcaster.Faults(context.WithoutCancel(t.Context()), "{}")) })
	id := b.submit(t, b.source(t, 8)).ID
	b.operates(t, "/transcodes/"+id)
	// A reload would lose this mark.
	b.do(t, eval(`window.mark = 'here'; window.seen = new Set();
		new MutationObserver(() => window.seen.add(document.getElementById('whole').value)).observe(document.getElementById('progress'), {attributes: true, subtree: true, childList: true, characterData: true})`))
	b.await(t, "100 %", "document.getElementById('whole-percent').innerText === '100 %'")
	b.await(t, "the callback", "document.getElementById('callback').innerText.includes('delivered')")
	mark, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("window.mark"))
	require.NoError(t, err)
	require.Equal(t, "here", mark, "the page was loaded anew")
	steps, err := chromedp.Run(b.ctx, chromedp.Evaluate[int]("window.seen.size"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, steps, 2, "progress moved in steps")
	require.Equal(t, "This transcode has succeeded.", strings.TrimSpace(b.text("#said")))
	require.Contains(t, b.text("#triggers"), "LIVE_TRACK_LIST")
	b.await(t, "the picture of its attempt", "document.querySelector('.timeline rect.span.transcode')")

	b.do(t, chromedp.SendKeys(chromedp.CSS("#q"), b.prefix+"\n"))
	b.await(t, "the list", "document.querySelectorAll('main tbody tr').length === 1")
	b.do(t, chromedp.Click(chromedp.CSS("main tbody th a")), chromedp.WaitVisible(chromedp.CSS("#progress")))
	b.do(t, chromedp.Click(chromedp.CSS("#progress a")), chromedp.WaitVisible(chromedp.CSS("#player")))
	b.do(t, eval("document.getElementById('player').muted = true; document.getElementById('player').play()"))
	b.await(t, "the player", "document.getElementById('player').currentTime > 1 && document.getElementById('player').videoHeight === 180")
	require.Empty(t, b.text("#player-problem"))
}
