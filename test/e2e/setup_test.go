package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
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
	stack, err := devstack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close()) })
	return bundle(t, stack)
}

func bundle(t *testing.T, stack *devstack.Stack) *testBundle {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("the test's own limit of %s is over", patience))
	t.Cleanup(cancel)
	receiver, err := devstack.StartStudio(ctx, &devstack.StudioConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, receiver.Close()) })
	b := &testBundle{Stack: stack, ctx: ctx, receiver: receiver, prefix: strings.ToLower(rand.Text())}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon's log ends:\n%s", stack.Daemons[0].Tail())
		}
	})
	return b
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
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
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
