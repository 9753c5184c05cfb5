package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db/migrations"
	"weir/test/bench/free"
	"weir/test/bench/report"
)

const (
	// pressed lifecycles are at work at once: more add nothing on two cores.
	pressed = 64
	// pressWarm ends fill pools, caches and plans; pressRound are a round, and pressShort one of the
	// short form: some seconds, on a fast machine and on a slow one that many more.
	pressWarm, pressRound, pressShort = 2 * pressed, 3 * pressed, 2 * pressed
	// pressLimit is when a lifecycle that does not end is not waited for any more.
	pressLimit = 3 * time.Minute
	// insertClients commit a row each, insertSeconds long: pgbench connects within that time, and
	// sixteen forks of Postgres take a fifth of a second where a page is dear.
	insertClients = 16
	insertSeconds = "2"
	// rowsInserted and rowsChanged are what a lifecycle does, in rowsCommits: the tables of what
	// Postgres is asked, and of history, count them. A row has rowBytes, and a client rowsOfEach.
	rowsInserted, rowsChanged, rowsCommits = 35, 45, 12
	rowBytes, rowsOfEach                   = 500, 1000
	// noops are River's jobs that do nothing, worked by so many at once as its own benchmark does.
	noops, noopWorkers = 20_000, 2000

	goalCommits = 15 // of a lifecycle, under load
	goalOfLimit = 0.5
	// goalOfBare is of what the same machine and Postgres do with as many rows: 0.2 to 0.4 were seen
	// on machines of which one does a third to a half of the other's lifecycles. In River's jobs that do
	// nothing a lifecycle is worth 380 on the one and 740 on the other, where it is dear to go from
	// one process to the next.
	goalOfBare = 0.2
)

// pace is what a fleet does under load.
type pace struct {
	rate, commits []float64
	// hosts and postgres are milliseconds of a processor for each lifecycle.
	hosts, postgres []float64
	took            []free.Spans
}

// lifecycle is how many whole lifecycles a second one Postgres carries where media and Mist
// cost nothing, beside what it commits at all, and what River does with jobs that do nothing.
func (b *bench) lifecycle(ctx context.Context) (err error) {
	f, err := startFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(context.WithoutCancel(ctx))) }()
	before, err := f.inserts(ctx)
	if err != nil {
		return err
	}
	p, err := f.underLoad(ctx, b.Short)
	if err != nil {
		return err
	}
	// The load is broken off, and its hosts have what was begun in hand still.
	if err := f.drain(ctx); err != nil {
		return err
	}
	after, err := f.inserts(ctx)
	if err != nil {
		return err
	}
	machine := slices.Concat(before, after)
	bare, err := f.bareRows(ctx)
	if err != nil {
		return err
	}
	var noop []float64
	for n := range rounds {
		rate, err := f.noops(ctx, fmt.Sprintf("bench_noop_%d", n))
		if err != nil {
			return err
		}
		noop = append(noop, rate)
	}
	b.tellPace(p, report.Median(machine), report.Median(bare), report.Median(noop))
	b.tellMarks(p.took)
	b.Add(fmt.Sprintf("the machine: pgbench, one row inserted and committed, %d clients, before it and behind it", insertClients), "tx/s", "", 0, machine...)
	b.Add(fmt.Sprintf("  %d rows inserted and %d changed in %d commits, and nothing else, %d clients", rowsInserted, rowsChanged, rowsCommits, insertClients), "1/s", "", 0, bare...)
	b.Add("a peer: River's jobs that do nothing", "1/s", "", 0, noop...)
	return nil
}

