// Package e2e sends requests through the whole system: the real daemon over a real
// Postgres, a real S3 server, real ffmpeg, and stand-ins for Mist and Livepeer, or a
// real Mist (`make test-mist`). What it checks, it checks from outside: by the API,
// by what Studio received, by the objects, and by what is left behind.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"weir/internal/devstack"
)

const (
	// atOnce is how many tests run at once, whatever the cores: most of them wait,
	// for a retry or for something that is made to hang. More starve each other's Broadcasters
	// where starting an ffmpeg is dear, and attempts begin again that the test wants to succeed at once.
	atOnce = "2"
	// sharedSlots lets all of these find a slot at once.
	sharedSlots = 4
	// sourceMax is the largest source: far above those here.
	sourceMax = 64 << 20
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// shared is the stack of all tests that disturb nobody.
var shared = sync.OnceValues(func() (*devstack.Stack, error) {
	cfg, err := devstack.FromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg.Slots = sharedSlots
	cfg.HostSettings = asDaemon(cfg)
	cfg.Settings = map[string]string{"WEIR_SOURCE_HTTP": "true", "WEIR_SOURCE_MAX_BYTES": strconv.Itoa(sourceMax)}
	return start(context.Background(), cfg)
})

// start starts a stack whose Broadcaster takes its time.
func start(ctx context.Context, cfg *devstack.Config) (*devstack.Stack, error) {
	stack, err := devstack.Start(ctx, cfg)
	if err != nil || stack.Broadcaster == nil {
		return stack, err
	}
	faults, err := json.Marshal(calm())
	if err == nil {
		err = stack.Broadcaster.Faults(ctx, string(faults))
	}
	if err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	return stack, nil
}

// suite is the tests between the start and the end of the shared stack.
type suite struct{ *testing.M }

// Run implements goleak.TestingM.
func (s suite) Run() int {
	if err := parallel(); err != nil {
		return complain(err)
	}
	stack, err := shared()
	if err != nil {
		return complain(err)
	}
	code := s.M.Run()
	if code == 0 {
		code = complain(leftBehind(stack))
	}
	return max(code, complain(stack.Close()))
}

// parallel sets -parallel where the caller has not.
func parallel() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", atOnce)
}

// leftBehind is an error when the tests' transcodes have left anything at all.
func leftBehind(stack *devstack.Stack) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanGrace)
	defer cancel()
	left, err := stack.AwaitClean(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left behind by all tests together: %s", strings.Join(left, "; "))
	}
	return err
}

func complain(err error) (code int) {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}
