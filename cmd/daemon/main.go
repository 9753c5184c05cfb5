// Command daemon is Weir's service: the API, the trigger listener and the workers
// in one program. Its settings are its environment (docs/settings.md).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"weir/config"
)

func main() {
	looks := len(os.Args) > 1 && os.Args[1] == "doctor"
	if len(os.Args) > 1 && !looks {
		fmt.Fprintln(os.Stderr, "weir-daemon: takes no arguments but doctor; its settings are WEIR_ variables, see docs/settings.md")
		os.Exit(exitUsage)
	}
	cfg, err := config.Load(os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "weir-daemon:", err)
		os.Exit(exitUsage)
	}
	if looks {
		if err := runDoctor(untilSignal(), cfg, os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "weir-daemon:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(untilSignal(), cfg, os.Stderr); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "weir-daemon:", err)
		os.Exit(1)
	}
}

// untilSignal ends with the first signal, for a soft stop; the second one cuts.
func untilSignal() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	return ctx
}

// exitUsage is for settings that are wrong: starting again helps nothing.
const exitUsage = 2
