// Command broadcaster is a stand-in Livepeer Broadcaster. It prints one line
// when it is ready and runs until SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/internal/mistsim/broadcaster"
)

const (
	// defaultListen is go-livepeer's port for segments.
	defaultListen = "127.0.0.1:8935"
	// headerWait bounds a client that sends no request.
	headerWait = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "broadcaster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	cfg := &broadcaster.Config{}
	flags := flag.NewFlagSet("broadcaster", flag.ContinueOnError)
	listen := flags.String("listen", defaultListen, "address to serve; port 0 picks a free one")
	flags.StringVar(&cfg.FFmpeg, "ffmpeg", "", "path of ffmpeg; default from PATH")
	flags.StringVar(&cfg.Preset, "preset", "", "libx264 preset; default ultrafast")
	flags.IntVar(&cfg.MaxRunning, "max-running", 0, "segments in work at once; default two per CPU")
	flags.BoolVar(&cfg.HEVC, "hevc", false, "take HEVC, as a transcoder with a GPU may")
	flags.IntVar(&cfg.MaxManifests, "max-manifests", 0, "manifests that the gateway keeps; default 10")
	flags.DurationVar(&cfg.ManifestLife, "manifest-life", 0, "how long it keeps one after its last segment; default 1m")
	flags.IntVar(&cfg.MaxSessions, "max-sessions", 0, "manifests that the orchestrator takes; default all")
	flags.DurationVar(&cfg.LeastInFlight, "least-in-flight", 0, "how long any segment may take before the answer is 503; default 1.5s, or twice its length")
	flags.DurationVar(&cfg.Timeout, "timeout", 0, "when a segment is given up; default 8s, or four times its length")
	verbose := flags.Bool("v", false, "log every segment to standard error")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *verbose {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	b, err := broadcaster.New(cfg)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on %s (choose another -listen): %w", *listen, err)
	}
	server := &http.Server{
		Handler: b, ReadHeaderTimeout: headerWait,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := context.AfterFunc(ctx, func() {
		b.Close()
		_ = server.Close()
	})
	defer stopped()
	fmt.Printf("broadcaster listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
