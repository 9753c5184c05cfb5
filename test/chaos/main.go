// Command chaos starts a fleet of three hosts on this machine, lets one fault after
// the other strike at it under load, and looks whether all promises were kept: every
// accepted transcode reached its end with whole objects and one callback, nothing was
// done again beyond what the fault allows, nothing was left behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// options say which faults strike.
type options struct {
	short   bool
	only    *regexp.Regexp
	minutes int
	seed    uint64
	logs    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// exitUsage is for flags that are wrong.
const exitUsage = 2

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.BoolVar(&o.short, "short", false, "a selection, for CI")
	only := flags.String("only", "", "the faults whose name matches this regular expression")
	flags.IntVar(&o.minutes, "minutes", 0, "a random mix for so long, in place of each fault once")
	flags.Uint64Var(&o.seed, "seed", 0, "of the random mix; 0 draws one")
	flags.StringVar(&o.logs, "logs", "", "an existing folder for the daemons' logs at the end")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, nil
}

// chosen are the faults that the options name.
func (o *options) chosen() []*fault {
	return slices.DeleteFunc(faults(), func(f *fault) bool {
		return o.short && !f.short || !o.only.MatchString(f.name)
	})
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	chosen := o.chosen()
	if len(chosen) == 0 {
		return fmt.Errorf("no fault's name matches %q", o.only)
	}
	if slices.ContainsFunc(chosen, func(f *fault) bool { return f.disk }) {
		if err := ownMounts(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	s, err := start(ctx, filepath.Dir(self), os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.keepLogs(o.logs), s.Close()) }()
	t := &table{out: os.Stdout}
	t.head()
	if o.minutes > 0 {
		s.soak(ctx, t, &o, chosen)
	} else {
		for _, f := range chosen {
			if ctx.Err() != nil {
				break
			}
			t.add(s.run(ctx, f))
		}
	}
	if !t.sum() {
		return errors.New("not everything was survived")
	}
	return context.Cause(ctx)
}

// soak strikes at random until the time is over.
func (s *suite) soak(ctx context.Context, t *table, o *options, chosen []*fault) {
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	fmt.Fprintf(t.out, "chaos: -minutes %d -seed %d\n", o.minutes, o.seed)
	random := rand.New(rand.NewPCG(o.seed, 0)) // to be repeated, not to be secret
	s.background = random
	for end := time.Now().Add(time.Duration(o.minutes) * time.Minute); time.Now().Before(end) && ctx.Err() == nil; {
		t.add(s.run(ctx, chosen[random.IntN(len(chosen))]))
	}
}

// keepLogs copies the daemons' logs before they are removed.
func (s *suite) keepLogs(folder string) error {
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keep logs: %w", err)
	}
	for i, daemon := range s.Daemons {
		text, err := os.ReadFile(daemon.Log)
		if err != nil {
			return fmt.Errorf("keep logs: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, hostID(i)+".log"), text, 0o600); err != nil {
			return fmt.Errorf("keep logs: %w", err)
		}
	}
	return nil
}
