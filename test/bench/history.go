package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/jobs/retention"
	"weir/test/bench/free"
	"weir/test/bench/report"
)

//go:embed history.sql
var historySQL string

const (
	// historyRows finished transcodes, historyLong with -long; historyModel are made to be like.
	historyRows, historyLong = 1_000_000, 10_000_000
	historyModel             = 64
	// historyRounds go in turns over the two databases, each of them first as often: a burst, so
	// many lifecycles one after the other, and half of the load for a while.
	historyRounds  = 6
	historyBurst   = 4 * time.Second
	historyIdle    = 40
	historyOffered = 5 * time.Second
	// historySpare is what has to stay free of the disk, and historyEach what a transcode takes,
	// WAL and sorting included.
	historySpare = 4 << 30
	historyEach  = 16 << 10
	// heldRounds are so many bursts of heldBurst, behind a transaction that is open all the time.
	heldRounds = 6
	heldBurst  = 5 * time.Second
	// pruneDays of history are too old at once, of the keptDays that there are.
	pruneDays, keptDays = 2, 90

	goalFlat   = 1.1 // of what it is without history
	goalHeld   = 0.5 // of what it is without the transaction
	goalPruned = 100 // transcodes a second
)

// history is what a million finished transcodes cost those in hand, how soon they are removed,
// what they weigh, and what somebody's open transaction costs.
func (b *bench) history(ctx context.Context) (err error) {
	rows := historyRows
	if *long {
		rows = historyLong
	}
	if *historyOf > 0 {
		rows = *historyOf
	}
	empty, err := startFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, empty.Close(context.WithoutCancel(ctx))) }()
	full, err := startFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.Close(context.WithoutCancel(ctx))) }()
	for _, f := range []*fleet{empty, full} {
		// Pools, caches and plans.
		if err := f.lifecycles(ctx, soakWarm); err != nil {
			return err
		}
		if _, err := f.pool.Exec(ctx, "ANALYZE"); err != nil {
			return fmt.Errorf("analyze: %w", err)
		}
	}
	each, err := full.rowsEach(ctx)
	if err != nil {
		return err
	}
	if err := full.makeHistory(ctx, rows); err != nil {
		return err
	}
	if err := b.beside(ctx, empty, full, rows); err != nil {
		return err
	}
	if err := b.tellHOT(ctx, full); err != nil {
		return err
	}
	if err := b.weigh(ctx, full, each); err != nil {
		return err
	}
	if err := b.prune(ctx, full, rows); err != nil {
		return err
	}
	return b.heldOpen(ctx, empty)
}

// makeHistory makes so many finished transcodes like those that are there.
func (f *fleet) makeHistory(ctx context.Context, rows int) error {
	for range historyModel {
		if err := f.lifecycle(ctx); err != nil {
			return err
		}
	}
	if err := f.drain(ctx); err != nil {
		return err
	}
	var disk syscall.Statfs_t
	dir, err := f.folder.Make("history")
	if err != nil {
		return err
	}
	if err := syscall.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if free, wants := disk.Bavail*uint64(disk.Bsize), uint64(rows)*historyEach+historySpare; free < wants {
		return fmt.Errorf("a history of %d transcodes wants %d GB of disk, and there are %d: make room in %s, or measure fewer with -history", rows, wants>>30, free>>30, dir) //nolint:mnd // to GB
	}
	conn, err := pgx.Connect(ctx, string(f.postgres.URL))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "SELECT set_config('bench.history', $1::text, false)", fmt.Sprint(rows)); err != nil {
		return fmt.Errorf("make a history: %w", err)
	}
	if _, err := conn.Exec(ctx, historySQL); err != nil {
		return fmt.Errorf("make a history: %w", err)
	}
	var made int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM weir.transcodes WHERE external_id LIKE 'history-%'").Scan(&made); err != nil || made != rows {
		return fmt.Errorf("a history of %d transcodes was to be made, and there are %d: %w", rows, made, cmp.Or(err, errors.New("some are missing")))
	}
	for _, statement := range []string{"SET statement_timeout = 0", "VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s, behind a history: %w", statement, err)
		}
	}
	return nil
}

