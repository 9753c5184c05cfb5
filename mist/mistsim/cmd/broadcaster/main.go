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

	"weir/mist/mistsim/broadcaster"
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
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	fmt.Printf("broadcaster listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
