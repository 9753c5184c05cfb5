package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
	"weir/jobs"
	"weir/test/bench/proc"
	"weir/test/bench/report"
)

// The load of the figure: noise, as nothing else fills a bit rate, at the highest rate
// that the API takes, two renditions at once.
const (
	noise     = "testsrc2=size=1280x720:rate=30:duration=%d,noise=alls=60:allf=t"
	noiseRate = 100_000_000
	// Both are more than an upload holds of a file, so that what differs is the size.
	smallSeconds, largeSeconds = 5, 30
	// leastBytes is what a rendition has a second, for the figure to say something.
	leastBytes = 10_000_000
)

// goalGrowth is how much more memory the large renditions may take than the small ones:
// half again is the garbage collector's freedom, and files held whole would be sixfold.
const goalGrowth = 1.5

const (
	// queuedMany wait at once.
	queuedMany = 100_000
	// takesEach is how long it is looked at what a daemon's processor does.
	takesEach = 5 * time.Second
	// soakLifecycles, or soakLong, in so many parts, behind so many that are not counted.
	soakLifecycles, soakLong = 2000, 20_000
	soakParts                = 4
	soakWarm                 = 200
	// goalQueuedGoroutines: what waits in rows has none.
	goalQueuedGoroutines = 5
	goalSoak             = 1.1
)

// peak is the most memory that the daemon has, in MB, while do runs.
func (b *bench) peak(do func() error) (float64, error) {
	if err := proc.ForgetPeak(b.stack.Daemons[0].PID()); err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	return proc.MemoryMB(b.stack.Daemons[0].PID(), proc.MostEver)
}

// memory compares the daemon's peak over large renditions with the one over small.
func (b *bench) memory(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	var peaks [2][]float64
	for i, seconds := range []int{smallSeconds, largeSeconds} {
		source, err := makeNoise(ctx, dir, seconds)
		if err != nil {
			return err
		}
		for round := range rounds {
			peak, err := b.noisy(ctx, fmt.Sprintf("noise-%d-%d", seconds, round), source, seconds)
			if err != nil {
				return err
			}
			peaks[i] = append(peaks[i], peak)
		}
	}
	b.Add("the daemon's peak, 2 renditions of some 60 MB", "MB", "", 0, peaks[0]...)
	b.Add("its peak, 2 renditions of some 360 MB", "MB", "", 0, peaks[1]...)
	b.Add("the latter by the former", "", fmt.Sprintf("under %.1f", goalGrowth), goalGrowth, report.Median(peaks[1])/report.Median(peaks[0]))
	return b.daemonTakes(ctx)
}

// daemonTakes is what one daemon takes, idle and with much in hand, and over many lifecycles.
func (b *bench) daemonTakes(ctx context.Context) (err error) {
	f, err := startApart(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(context.WithoutCancel(ctx))) }()
	began, err := f.takesOften(ctx)
	if err != nil {
		return err
	}
	// What is made once, by the first.
	if err := f.lifecycles(ctx, soakWarm); err != nil {
		return err
	}
	idle, err := f.takesOften(ctx)
	if err != nil {
		return err
	}
	if err := f.hold(ctx, apartSlots); err != nil {
		return err
	}
	running, err := f.takesOften(ctx)
	if err != nil {
		return err
	}
	if err := f.queue(ctx); err != nil {
		return err
	}
	queued, err := f.takesOften(ctx)
	if err != nil {
		return err
	}
	if err := f.unqueue(ctx); err != nil {
		return err
	}
	if err := f.letGo(ctx); err != nil {
		return err
	}
	for _, t := range []struct {
		when string
		of   []takings
	}{
		{"one daemon that leads and works, just started", began}, {"idle, after its first lifecycles", idle},
		{fmt.Sprintf("%d transcodes run", apartSlots), running}, {fmt.Sprintf("and %d are queued behind them", queuedMany), queued},
	} {
		b.Add(t.when+": resident", "MB", "", 0, each(t.of, residentMB)...)
		b.Add("  of it live", "MB", "", 0, each(t.of, heapMB)...)
		b.Add("  goroutines", "", "", 0, each(t.of, goroutines)...)
		b.Add("  its processor, of a core", "%", "", 0, each(t.of, processor)...)
		b.Add("  and Postgres', of a core", "%", "", 0, each(t.of, postgres)...)
	}
	more := func(than, is []takings, figure func(*takings) float64, parts float64) []float64 {
		was := report.Median(each(than, figure))
		return each(is, func(t *takings) float64 { return (figure(t) - was) / parts })
	}
	const kilo = megabyte / 1000
	b.Add("one that runs: live", "kB", "", 0, more(idle, running, heapMB, float64(apartSlots)/kilo)...)
	b.Add("  goroutines", "", "", 0, more(idle, running, goroutines, apartSlots)...)
	b.Add("one that is queued: live", "B", "", 0, more(running, queued, heapMB, float64(queuedMany)/megabyte)...)
	b.Add("  goroutines, of all that are queued", "", fmt.Sprintf("at most %d", goalQueuedGoroutines), goalQueuedGoroutines, more(running, queued, goroutines, 1)...)
	return b.soak(ctx, f)
}

// takesOften is takes some times, each behind a while of which it tells the processor time.
func (f *fleet) takesOften(ctx context.Context) (all []takings, err error) {
	for range rounds {
		before, err := f.spent()
		if err != nil {
			return nil, err
		}
		if err := wait(ctx, takesEach); err != nil {
			return nil, err
		}
		after, err := f.spent()
		if err != nil {
			return nil, err
		}
		t, err := f.takes(ctx) // collects
		if err != nil {
			return nil, err
		}
		t.processor, t.postgres = percent(after.hosts-before.hosts), percent(after.postgres-before.postgres)
		all = append(all, t)
	}
	return all, nil
}

