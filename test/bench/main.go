// Command bench measures what Weir adds to a transcode, and prints the machine's
// own figures beside it: a number from a shared machine says little, a ratio
// within one run says more.
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
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
)

const (
	// rounds is how often each figure is taken: the least that has a median with a
	// spread to see.
	rounds = 5
	// speedRounds and speedLength are for the figure of speed, whose rounds are long.
	speedRounds = 3
	speedLength = time.Minute
	// runLimit bounds the whole: five minutes where nothing else runs.
	runLimit = 30 * time.Minute
	// idleAfter lets a daemon settle before its memory is read.
	idleAfter = 5 * time.Second
)

// The goals.
const (
	goalIdleMB   = 60
	goalStart    = time.Second
	goalCallback = 1500 * time.Millisecond
	goalAdded    = 0.2 // of what plain ffmpeg needs
	goalWrites   = 40  // transactions of one transcode
	goalIdle     = 3   // statements a second
	goalFiles    = 25  // of code, in a package
	goalListened = 20  // of a core, in hundredths
	goalEnd      = 10  // hundredths of the whole that an end is told wrong by
	goalAccept   = 10 * time.Millisecond
	goalRound    = 20 * time.Millisecond
	goalAccepted = 500 // requests a second
)

var (
	speedOnly = flag.Bool("speed", false, "measure only what is added to a minute of 720p30")
	costOnly  = flag.Bool("cost", false, "measure only what Postgres is asked")
	// eventsOnly may be at once with a curve to be kept.
	eventsOnly = flag.Bool("events", false, "measure only what a thousand listeners cost, and how well ends are told")
	curve      = flag.String("curve", "", "with -events: write how the transcode went to this `file`")
	fairOnly   = flag.Bool("fair", false, "measure only how tenants share the slots")
	acceptOnly = flag.Bool("accept", false, "measure only how soon requests are accepted")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := begin(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the signals' handler goes with the process
	}
}

