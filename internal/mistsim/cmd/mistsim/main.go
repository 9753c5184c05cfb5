// Command mistsim is a stand-in Mist host. It prints one line when it is ready
// and runs until SIGTERM. "mistsim push <socket>" is the body of its pushes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"weir/internal/mistsim"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "push" {
		os.Exit(mistsim.RunPush(context.Background(), os.Args[2]))
	}
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mistsim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	cfg := &mistsim.Config{}
	flags := flag.NewFlagSet("mistsim", flag.ContinueOnError)
	flags.StringVar(&cfg.Listen, "listen", mistsim.DefaultListen, "address of the API; port 0 picks a free one")
	flags.StringVar(&cfg.Dir, "dir", "", "the host's folder, where MistProcLivepeer finds its socket")
	flavour := flags.String("flavour", string(mistsim.Livepeer), "the tree to imitate: lp or up")
	account := flags.String("account", "", "an API account as user:md5-of-password")
	flags.BoolVar(&cfg.NoLocalAuth, "no-local-auth", false, "make local connections authorize too")
	lose := flags.String("lose-triggers", "", "triggers never to send, comma separated, or *")
	flags.BoolVar(&cfg.Faults.DoubleTriggers, "double-triggers", false, "send every trigger twice")
	flags.BoolVar(&cfg.Faults.ReorderTriggers, "reorder-triggers", false, "swap triggers pairwise")
	flags.IntVar(&cfg.Faults.DelayTriggersMS, "delay-triggers-ms", 0, "hold every trigger back")
	flags.DurationVar(&cfg.Timing.Offline, "offline", 0, "how long -flavour up lists an ended stream as Offline; default 25s")
	verbose := flags.Bool("v", false, "log to standard error")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	cfg.Flavour = mistsim.Flavour(*flavour)
	if *lose != "" {
		cfg.Faults.LoseTriggers = strings.Split(*lose, ",")
	}
	if *account != "" {
		user, sum, ok := strings.Cut(*account, ":")
		if !ok {
			return errors.New("-account: want user:md5-of-password")
		}
		cfg.Accounts = map[string]string{user: sum}
	}
	if *verbose {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	host, err := mistsim.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := host.Start(ctx); err != nil {
		return err
	}
	fmt.Println("mistsim listening on", host.URL())
	<-signals
	return host.Close()
}
