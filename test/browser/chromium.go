package browser

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// playWithin is how long one address may take: a busy machine decodes slowly.
const playWithin = 3 * time.Minute

//go:embed testdata/player.html testdata/player.js testdata/hls.min.js testdata/shaka.min.js
var page embed.FS

// visit opens the page with the player, and has it play an address.
func visit(ctx context.Context, t testing.TB, player, address string) Report {
	t.Helper()
	program, err := exec.LookPath("chromium")
	require.NoError(t, err, "run: make setup, or apt-get install chromium")
	server := httptest.NewServer(http.FileServerFS(page))
	defer server.Close()

	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("disable-web-security", true), // storages of tests send no CORS headers
		chromedp.DisableGPU,
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(ctx, playWithin)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, closePage := chromedp.NewContext(ctx)
	defer closePage()

	await := true
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(server.URL+"/testdata/player.html")), "open the player")
	report, err := chromedp.Run(ctx, chromedp.Evaluate[Report](fmt.Sprintf("play(%q, %q)", player, address),
		func(p *runtime.EvaluateParams) { p.AwaitPromise = &await }))
	require.NoError(t, err, "play %s", address)
	return report
}