// tellPace tells what a fleet does under load, beside what its Postgres commits, how often it does
// with bare rows what a lifecycle does, and how many of River's jobs that do nothing are done.
func (b *bench) tellPace(p pace, limit, bare, noops float64) {
	b.Add(fmt.Sprintf("lifecycles, %d at once: ended", pressed), "1/s", "", 0, p.rate...).Beside("the same with bare rows", bare)
	b.Add("  transactions that write, for each", "", fmt.Sprintf("at most %d", goalCommits), goalCommits, p.commits...)
	b.Add("  processor time of the hosts, the API and the bench, for each", "ms", "", 0, p.hosts...)
	b.Add("  of Postgres", "ms", "", 0, p.postgres...)
	var share, ofBare, worth []float64
	for i := range p.rate {
		share, ofBare, worth = append(share, p.rate[i]*p.commits[i]/limit), append(ofBare, p.rate[i]/bare), append(worth, noops/p.rate[i])
	}
	b.AddAbove("  of the transactions that this Postgres commits", "", fmt.Sprintf("%g or more", goalOfLimit), goalOfLimit, share...).WholeOnly()
	b.AddAbove("  of what it does with bare rows", "", fmt.Sprintf("%g or more", goalOfBare), goalOfBare, ofBare...)
	b.Add("  each is worth so many of River's jobs that do nothing", "", "", 0, worth...)
}

// underLoad has lifecycles go on, and counts in rounds.
func (f *fleet) underLoad(ctx context.Context, short bool) (p pace, err error) {
	round := int64(pressRound)
	if short {
		round = pressShort
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pressLimit, fmt.Errorf("lifecycles went on for more than %s", pressLimit))
	defer cancel()
	pressing, stop := context.WithCancel(ctx)
	defer stop()
	var done atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- f.press(pressing, pressed, &done) }()
	pass := func(ends int64) error {
		until := done.Load() + ends
		return await(ctx, func() (bool, error) {
			select {
			case err := <-ended:
				return false, errors.Join(err, errors.New("the load ended early"))
			default:
				return done.Load() >= until, nil
			}
		})
	}
	if err := pass(pressWarm); err != nil {
		return p, err
	}
	// As autovacuum does within the first minute: until then plans are for empty tables.
	if _, err := f.pool.Exec(ctx, "ANALYZE"); err != nil {
		return p, fmt.Errorf("analyze: %w", err)
	}
	if err := pass(pressWarm); err != nil {
		return p, err
	}
	stopProfile, err := f.profile(ctx)
	if err != nil {
		return p, err
	}
	f.marks.Forget()
	var bounds []time.Time
	for range rounds {
		bounds = append(bounds, time.Now())
		spent, err := f.spent()
		if err != nil {
			return p, err
		}
		began, from := time.Now(), done.Load()
		writes, err := f.writes(ctx)
		if err != nil {
			return p, err
		}
		if err := pass(round); err != nil {
			return p, err
		}
		written, err := f.writes(ctx)
		if err != nil {
			return p, err
		}
		ends := float64(done.Load() - from)
		p.rate = append(p.rate, ends/time.Since(began).Seconds())
		p.commits = append(p.commits, float64(written-writes)/ends)
		spentThen, err := f.spent()
		if err != nil {
			return p, err
		}
		p.hosts = append(p.hosts, milliseconds(spentThen.hosts-spent.hosts)/ends)
		p.postgres = append(p.postgres, milliseconds(spentThen.postgres-spent.postgres)/ends)
	}
	if err := stopProfile(); err != nil {
		return p, err
	}
	bounds = append(bounds, time.Now())
	stop()
	if err := <-ended; err != nil {
		return p, err
	}
	for i := range rounds {
		p.took = append(p.took, f.marks.Spans(bounds[i], bounds[i+1]))
	}
	return p, nil
}

