package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
	"weir/test/media/footage"
)

const (
	// atOnce is how many files are in work at once, whatever the cores: each has some processes.
	atOnce = "2"
	// slots are as many, so that no file waits for another.
	slots = 2
	// patience bounds a file. The longest takes some seconds on an idle machine.
	patience = 4 * time.Minute
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

type suite struct{ *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			return complain(err)
		}
	}
	code := s.M.Run()
	if stack, err := shared(); err == nil {
		code = max(code, complain(stack.Close()))
	}
	return code
}

func complain(err error) (code int) {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "media:", err)
	return 1
}

// shared is the stack of all tests but those that need one of their own.
var shared = sync.OnceValues(func() (*devstack.Stack, error) {
	cfg, err := devstack.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg.Slots = slots
	// A machine that is busy with other tests may take its time.
	cfg.StandIn = devstack.BroadcasterConfig{Flags: []string{"-least-in-flight", patience.String(), "-timeout", patience.String()}}
	return devstack.Start(context.Background(), cfg)
})

func setup(t *testing.T, stack *devstack.Stack) *transcoder {
	t.Helper()
	studio, err := devstack.StartStudio(t.Context(), &devstack.StudioConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, studio.Close()) })
	return &transcoder{stack: stack, studio: studio, prefix: strings.ToLower(rand.Text())}
}

// A gateway takes ten streams, this one four, and keeps each for a minute after its last segment.
// With more files than that at once all come out whole all the same, some of them after a wait. It
// is all that two cores can do, so nothing runs beside it.
func TestRealLimits(t *testing.T) {
	const files, manifests = 6, 4
	cfg, err := devstack.FromEnvironment(os.Getenv)
	require.NoError(t, err)
	cfg.Slots = files
	cfg.StandIn = devstack.BroadcasterConfig{MaxManifests: manifests, ManifestLife: time.Minute}
	stack, err := devstack.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close()) })
	transcoder := setup(t, stack)
	all := footage.Cases()
	var group errgroup.Group
	rows := make([]*row, files)
	for i := range files {
		dir := t.TempDir()
		group.Go(func() (err error) {
			rows[i], err = transcoder.prove(t.Context(), &all[i], dir)
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, row := range rows {
		t.Logf("%s: %.1f s, %v", row.name, row.took.Seconds(), row.retried)
		require.Empty(t, row.problems, row.name)
	}
}

// Whatever users send comes out with every frame once, in order, at its time, in its shape, with
// its sound beside it; or fails for good at once.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	stack, err := shared()
	require.NoError(t, err)
	transcoder := setup(t, stack)
	for _, c := range footage.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the file took too long"))
			defer cancel()
			row, err := transcoder.prove(ctx, &c, t.TempDir())
			require.NoError(t, err)
			t.Logf("%s: %d frames, source %+.0f ms, sync %+.0f ms, %.1f s", row.outcome, row.frames, 1000*row.source, 1000*row.sync, row.took.Seconds())
			for _, problem := range append(row.problems, row.retried...) {
				t.Errorf("%s (%s): %s", c.Name, c.Kind, problem)
			}
		})
	}
}
