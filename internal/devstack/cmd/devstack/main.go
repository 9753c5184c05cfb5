// Command devstack starts parts of a stack for other programs:
//
//	devstack run -- COMMAND [ARGUMENT...]
//	    runs a command beside a private Postgres and a private S3 server, and
//	    ends them after it; the exit code is the command's
//	devstack studio
//	    receives callbacks at WEIR_DEMO_STUDIO_LISTEN (default :8090) and logs
//	    them, with what breaks Studio's contract
//	devstack bucket
//	    makes the bucket of WEIR_DEMO_S3_* if it is not there
//
// The command of run finds the servers by these variables; PG* are taken out:
//
//	WEIR_TEST_DATABASE_URL    the maintenance database, as a superuser
//	WEIR_TEST_S3_ENDPOINT     http://host:port; path style
//	WEIR_TEST_S3_REGION
//	WEIR_TEST_S3_ACCESS_KEY
//	WEIR_TEST_S3_SECRET_KEY
//	WEIR_BIN_DIR              the built programs; where devstack itself lies
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// exitFailed is our own failure, apart from most commands' codes.
const exitFailed = 125

var errUsage = errors.New("usage: devstack run -- COMMAND [ARGUMENT...] | devstack studio | devstack bucket")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
	}
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string) (code int, err error) {
	if len(args) == 0 {
		return exitFailed, errUsage
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "studio":
		err = studio(ctx)
	case "bucket":
		err = bucket(ctx)
	default:
		err = errUsage
	}
	if err != nil {
		return exitFailed, err
	}
	return 0, nil
}
