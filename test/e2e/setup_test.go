package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

const (
	// patience bounds a test: three attempts with their waits take half a minute on
	// an idle machine, and here both cores are busy with other tests.
	patience = 4 * time.Minute
	// realPatience is a real Mist's, whose pushes wait 25 s for what never comes: nine runs of the
	// process, three of each attempt, take five minutes.
	realPatience = 6 * time.Minute
	// cleanGrace is how long after an end Weir may go on tidying.
	cleanGrace = 30 * time.Second
	// lookEvery is often enough to see every stage of a transcode.
	lookEvery = 20 * time.Millisecond
)

// testBundle is a stack, seen by one test.
type testBundle struct {
	*devstack.Stack

	ctx context.Context
	// receiver gets this test's callbacks and answers them as the test wants.
	receiver *devstack.Studio
	// prefix is where the test's objects are in the bucket.
	prefix string
}

// setup returns the shared stack, for tests that leave it as it is.
func setup(t *testing.T) *testBundle {
	t.Helper()
	stack, err := shared()
	require.NoError(t, err)
	return bundle(t, stack)
}

// setupOwn starts a stack for one test, which may do to it what it wants.
func setupOwn(t *testing.T, change func(*devstack.Config)) *testBundle {
	t.Helper()
	cfg, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	change(cfg)
	stack, err := start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close()) })
	return bundle(t, stack)
}

func bundle(t *testing.T, stack *devstack.Stack) *testBundle {
	t.Helper()
	limit := patience
	if stack.Broadcaster == nil {
		limit = realPatience
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("the test's own limit of %s is over", limit))
	t.Cleanup(cancel)
	receiver, err := devstack.StartStudio(ctx, &devstack.StudioConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, receiver.Close()) })
	b := &testBundle{Stack: stack, ctx: ctx, receiver: receiver, prefix: strings.ToLower(rand.Text())}
	t.Cleanup(func() { b.explain(t) })
	return b
}

// explain logs for a test that has failed how its attempts ended, and what the
// daemons have logged of them.
func (b *testBundle) explain(t *testing.T) {
	t.Helper()
	if !t.Failed() {
		return
	}
	again := *b
	again.ctx = context.WithoutCancel(b.ctx) // it has ended by now
	for _, line := range again.lines(t, `SELECT format('%s attempt %s on %s: %s %s %s: %s', transcode_id, number, a.host_id, a.stage, a.outcome, a.error_message, a.error_detail)
		FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id WHERE strpos(t.output_url, $1) > 0 ORDER BY transcode_id, number`, b.prefix) {
		t.Log(line)
	}
	for _, line := range again.lines(t, `SELECT format('trigger at %s: %s', e.received_at, e::text) FROM weir.mist_events e
		JOIN weir.transcodes t ON strpos(e::text, replace(t.id::text, '-', '')) > 0 WHERE strpos(t.output_url, $1) > 0 ORDER BY e.received_at`, b.prefix) {
		t.Log(line)
	}
	ids := again.lines(t, "SELECT id::text FROM weir.transcodes WHERE strpos(output_url, $1) > 0", b.prefix)
	for _, daemon := range b.Daemons {
		log, err := os.ReadFile(daemon.Log)
		require.NoError(t, err)
		for line := range strings.Lines(string(log)) {
			if slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(line, id) }) {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// needsStandIn leaves a test out that a real Mist can't be made to play a part in.
func needsStandIn(t *testing.T, part string) {
	t.Helper()
	cfg, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	if cfg.Mist != nil {
		t.Skipf("a real Mist can't be made to %s", part) //nolint:forbidigo // nothing is missing: there is no way to do it
	}
}

// await looks until it is so.
func await(t *testing.T, ctx context.Context, what string, so func() bool) {
	t.Helper()
	for {
		looked := time.Now()
		if so() {
			return
		}
		select {
		case <-time.After(devstack.Pause(lookEvery, time.Since(looked))):
		case <-ctx.Done():
			require.FailNow(t, "waited in vain for "+what, "%v", context.Cause(ctx))
		}
	}
}

// awaitTranscode asks the API until the transcode is as wanted.
func (b *testBundle) awaitTranscode(t *testing.T, id string, wanted func(*devstack.Transcode) bool) *devstack.Transcode {
	t.Helper()
	transcode, err := b.API.Await(b.ctx, id, wanted)
	require.NoError(t, err)
	return transcode
}

// lines returns what a query gives, one text a row.
func (b *testBundle) lines(t *testing.T, query string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(b.ctx, string(b.Database))
	require.NoError(t, err)
	defer conn.Close(b.ctx)
	rows, err := conn.Query(b.ctx, query, args...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return lines
}