// burst is how many lifecycles a second end under load, which comes and goes for it.
func (f *fleet) burst(ctx context.Context, lasting time.Duration) (rate float64, err error) {
	pressing, stop := context.WithCancel(ctx)
	defer stop()
	var done atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- f.press(pressing, pressed, &done) }()
	var began time.Time
	var from int64
	for _, long := range []time.Duration{time.Second, lasting} { // the first fills it
		began, from = time.Now(), done.Load()
		select {
		case <-time.After(long):
		case err := <-ended:
			return 0, errors.Join(err, errors.New("the load ended early"))
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	rate = float64(done.Load()-from) / time.Since(began).Seconds()
	stop()
	if err := <-ended; err != nil {
		return 0, err
	}
	if rate == 0 {
		return 0, errors.New("no lifecycle ended in a burst: the machine is too busy")
	}
	return rate, f.drain(ctx)
}

// beside measures two fleets in turns: what the machine does meanwhile is the same for both.
func (b *bench) beside(ctx context.Context, empty, full *fleet, rows int) error {
	if _, err := full.pool.Exec(ctx, "SELECT pg_stat_reset()"); err != nil {
		return fmt.Errorf("count updates anew: %w", err)
	}
	fleets := []*fleet{empty, full}
	var rates [2][]float64
	var idle, half [2][]free.Spans
	for round := range historyRounds {
		// Whoever comes second is slower, as the first's pages are still being written then.
		order := []int{round % len(fleets), (round + 1) % len(fleets)}
		for _, i := range order {
			rate, err := fleets[i].burst(ctx, historyBurst)
			if err != nil {
				return err
			}
			rates[i] = append(rates[i], rate)
		}
		for _, i := range order {
			took, err := fleets[i].idle(ctx, historyIdle)
			if err != nil {
				return err
			}
			idle[i] = append(idle[i], took)
		}
		for _, i := range order {
			took, err := fleets[i].offer(ctx, report.Median(rates[0])/2, historyOffered) //nolint:mnd // half
			if err != nil {
				return err
			}
			half[i] = append(half[i], took)
		}
	}
	without := "an empty database"
	b.Add(fmt.Sprintf("lifecycles with %d finished ones, %d at once: ended", rows, pressed), "1/s", "", 0, rates[1]...).Beside(without, report.Median(rates[0]))
	b.AddAbove("  the median by the one of an empty database", "", "0.9 or more", 1/goalFlat, report.Median(rates[1])/report.Median(rates[0]))
	for _, load := range []struct {
		name   string
		rounds [2][]free.Spans
	}{{"idle", idle}, {"at half of that rate", half}} {
		for _, s := range spans() {
			was, is := free.Shares(load.rounds[0], s.took, latencyHalf), free.Shares(load.rounds[1], s.took, latencyHalf)
			b.Add(load.name+": "+s.name+", 50 of 100", "s", "", 0, is...).Beside(without, report.Median(was))
			b.Add("  the median by that of an empty database", "", "at most 1.1", goalFlat, report.Median(is)/report.Median(was))
			b.Add("  99 of 100", "s", "", 0, free.Shares(load.rounds[1], s.took, latencyMost)...).
				Beside(without, report.Median(free.Shares(load.rounds[0], s.took, latencyMost)))
		}
	}
	return nil
}

// tellHOT tells which updates were written in no index, of all since the counters began.
func (b *bench) tellHOT(ctx context.Context, f *fleet) error {
	type table struct {
		Name     string
		Each     float64
		HOT, All int64
	}
	rows, err := f.pool.Query(ctx, `SELECT relname AS name, n_tup_upd / greatest(1, (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'weir.transcodes'::regclass))::float8 AS each,
			n_tup_hot_upd AS hot, n_tup_upd AS "all"
		FROM pg_stat_user_tables WHERE schemaname = 'weir' AND n_tup_upd > 0 ORDER BY n_tup_upd DESC`)
	if err != nil {
		return fmt.Errorf("count updates: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		return fmt.Errorf("count updates: %w", err)
	}
	var hot, all, each float64
	for _, t := range tables {
		hot, all, each = hot+float64(t.HOT), all+float64(t.All), each+t.Each
	}
	b.Add("updates of rows, for each lifecycle", "", "", 0, each)
	b.Add("  written in the row's page alone (HOT)", "", "", 0, hot/all)
	const seldom = 0.1 // of a lifecycle
	for _, t := range tables {
		if t.Each >= seldom {
			b.Add(fmt.Sprintf("  HOT of %s, %.1f of them", t.Name, t.Each), "", "", 0, float64(t.HOT)/float64(t.All))
		}
	}
	return nil
}

// historyTables are those that hold a transcode's history, and how long where it is not as long
// as the transcode.
var historyTables = []struct{ name, kept string }{
	{"transcodes", ""}, {"attempts", ""}, {"renditions", ""}, {"callbacks", ""}, {"transcode_labels", ""}, {"ends", ""},
	{"mist_events", "7 days"}, {"events", "7 days"}, {"callback_attempts", "30 days"}, {"river_job", "6 hours"},
}

// rowsEach is how many rows a transcode has in each of them.
func (f *fleet) rowsEach(ctx context.Context) (map[string]float64, error) {
	if err := f.drain(ctx); err != nil {
		return nil, err
	}
	each := map[string]float64{}
	for _, t := range historyTables {
		var rows, of float64
		if err := f.pool.QueryRow(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM weir.%s), (SELECT count(*) FROM weir.transcodes)", t.name)).Scan(&rows, &of); err != nil {
			return nil, fmt.Errorf("count %s: %w", t.name, err)
		}
		each[t.name] = rows / of
	}
	return each, nil
}

// weigh tells what a finished transcode takes, table by table.
func (b *bench) weigh(ctx context.Context, f *fleet, each map[string]float64) error {
	for _, short := range []bool{false, true} {
		var lines []func()
		var tables, indexes float64
		for _, t := range historyTables {
			if (t.kept != "") != short {
				continue
			}
			var table, index float64
			if err := f.pool.QueryRow(ctx, fmt.Sprintf("SELECT pg_table_size(t)::float8 / rows, pg_indexes_size(t)::float8 / rows FROM (SELECT 'weir.%[1]s'::regclass AS t, count(*) AS rows FROM weir.%[1]s) s", t.name)).Scan(&table, &index); err != nil {
				return fmt.Errorf("weigh %s: %w", t.name, err)
			}
			table, index = table*each[t.name], index*each[t.name]
			tables, indexes = tables+table, indexes+index
			kept := ""
			if short {
				kept = ", for " + t.kept
			}
			lines = append(lines, func() {
				b.Add(fmt.Sprintf("  %s, %.1f rows%s: table", t.name, each[t.name], kept), "B", "", 0, table)
				b.Add(fmt.Sprintf("  %s: indexes", t.name), "B", "", 0, index)
			})
		}
		name := "a finished transcode, what is kept for 90 days"
		if short {
			name = "a finished transcode, what is kept for days or hours"
		}
		b.Add(name+": tables", "B", "", 0, tables)
		b.Add("  indexes", "B", "", 0, indexes)
		for _, line := range lines {
			line()
		}
	}
	return nil
}

// prune removes what is too old all of a sudden, as a leading daemon does: of everything that
// is kept, what so many days' transcodes have left.
func (b *bench) prune(ctx context.Context, f *fleet, rows int) error {
	of := float64(rows) * pruneDays / keptDays // transcodes
	var each float64                           // seconds that one takes
	type part struct {
		name    string
		keep    retention.Keep
		removed func(retention.Removed) int64
	}
	for _, p := range []part{
		{"triggers", retention.Keep{Triggers: 7 - pruneDays}, func(r retention.Removed) int64 { return r.Triggers }},                                    //nolint:mnd // the default
		{"events", retention.Keep{Events: 7 - pruneDays}, func(r retention.Removed) int64 { return r.Events }},                                          //nolint:mnd // the default
		{"tries to deliver callbacks", retention.Keep{CallbackAttempts: 30 - pruneDays}, func(r retention.Removed) int64 { return r.CallbackAttempts }}, //nolint:mnd // the default
		{"transcodes, with all that is theirs", retention.Keep{Transcodes: keptDays - pruneDays}, func(r retention.Removed) int64 { return r.Transcodes }},
	} {
		began := time.Now()
		done, err := (&retention.Retention{DB: f.pool, Log: slog.New(slog.DiscardHandler), Keep: p.keep}).Round(ctx)
		if err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		if p.removed(done) == 0 || done.Held > 0 {
			return fmt.Errorf("of %s %d were removed, and %d held", p.name, p.removed(done), done.Held)
		}
		each += took / of
		b.Add(fmt.Sprintf("pruning removes of %d %s", p.removed(done), p.name), "rows/s", "", 0, float64(p.removed(done))/took)
	}
	b.AddAbove("pruning keeps up with so many transcodes a second", "1/s", fmt.Sprintf("%d or more", goalPruned), goalPruned, 1/each)
	return nil
}

// heldOpen has somebody's BEGIN stay open while lifecycles go on.
func (b *bench) heldOpen(ctx context.Context, f *fleet) error {
	bursts := func(rounds int) (rates []float64, err error) {
		for range rounds {
			rate, err := f.burst(ctx, heldBurst)
			if err != nil {
				return nil, err
			}
			rates = append(rates, rate)
		}
		return rates, nil
	}
	without, err := bursts(heldRounds / 2) //nolint:mnd // half of them
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, string(f.postgres.URL))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// A snapshot and a number of its own: nothing that dies from now on can be cleared away.
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE TEMPORARY TABLE forgotten (); SELECT count(*) FROM weir.hosts"); err != nil {
		return fmt.Errorf("hold a transaction open: %w", err)
	}
	with, err := bursts(heldRounds)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("end the open transaction: %w", err)
	}
	after, err := bursts(heldRounds / 2) //nolint:mnd // half of them
	if err != nil {
		return err
	}
	limit := report.Median(slices.Concat(without, after))
	b.Add(fmt.Sprintf("lifecycles while a transaction is open, for %d s: ended", int((heldBurst*heldRounds).Seconds())), "1/s", "", 0, with...).Beside("without one", limit)
	b.AddAbove("  the median by that before and after it", "", "0.5 or more", goalHeld, report.Median(with)/limit)
	b.AddAbove("  the last burst by it", "", "0.5 or more", goalHeld, with[len(with)-1]/limit)
	return nil
}
