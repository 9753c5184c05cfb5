package web

import (
	"context"
	_ "embed"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

//go:embed testdata/axe.min.js
var axe string

var update = flag.Bool("update", false, "write docs/screenshots")

const (
	screenshots = "../../docs/screenshots"
	// screenshotMost keeps the repository small (TestEveryScreenshotIsLedTo).
	screenshotMost = 100 << 10
	// The sizes of a desk's window, and of a phone.
	wide, high, phoneWide, phoneHigh = 1200, 900, 390, 844
)

// Every page is free of what axe finds, in light, dark and on a phone, where none is wider
// than the screen; and none is refused anything by its own policy.
func TestAccessible(t *testing.T) {
	b := setup(t)
	id := b.submit(t, b.source(t, 3)).ID
	_, err := b.API.Await(b.ctx, id, func(t *devstack.Transcode) bool { return t.State == "succeeded" })
	require.NoError(t, err)
	missing, err := b.S3.URL(b.Bucket, b.prefix+"/none.mp4")
	require.NoError(t, err)
	b.prefix += "-missing"
	failed := b.submit(t, missing).ID
	_, err = b.API.Await(b.ctx, failed, func(t *devstack.Transcode) bool { return t.State == "failed" })
	require.NoError(t, err)

	b.open(t, "/login")
	b.do(t, chromedp.WaitVisible(chromedp.CSS("#token")))
	b.judge(t, "login")
	b.operates(t, "/hosts")
	for _, page := range []struct{ name, path string }{
		{"overview", "/"}, {"transcodes", "/transcodes"}, {"transcodes-refused", "/transcodes?q=state:nope"}, {"transcode", "/transcodes/" + id},
		{"failed", "/transcodes/" + failed}, {"play", "/transcodes/" + id + "/play/180p"}, {"failures", "/failures"}, {"bulk", "/bulk"}, {"bulk-new", "/bulk/new?kind=retry&filter=state:failed"}, {"hosts", "/hosts"}, {"tenants", "/tenants"}, {"actions", "/actions"}, {"missing", "/none"},
	} {
		b.open(t, page.path)
		b.await(t, page.name, "document.readyState === 'complete' && document.querySelector('main h1')")
		b.judge(t, page.name)
	}
	// The keyboard reaches the content at once.
	b.open(t, "/")
	b.do(t, chromedp.KeyEvent("\t\r"))
	b.await(t, "the skip link", "document.activeElement.id === 'main'")
}

// judge asks axe about the page as it is, in each look.
func (b *testBundle) judge(t *testing.T, name string) {
	t.Helper()
	for _, look := range []struct {
		name        string
		scheme      string
		width, high int64
	}{{"light", "light", wide, high}, {"dark", "dark", wide, high}, {"phone", "light", phoneWide, phoneHigh}} {
		b.do(t, scheme(look.scheme), chromedp.EmulateViewport(look.width, look.high), eval(axe))
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
			`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ' at ' + n.target.join(' ') + ': ' + n.failureSummary)))`,
			chromedp.EvalAwaitPromise))
		require.NoError(t, err, name)
		require.Empty(t, found, "%s, %s", name, look.name)
		fits, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth <= innerWidth"))
		require.NoError(t, err)
		require.True(t, fits, "%s is wider than the screen: %s", name, look.name)
		if *update && shown()[name+"-"+look.name] {
			picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
			require.NoError(t, err)
			picture, err = small(picture)
			require.NoError(t, err)
			require.Less(t, len(picture), screenshotMost, name)
			require.NoError(t, os.MkdirAll(screenshots, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(screenshots, name+"-"+look.name+".png"), picture, 0o644))
		}
	}
	b.do(t, scheme("light"), chromedp.EmulateViewport(wide, high))
}

// shown are the pictures that docs/pages.md has.
func shown() map[string]bool {
	return map[string]bool{"overview-light": true, "transcode-light": true, "transcode-dark": true, "failed-light": true, "overview-phone": true}
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}
