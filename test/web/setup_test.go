package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// patience bounds a test: both cores may be busy with others'.
const patience = 4 * time.Minute

// testBundle is the system and a browser for one test.
type testBundle struct {
	*system

	// ctx is the browser's tab.
	ctx    context.Context
	prefix string
	console
}

// console is what the browser complains of, by itself and for scripts: refusals by a page's
// policy, errors, what is not found.
type console struct {
	mu         sync.Mutex
	complaints []string
}

func (c *console) hear(event any) {
	var said string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		said = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError {
			return
		}
		said = "console.error"
		for _, argument := range e.Args {
			said += " " + string(argument.Value) + argument.Description
		}
	case *runtime.EventExceptionThrown:
		said = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			said += " " + e.ExceptionDetails.Exception.Description
		}
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complaints = append(c.complaints, said)
}

// heard are the complaints since the last time that somebody asked.
func (c *console) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.complaints
	c.complaints = nil
	return said
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	stack, err := shared()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("the test's own limit of %s is over", patience))
	t.Cleanup(cancel)
	program, err := exec.LookPath("chromium")
	require.NoError(t, err, "run: make setup, or apt-get install chromium")
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU,
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("lang", "en"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	b := &testBundle{system: stack, ctx: ctx, prefix: "t-" + strings.ToLower(rand.Text()[:10])}
	t.Cleanup(func() {
		if t.Failed() {
			again := &testBundle{system: stack, ctx: context.WithoutCancel(t.Context())}
			for _, line := range again.lines(t, `SELECT format('attempt %s on %s: %s %s %s: %s', number, a.host_id, a.stage, a.outcome, a.error_message, a.error_detail)
				FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id WHERE t.external_id = $1 ORDER BY number`, b.prefix) {
				t.Log(line)
			}
		}
	})
	b.do(t, chromedp.EmulateViewport(1200, 900))
	require.NoError(t, chromedp.Listen(ctx, b.hear))
	return b
}

func (b *testBundle) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		require.NoError(t, err, "at %s: %s", b.location(), b.text("main"))
	}
}

func (b *testBundle) location() string {
	where, _ := chromedp.Run(b.ctx, chromedp.Location())
	return where
}

// text is what the page shows at a selector; "": nothing is there.
func (b *testBundle) text(selector string) string {
	shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	return shown
}

// open opens a page.
func (b *testBundle) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, chromedp.Navigate(b.Daemons[0].Pages+path))
}

// await waits until the page is so, by an expression of its script.
func (b *testBundle) await(t *testing.T, what, expression string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// A page that is left in this moment is no answer.
		if so, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && so {
			return
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			require.FailNow(t, "waited in vain for "+what, "%v", context.Cause(b.ctx))
		}
	}
}

func (b *testBundle) shows(t *testing.T, words string) {
	t.Helper()
	b.await(t, words, fmt.Sprintf("document.querySelector('main')?.innerText.includes(%q)", words))
}

// login logs in by the form, which leads back to where it was asked for.
func (b *testBundle) login(t *testing.T, name string, token secret.Secret, path string) {
	t.Helper()
	b.open(t, path)
	b.do(t,
		chromedp.WaitVisible(chromedp.CSS("#token")), chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#token"), string(token)),
		chromedp.Click(chromedp.CSS(".login button")), chromedp.WaitVisible(chromedp.CSS(".user")))
	require.Equal(t, b.Daemons[0].Pages+path, b.location())
}

func (b *testBundle) operates(t *testing.T, path string) {
	t.Helper()
	b.login(t, operatorName, b.operator, path)
}
func (b *testBundle) views(t *testing.T, path string) {
	t.Helper()
	b.login(t, viewerName, b.viewer, path)
}

// press opens a button's form, gives the reason, and sends it.
func (b *testBundle) press(t *testing.T, label, reason string) {
	t.Helper()
	b.await(t, "the button "+label, fmt.Sprintf("[...document.querySelectorAll('.change summary')].find(s => s.textContent === %q)", label))
	b.do(t, eval(fmt.Sprintf(`(() => {
		const change = [...document.querySelectorAll('.change')].find(c => c.querySelector('summary').textContent === %q);
		change.querySelector('summary').click();
		change.querySelector('[name=reason]').value = %q;
		change.querySelector('button').click();
	})()`, label, reason)), chromedp.WaitVisible(chromedp.CSS(".done, .problem[role=alert]")))
}

func eval(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script)
}

// source is a clip in the stack's bucket, with a keyframe every two seconds: each segment costs the stand-in a process.
func (b *testBundle) source(t *testing.T, seconds int) secret.Secret {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.mp4")
	args := fmt.Sprintf("-nostdin -loglevel error -f lavfi -i testsrc2=size=320x180:rate=15:duration=%[1]d -f lavfi -i sine=frequency=440:sample_rate=48000:duration=%[1]d "+
		"-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -sc_threshold 0 -c:a aac %[2]s", seconds, path)
	out, err := exec.CommandContext(b.ctx, "ffmpeg", strings.Fields(args)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	address, err := b.Upload(b.ctx, path, b.prefix+"/source.mp4")
	require.NoError(t, err)
	return address
}

// submit asks for two small renditions, and for what is to be made of them.
func (b *testBundle) submit(t *testing.T, source secret.Secret, outputs ...devstack.Wanted) *devstack.Transcode {
	t.Helper()
	out, err := b.S3.URL(b.Bucket, b.prefix+"/out")
	require.NoError(t, err)
	transcode, err := b.API.Submit(b.ctx, &devstack.Request{
		ExternalID: b.prefix, Source: devstack.Location{URL: string(source)}, Output: devstack.Location{URL: string(out)},
		CallbackURL: b.Studio.URL + b.prefix, Profiles: []devstack.Profile{
			{Name: "180p", Width: 320, Height: 180, Bitrate: 400_000}, {Name: "90p", Width: 160, Height: 90, Bitrate: 200_000},
		},
		Outputs: outputs,
	})
	require.NoError(t, err)
	return transcode
}

// lines returns what a query gives, one text a row.
func (b *testBundle) lines(t *testing.T, query string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(b.ctx, string(b.Database))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(b.ctx)) }()
	rows, err := conn.Query(b.ctx, query, args...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return lines
}