// profile writes what Postgres and this process do under load, where that is asked for.
func (f *fleet) profile(ctx context.Context) (stop func() error, err error) {
	if *profiles == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(*profiles + ".pprof")
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if _, err := f.pool.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return nil, fmt.Errorf("count statements anew: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		rows, err := f.pool.Query(ctx, `SELECT format('%s calls, %s ms executed, %s ms planned %s times, %s rows, %s pages: %s', calls, round(total_exec_time), round(total_plan_time),
				plans, rows, shared_blks_hit, regexp_replace(left(query, 160), '\s+', ' ', 'g'))
			FROM pg_stat_statements ORDER BY total_plan_time + total_exec_time DESC LIMIT 120`)
		if err != nil {
			return fmt.Errorf("read the statements: %w", err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("read the statements: %w", err)
		}
		text, err := os.Create(*profiles + ".sql.txt")
		if err != nil {
			return fmt.Errorf("write the statements: %w", err)
		}
		for _, line := range lines {
			fmt.Fprintln(text, line)
		}
		return errors.Join(file.Close(), text.Close())
	}, nil
}

// inserts is how many rows a second are committed here, one by one, in each round.
func (f *fleet) inserts(ctx context.Context) (rates []float64, err error) {
	if _, err := f.pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS bench_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, filler text)"); err != nil {
		return nil, fmt.Errorf("make a table: %w", err)
	}
	for range rounds {
		rate, err := f.custom(ctx, fmt.Sprintf("pgbench-%d", time.Now().UnixNano()), "INSERT INTO bench_rows (filler) VALUES ('a row of the bench');\n", insertClients)
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

// bareRows is how often a second Postgres does nothing but insert and change as many rows as a
// lifecycle does, by prepared statements: rows of one table, with one index, that nothing watches
// over, and that no two clients wait for.
func (f *fleet) bareRows(ctx context.Context) (rates []float64, err error) {
	if _, err := f.pool.Exec(ctx, fmt.Sprintf(`CREATE TABLE bench_bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int NOT NULL, filler text NOT NULL);
		INSERT INTO bench_bare (number, filler) SELECT 1, repeat('x', %d) FROM generate_series(1, %d)`, rowBytes, insertClients*rowsOfEach)); err != nil {
		return nil, fmt.Errorf("make a table: %w", err)
	}
	var script strings.Builder
	for i := range rowsCommits {
		fmt.Fprintln(&script, "BEGIN;")
		for range rowsInserted*(i+1)/rowsCommits - rowsInserted*i/rowsCommits {
			fmt.Fprintf(&script, "INSERT INTO bench_bare (number, filler) VALUES (1, repeat('x', %d));\n", rowBytes)
		}
		for range rowsChanged*(i+1)/rowsCommits - rowsChanged*i/rowsCommits {
			fmt.Fprintf(&script, "\\set id 1 + :client_id * %d + random(0, %d)\nUPDATE bench_bare SET number = number + 1 WHERE id = :id;\n", rowsOfEach, rowsOfEach-1)
		}
		fmt.Fprintln(&script, "COMMIT;")
	}
	for n := range rounds {
		rate, err := f.custom(ctx, fmt.Sprintf("pgbench-bare-%d", n), script.String(), insertClients, "-M", "prepared")
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

type noopArgs struct {
	N int `json:"n"`
}

func (noopArgs) Kind() string { return "bench_noop" }

type noopWorker struct {
	river.WorkerDefaults[noopArgs]
	left atomic.Int64
	done chan struct{}
}

func (w *noopWorker) Work(context.Context, *river.Job[noopArgs]) error {
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
	return nil
}

// noops is how many jobs that do nothing River works a second, as its own benchmark has it:
// they are all there before it starts.
func (f *fleet) noops(ctx context.Context, queue string) (float64, error) {
	worker := &noopWorker{done: make(chan struct{})}
	worker.left.Store(noops)
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(riverpgxv5.New(f.pool), &river.Config{
		Schema: migrations.Schema, Workers: workers, LeaderElectionDisabled: true, ID: queue,
		Queues:        map[string]river.QueueConfig{queue: {MaxWorkers: noopWorkers}},
		FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 10 * time.Millisecond, //nolint:mnd // as its benchmark has them
	})
	if err != nil {
		return 0, fmt.Errorf("open River: %w", err)
	}
	inserts := make([]river.InsertManyParams, noops)
	for i := range inserts {
		inserts[i] = river.InsertManyParams{Args: noopArgs{i}, InsertOpts: &river.InsertOpts{Queue: queue}}
	}
	if _, err := client.InsertManyFast(ctx, inserts); err != nil {
		return 0, fmt.Errorf("insert jobs: %w", err)
	}
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return 0, fmt.Errorf("start River: %w", err)
	}
	select {
	case <-worker.done:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	// It stops once all are completed in the rows too.
	if err := client.Stop(ctx); err != nil {
		return 0, fmt.Errorf("stop River: %w", err)
	}
	return noops / time.Since(began).Seconds(), nil
}
