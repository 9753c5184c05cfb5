// Command demo runs the whole of Weir on this machine and one request through
// it: `make demo`. It starts a private Postgres, an S3 server, a stand-in Mist
// host, a stand-in Broadcaster, a receiver of Studio's callbacks and the
// daemon; asks for three renditions of a clip; and checks what comes of it: the
// callback, every object, that nothing is left behind.
//
// Its options are variables of the environment:
//
//	SOURCE             a .ts, .mp4, .mov or .mkv, as a local file or a URL
//	HLS=1              ask for HLS, MP4 and thumbnails too, and print where a browser plays
//	                   them; with KEEP=1 that stays up
//	KEEP=1             leave everything running until Ctrl-C, with the operators' pages
//	WEIR_DATABASE_URL  an existing database instead of a private Postgres
//	WEIR_API_LISTEN    the address of the API; any free port of the loopback by default
//	WEIR_DEMO_S3_ENDPOINT, _REGION, _ACCESS_KEY, _SECRET_KEY, _BUCKET
//	                   an existing bucket instead of a private S3 server
//	WEIR_DEMO_MIST_API, _MIST_BIN_DIR, WEIR_DEMO_BROADCASTERS
//	                   a real Mist on this machine, the folder of its MistProcLivepeer,
//	                   and real Broadcasters (by commas), instead of the stand-ins
//
// The last line is "demo: ok renditions=3 callback=delivered left_behind=0
// seconds=N", and the exit code 0. Anything else exits with 1, or 130 after
// Ctrl-C, and says what failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitFailed      = 1
	exitInterrupted = 130 // what shells give for Ctrl-C
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Further signals change nothing: what ends everything has limits of its own.
	err := run(ctx, os.Getenv, os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
		return
	case interrupted:
		fmt.Fprintln(os.Stderr, "demo: interrupted, all is stopped")
		os.Exit(exitInterrupted)
	default:
		fmt.Fprintln(os.Stderr, "demo: failed:", err)
		os.Exit(exitFailed)
	}
}

// run is the demo: all but signals and the exit code.
func run(ctx context.Context, getenv func(string) string, out *os.File) (err error) {
	opts, err := readOptions(getenv)
	if err != nil {
		return err
	}
	d := &demo{opts: opts, out: out, clock: newClock()}
	defer func() { err = errors.Join(err, d.close()) }()
	for _, step := range []func(context.Context) error{
		d.prepareSource, d.start, d.submit, d.follow, d.checkCallback, d.checkObjects, d.checkOutputs, d.checkClean,
	} {
		if err := step(ctx); err != nil {
			return d.explain(err)
		}
	}
	d.report()
	if opts.keep {
		d.keep(ctx)
	}
	return nil
}
