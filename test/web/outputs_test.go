package web

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// What was made of the renditions is played and shown where the transcode's page leads to it:
// HLS, MP4 files, thumbnails. Nothing of it is refused by the pages' own policy.
func TestOutputsAreShown(t *testing.T) {
	b := setup(t)
	id := b.submit(t, b.source(t, 8), devstack.Wanted{Type: "hls", SegmentSeconds: 2}, devstack.Wanted{Type: "mp4"}, devstack.Wanted{Type: "thumbnails", SegmentSeconds: 2}).ID
	done, err := b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "succeeded" })
	require.NoError(t, err)
	require.Equal(t, "succeeded", done.State)
	b.views(t, "/transcodes/"+id)
	b.heard()
	follow := func(label string) {
		b.open(t, "/transcodes/"+id)
		b.await(t, label, fmt.Sprintf("[...document.querySelectorAll('#progress a')].find(a => a.textContent === %q)", label))
		b.do(t, eval(fmt.Sprintf("[...document.querySelectorAll('#progress a')].find(a => a.textContent === %q).click()", label)))
	}
	follow("Play hls")
	b.do(t, chromedp.WaitVisible(chromedp.CSS("#player")), eval("document.getElementById('player').muted = true; document.getElementById('player').play()"))
	b.await(t, "HLS", "document.getElementById('player').currentTime > 1")

	follow("Play mp4")
	b.await(t, "both files", "document.querySelectorAll('video.file').length === 2 && [...document.querySelectorAll('video.file')].every(v => v.readyState >= 1)")
	b.await(t, "their sizes", "[...document.querySelectorAll('video.file')].map(v => v.videoHeight).join() === '180,90'")
	b.do(t, eval("const v = document.querySelector('video.file'); v.muted = true; v.currentTime = 5; v.play()"))
	b.await(t, "the file from its middle", "document.querySelector('video.file').currentTime > 5.5")

	follow("Show thumbnails")
	b.await(t, "the pictures", "document.querySelectorAll('.pictures img').length === 4")
	b.do(t, eval("document.querySelectorAll('.pictures img').forEach(i => { i.loading = 'eager' })"))
	b.await(t, "what they show", "[...document.querySelectorAll('.pictures img')].every(i => i.complete && i.naturalWidth === 320)")
	require.Empty(t, b.heard())
	// No other file of the folder is passed on.
	status, err := chromedp.Run(b.ctx, chromedp.Evaluate[int]("fetch(location.pathname + '/thumbnails/thumbnails.vtt').then(a => a.status)", chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Equal(t, 404, status)
}
