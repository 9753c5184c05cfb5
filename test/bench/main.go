// Command bench measures what Weir costs, and prints the machine's own figures, or a peer's,
// beside it: a number from a shared machine says little, a ratio within one run says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack"
	"weir/test/bench/report"
	"weir/test/bench/thousand"
)

const (
	// rounds is how often each figure is taken: the least that has a median with a
	// spread to see.
	rounds = 5
	// runLimit bounds the whole, of which a history of a million and a fleet of a thousand are half;
	// shortLimit the short form: a minute and a half where nothing else runs.
	runLimit   = 2 * time.Hour
	shortLimit = 3 * time.Minute
)

// The goals.
const (
	goalIdleMB    = 60
	goalStart     = time.Second
	goalCallback  = 1500 * time.Millisecond
	goalAdded     = 0.2 // of what plain ffmpeg needs, of a minute
	goalAddedLong = 0.1 // of ten minutes
	goalWrites    = 40  // transactions of one transcode
	goalIdle      = 3   // statements a second
	goalFiles     = 25  // of code, in a package
	goalListened  = 20  // of a core, in hundredths
	goalEnd       = 10  // hundredths of the whole that an end is told wrong by
	goalAccept    = 10 * time.Millisecond
	goalRound     = 20 * time.Millisecond
	goalAccepted  = 500      // requests a second
	goalMoved     = 0.9      // of the rate of the faster of others
	goalMover     = 64 << 20 // over idle, in bytes
	// goalNeighbour: medians of the same transcode on the same quiet machine differ by some
	// five parts in a hundred; twice that can be measured, and is a cost.
	goalNeighbour = 1.1
)

var (
	only  = flag.String("only", "", "measure only the groups of these `names`, parted by commas")
	short = flag.Bool("short", false, "measure the groups that are quick and have steady ratios, and fail where a ratio misses its goal by a third")
	long  = flag.Bool("long", false, "measure what takes long as well: speed ten minutes, s3 1 GiB, memory 20,000 lifecycles, history ten million transcodes")
	to    = flag.String("json", "build/bench.json", "write the figures to this `file`")
	page  = flag.String("page", "", "write the table of each group that is measured into this `file`, where it has a place for it")
	// curve is a file to be had when events are measured.
	curve = flag.String("curve", "", "with -only events: write how the transcode went to this `file`")
	// as makes this program one of those that are measured, each a process of its own.
	as = flag.String("as", "", "be a `program` that is measured; the benchmark starts them itself")
	// historyOf is for a machine without the room, or the time.
	historyOf = flag.Int("history", 0, "with -only history: measure with so `many` finished transcodes")
	// hosts may be fewer, to see whether it runs.
	hosts = flag.Int("hosts", 1000, "with -only fleet: measure so many `hosts`")
	// profiles are files to be had when lifecycles are measured, or triggers.
	profiles = flag.String("profile", "", "with -only lifecycle or latency: write what the load costs to files that begin with this `name`")
)

// A group is measured by itself, on servers of its own: what it leaves is in no other's way.
type group struct {
	name, about string
	measure     func(*bench, context.Context) error
	// short are measured in CI too: they are quick, and have ratios that are the same on any machine.
	short bool
	// alone are those that start what they need themselves; others get a stack.
	alone bool
}

func groups() []group {
	return []group{
		{name: "start", about: "the demo's request on an idle daemon", measure: (*bench).start},
		{name: "cost", about: "what Postgres is asked", measure: (*bench).cost},
		{name: "memory", about: "a daemon's memory, of short and long sources", measure: (*bench).memory},
		{name: "speed", about: "sources of 720p30 beside plain ffmpeg", measure: (*bench).speed},
		{name: "events", about: "a thousand listeners, and how well an end is told", measure: (*bench).events},
		{name: "fair", about: "how tenants share the slots", measure: (*bench).fair},
		{name: "neighbour", about: "what a tenant in trouble costs another", measure: (*bench).neighbour, alone: true},
		{name: "accept", about: "how soon requests are accepted", measure: (*bench).accept},
		{name: "s3", about: "large objects, beside other programs that move them", measure: (*bench).s3, short: true, alone: true},
		{name: "failover", about: "the primary killed under work, a synchronous standby promoted", measure: (*bench).failover, alone: true},
		{name: "naive", about: "what else somebody might write, under the same faults", measure: (*bench).naive},
		{name: "lifecycle", about: "whole lifecycles where media and Mist cost nothing", measure: (*bench).lifecycle, short: true, alone: true},
		{name: "latency", about: "how soon things follow each other where media and Mist cost nothing", measure: (*bench).latency, alone: true},
		{name: "history", about: "what a million finished transcodes cost those in hand, and what they weigh", measure: (*bench).history, alone: true},
		{name: "fleet", about: "a thousand hosts that poll, and where LISTEN is cheaper", measure: (*bench).fleet, alone: true},
	}
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	run := begin
	if *as != "" {
		run = measured
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the signals' handler goes with the process
	}
}

// measured is a program that is measured, as the flag says.
func measured(ctx context.Context) error {
	switch *as {
	case asMover:
		return moverOf(os.Getenv).move(ctx, flag.Args())
	case asRiver:
		return riverWorker(ctx)
	case asAsynq:
		return asynqWorker(ctx)
	case asDaemon:
		return daemon(ctx)
	case thousand.As:
		return thousand.Be(ctx, flag.Args())
	default:
		return fmt.Errorf("there is no program %q to be", *as)
	}
}

func begin(ctx context.Context) error {
	limit := runLimit
	if *short {
		limit = shortLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not all was measured within %s", limit))
	defer cancel()
	chosen, err := choose(*only, *short)
	if err != nil {
		return err
	}
	r := &report.Report{Short: *short}
	for _, g := range chosen {
		r.Begin(g.name)
		// What was measured before is told all the same.
		if err := measure(ctx, &g, r); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", g.name, err), r.Write(*to, *page))
		}
		r.End()
	}
	if err := r.Write(*to, *page); err != nil {
		return err
	}
	return r.Verdict()
}

// choose gives the groups of some names, or all.
func choose(names string, short bool) ([]group, error) {
	var chosen []group
	known := make([]string, 0, len(groups()))
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
	for _, g := range groups() {
		known = append(known, g.name)
		if named := slices.Contains(wanted, g.name); named || len(wanted) == 0 && (g.short || !short) {
			chosen = append(chosen, g)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no group %q to measure: there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func measure(ctx context.Context, g *group, r *report.Report) (err error) {
	b := &bench{Report: r}
	if !g.alone {
		if b.stack, err = startStack(ctx, func(cfg *devstack.Config) {
			cfg.PostgresSettings = append(devstack.Durable(), "shared_preload_libraries=pg_stat_statements")
		}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.stack.Close()) }()
	}
	return g.measure(b, ctx)
}

// startStack starts a stack.
func startStack(ctx context.Context, with func(*devstack.Config)) (*devstack.Stack, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find my own folder: %w", err)
	}
	cfg := &devstack.Config{
		BinDir: filepath.Dir(self),
		// One token has the load of many.
		Settings: map[string]string{"WEIR_LOG_FORMAT": "json", "WEIR_API_RATE": "0"},
	}
	with(cfg)
	return devstack.Start(ctx, cfg)
}

// bench measures one group.
type bench struct {
	*report.Report
	stack *devstack.Stack // nil for a group that is measured alone
}

// fleet is what a thousand hosts cost that poll, and where LISTEN is the cheaper one.
func (b *bench) fleet(ctx context.Context) error { return thousand.Measure(ctx, b.Report, *hosts) }