func begin(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	stack, err := devstack.Start(ctx, &devstack.Config{
		BinDir: filepath.Dir(self),
		// One token has the load of many.
		Settings:         map[string]string{"WEIR_LOG_FORMAT": "json", "WEIR_API_RATE": "0"},
		PostgresSettings: []string{"shared_preload_libraries=pg_stat_statements"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	b := &bench{stack: stack}
	measure := b.measure
	switch {
	case *speedOnly:
		measure = b.measureSpeed
	case *costOnly:
		measure = b.measureCost
	case *eventsOnly:
		measure = b.measureEvents
	case *fairOnly:
		measure = b.fair
	case *acceptOnly:
		measure = b.accept
	}
	if err := measure(ctx); err != nil {
		return err
	}
	return b.print()
}

// bench collects figures.
type bench struct {
	stack *devstack.Stack
	lines []line
}

type line struct {
	name, goal string
	// values are in unit; one for what is measured once.
	values []float64
	unit   string
	met    string
}

// run is one transcode that went well.
type run struct {
	*devstack.Transcode
	told time.Time // when the last callback came
}

func (b *bench) add(name, unit, goal string, below float64, values ...float64) {
	l := line{name: name, unit: unit, goal: goal, values: values}
	if goal != "" {
		l.met = map[bool]string{true: "yes", false: "NO"}[median(values) <= below]
	}
	b.tell(&l)
}

// addAbove is add for what is to be reached.
func (b *bench) addAbove(name, unit, goal string, least float64, values ...float64) {
	b.tell(&line{name: name, unit: unit, goal: goal, values: values, met: map[bool]string{true: "yes", false: "NO"}[median(values) >= least]})
}

// tell shows a figure at once: the whole takes minutes, and may break off.
func (b *bench) tell(l *line) {
	fmt.Fprintf(os.Stderr, "bench: %s: %.3f %s\n", l.name, median(l.values), l.unit)
	b.lines = append(b.lines, *l)
}

func (b *bench) measure(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	source := filepath.Join(dir, "source.mp4")
	if err := devstack.MakeClip(ctx, source, devstack.Clip{}); err != nil {
		return err
	}
	select {
	case <-time.After(idleAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	idle, err := b.memoryMB(resident)
	if err != nil {
		return err
	}
	b.add("daemon idle, resident", "MB", fmt.Sprintf("under %d", goalIdleMB), goalIdleMB, idle)
	if err := b.transcodes(ctx, source); err != nil {
		return err
	}
	after, err := b.memoryMB(resident)
	if err != nil {
		return err
	}
	b.add("daemon after the transcodes, resident", "MB", "", 0, after)
	if err := b.cost(ctx, source); err != nil {
		return err
	}
	if err := b.memory(ctx, dir); err != nil {
		return err
	}
	if err := b.speed(ctx, dir); err != nil {
		return err
	}
	if err := b.events(ctx, dir); err != nil {
		return err
	}
	if err := b.fair(ctx); err != nil { // its host keeps what it was given
		return err
	}
	return b.accept(ctx) // last: what it has accepted stays
}

// transcodes runs the demo's request several times, one after the other.
func (b *bench) transcodes(ctx context.Context, source string) error {
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	var start, callback, whole []float64
	for i := range rounds {
		t, err := b.transcode(ctx, fmt.Sprintf("bench-%d", i), source, ladder())
		if err != nil {
			return err
		}
		var started, ended time.Time
		if err := db.QueryRow(ctx, `SELECT process_started_at FROM weir.attempts WHERE transcode_id = $1`, t.ID).Scan(&started); err != nil {
			return fmt.Errorf("read when the process started: %w", err)
		}
		if err := db.QueryRow(ctx, `SELECT max(received_at) FROM weir.mist_events
			WHERE transcode_id = $1 AND trigger = 'PUSH_END'`, t.ID).Scan(&ended); err != nil {
			return fmt.Errorf("read when the last push ended: %w", err)
		}
		start = append(start, started.Sub(t.CreatedAt).Seconds())
		callback = append(callback, t.told.Sub(ended).Seconds())
		whole = append(whole, t.told.Sub(t.CreatedAt).Seconds())
	}
	b.add("accepted -> MistProcLivepeer started", "s", "under "+goalStart.String(), goalStart.Seconds(), start...)
	b.add("last PUSH_END -> callback received (below 0: it came first)", "s", "under "+goalCallback.String(), goalCallback.Seconds(), callback...)
	b.add("accepted -> callback received", "s", "", 0, whole...)
	return nil
}

// transcode runs one request until nothing of it is left on the host.
func (b *bench) transcode(ctx context.Context, name, source string, profiles []devstack.Profile) (run, error) {
	url, err := b.stack.Upload(ctx, source, "bench/"+name+filepath.Ext(source))
	if err != nil {
		return run{}, err
	}
	output, err := b.stack.S3.URL(b.stack.Bucket, "bench/out")
	if err != nil {
		return run{}, err
	}
	t, err := b.stack.API.Submit(ctx, &devstack.Request{
		ExternalID: name, Source: devstack.Location{URL: string(url)}, Output: devstack.Location{URL: string(output)},
		CallbackURL: b.stack.Studio.URL + "bench", Profiles: profiles,
	})
	if err != nil {
		return run{}, err
	}
	told, err := b.stack.Studio.WaitTerminal(ctx, t.ID)
	if err != nil {
		return run{}, err
	}
	if told.Status != "success" {
		return run{}, fmt.Errorf("transcode %s ended with %s: %s", t.ID, told.Status, told.Error)
	}
	if left, err := b.stack.AwaitClean(ctx); err != nil || len(left) > 0 {
		return run{}, errors.Join(err, fmt.Errorf("left behind: %v", left))
	}
	ended, err := b.stack.API.Transcode(ctx, t.ID)
	if err != nil {
		return run{}, err
	}
	return run{ended, told.At}, nil
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0) //nolint:mnd // two spaces between columns
	fmt.Fprintln(w, "figure\tmedian\tleast\tmost\tunit\tgoal\tmet")
	for _, l := range b.lines {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%s\t%s\t%s\n", l.name, median(l.values), slices.Min(l.values), slices.Max(l.values), l.unit, l.goal, l.met)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for _, l := range b.lines {
		if l.met == "NO" {
			return fmt.Errorf("%s: %.3f %s, the goal is %s", l.name, median(l.values), l.unit, l.goal)
		}
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