// percent is so much of a core while takings are waited for.
func percent(used time.Duration) float64 { return 100 * float64(used) / float64(takesEach) }

func residentMB(t *takings) float64 { return t.ResidentMB }
func heapMB(t *takings) float64     { return t.HeapMB }
func goroutines(t *takings) float64 { return float64(t.Goroutines) }
func processor(t *takings) float64  { return t.processor }
func postgres(t *takings) float64   { return t.postgres }

// each is a figure of each of several.
func each(of []takings, figure func(*takings) float64) (all []float64) {
	for i := range of {
		all = append(all, figure(&of[i]))
	}
	return all
}

// lifecycles are so many, as many at once as under load.
func (f *fleet) lifecycles(ctx context.Context, many int) error {
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(pressed)
	for range many {
		group.Go(func() error { return f.lifecycle(going) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return f.drain(ctx)
}

// queue has many wait in the rows, of which nobody is told, and some rounds of placement look at
// them: there is no slot.
func (f *fleet) queue(ctx context.Context) error {
	var like string
	if err := f.pool.QueryRow(ctx, "SELECT id::text FROM weir.transcodes WHERE state = 'running' LIMIT 1").Scan(&like); err != nil {
		return fmt.Errorf("find a transcode to make others of: %w", err)
	}
	inserter, err := jobs.NewInserter(f.pool)
	if err != nil {
		return err
	}
	many := &fairness{pool: f.pool, river: inserter, like: like}
	if err := many.queue(ctx, "waits-", wideTenants, queuedMany/wideTenants); err != nil {
		return err
	}
	for range rounds {
		if err := many.tell(ctx); err != nil {
			return err
		}
		if err := f.until(ctx, latencyLate, "SELECT NOT EXISTS (SELECT FROM weir.river_job WHERE queue = 'place' AND finalized_at IS NULL)"); err != nil {
			return err
		}
	}
	return nil
}

// unqueue takes them back.
func (f *fleet) unqueue(ctx context.Context) error {
	return (&fairness{pool: f.pool}).quietly(ctx, "DELETE FROM weir.transcodes WHERE state = 'queued' AND tenant LIKE 'waits-%'")
}

// soak is what stays the same, or grows, over many lifecycles: at each quarter, with nothing at
// work.
func (b *bench) soak(ctx context.Context, f *fleet) error {
	many := soakLifecycles
	if *long {
		many = soakLong
	}
	var at [soakParts + 1]takings
	var bytes [soakParts + 1]float64
	for i := range at {
		if i > 0 {
			if err := f.lifecycles(ctx, many/soakParts); err != nil {
				return err
			}
		} else if err := f.drain(ctx); err != nil {
			return err
		}
		var err error
		if at[i], err = f.takes(ctx); err != nil {
			return err
		}
		if err := f.pool.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&bytes[i]); err != nil {
			return fmt.Errorf("read the database's size: %w", err)
		}
	}
	var grown [soakParts]float64 // for each
	for i := range grown {
		grown[i] = (bytes[i+1] - bytes[i]) / float64(many/soakParts)
	}
	for i, t := range at[1:] {
		name := fmt.Sprintf("a soak, %d lifecycles done: resident", (i+1)*many/soakParts)
		b.Add(name, "MB", "", 0, t.ResidentMB)
		b.Add("  of it live", "MB", "", 0, t.HeapMB)
		b.Add("  goroutines", "", "", 0, float64(t.Goroutines))
		b.Add("  the database has grown by, for each", "B", "", 0, grown[i])
	}
	first, last := at[1], at[soakParts]
	b.Add("a soak: live at its end by its first quarter", "", "at most 1.1", goalSoak, last.HeapMB/first.HeapMB)
	b.Add("  resident", "", "at most 1.1", goalSoak, last.ResidentMB/first.ResidentMB)
	b.Add("  goroutines", "", "at most 1.1", goalSoak, float64(last.Goroutines)/float64(first.Goroutines))
	b.Add("  growth of the database, for each", "", "at most 1.1", goalSoak, grown[soakParts-1]/grown[0])
	return nil
}

// makeNoise makes a source of so much noise.
func makeNoise(ctx context.Context, dir string, seconds int) (source string, err error) {
	source = filepath.Join(dir, fmt.Sprintf("noise-%d.mp4", seconds))
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", fmt.Sprintf(noise, seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-crf", "18", source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make %s: %w: %s", source, err, out)
	}
	return source, nil
}

// noisy runs one transcode of so much noise and gives the daemon's peak, in MB.
func (b *bench) noisy(ctx context.Context, name, source string, seconds int) (float64, error) {
	profiles := []devstack.Profile{
		{Name: "a", Width: 1280, Height: 720, Bitrate: noiseRate},
		{Name: "b", Width: 1280, Height: 720, Bitrate: noiseRate},
	}
	var t run
	peak, err := b.peak(func() (err error) {
		t, err = b.transcode(ctx, name, source, profiles)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, r := range t.Renditions {
		if r.Bytes < int64(seconds)*leastBytes {
			return 0, fmt.Errorf("rendition %s of %s has %d bytes, too few to say something", r.Name, name, r.Bytes)
		}
	}
	return peak, nil
}
