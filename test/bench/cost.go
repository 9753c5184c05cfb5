package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
	"weir/test/bench/report"
)

const (
	// settled is when a daemon has done what it does once, as it starts.
	settled = 30 * time.Second
	// idleFor is how long an idle daemon's statements are counted: all that it does every so
	// often, or once a minute.
	idleFor = time.Minute
)

// kept are the tables whose rows stay as long as their transcode; those of others go sooner.
const kept = `'transcodes', 'attempts', 'renditions', 'outputs', 'callbacks', 'transcode_labels', 'ends'`

// held is what the tables of the schema have in them: rows, and bytes of rows without indexes.
type held struct{ rows, bytes, keptRows, keptBytes float64 }

func hold(ctx context.Context, db *pgx.Conn) (h held, err error) {
	// The text of a count on each table, which Postgres itself runs: it has no other way to
	// count what has just been written.
	err = db.QueryRow(ctx, `WITH counted AS (
			SELECT tablename, query_to_xml(format('SELECT count(*) AS n, coalesce(sum(pg_column_size(t.*)), 0) AS b FROM weir.%I t', tablename), false, true, '') AS x
			FROM pg_tables WHERE schemaname = 'weir'
		), read AS (
			SELECT tablename IN (`+kept+`) AS kept, (xpath('/row/n/text()', x))[1]::text::float8 AS n, (xpath('/row/b/text()', x))[1]::text::float8 AS b FROM counted
		) SELECT sum(n), sum(b), sum(n) FILTER (WHERE kept), sum(b) FILTER (WHERE kept) FROM read`).Scan(&h.rows, &h.bytes, &h.keptRows, &h.keptBytes)
	if err != nil {
		return h, fmt.Errorf("count rows: %w", err)
	}
	return h, nil
}

// asked is what Postgres was asked so far: statements (of the server's own count),
// transactions that wrote, each of which takes a number, and bytes of WAL.
type asked struct {
	statements, writes, wal int64
	at                      time.Time
}

func count(ctx context.Context, db *pgx.Conn) (asked, error) {
	a := asked{at: time.Now()}
	// Our own two are left out, and what only begins and ends transactions.
	err := db.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint
		FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' AND query !~* '^(begin|commit|rollback)'`).Scan(&a.statements, &a.writes, &a.wal)
	if err != nil {
		return a, fmt.Errorf("count statements: %w", err)
	}
	return a, nil
}

// cost is what a transcode asks of Postgres, and an idle daemon.
func (b *bench) cost(ctx context.Context) error {
	dir, err := b.stack.Folder.Make("bench")
	if err != nil {
		return err
	}
	source := filepath.Join(dir, "source.mp4")
	if err := devstack.MakeClip(ctx, source, devstack.Clip{}); err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	if _, err := db.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`); err != nil {
		return fmt.Errorf("count statements (the server needs its contrib modules): %w", err)
	}
	if err := wait(ctx, settled); err != nil {
		return err
	}
	var each struct{ statements, writes, wal []float64 }
	for range rounds {
		before, err := count(ctx, db)
		if err != nil {
			return err
		}
		if err := wait(ctx, idleFor); err != nil {
			return err
		}
		after, err := count(ctx, db)
		if err != nil {
			return err
		}
		seconds := after.at.Sub(before.at).Seconds()
		each.statements = append(each.statements, float64(after.statements-before.statements)/seconds)
		each.writes = append(each.writes, float64(after.writes-before.writes)/seconds)
		each.wal = append(each.wal, float64(after.wal-before.wal)/seconds)
	}
	b.Add("idle daemon: statements a second", "", fmt.Sprintf("under %d", goalIdle), goalIdle, each.statements...)
	b.Add("idle daemon: transactions that write, a second", "", "", 0, each.writes...)
	b.Add("idle daemon: bytes of WAL, a second", "B", "", 0, each.wal...)
	idleWrites, idleWAL := report.Median(each.writes), report.Median(each.wal)
	var writes, own, statements, rate, wal, rows, bytes, keptRows, keptBytes []float64
	for i := range rounds {
		there, err := hold(ctx, db)
		if err != nil {
			return err
		}
		from, err := count(ctx, db)
		if err != nil {
			return err
		}
		if _, err := b.transcode(ctx, fmt.Sprintf("cost-%d", i), source, ladder()); err != nil {
			return err
		}
		to, err := count(ctx, db)
		if err != nil {
			return err
		}
		now, err := hold(ctx, db)
		if err != nil {
			return err
		}
		rows, bytes = append(rows, now.rows-there.rows), append(bytes, now.bytes-there.bytes)
		keptRows, keptBytes = append(keptRows, now.keptRows-there.keptRows), append(keptBytes, now.keptBytes-there.keptBytes)
		wal = append(wal, float64(to.wal-from.wal)-idleWAL*to.at.Sub(from.at).Seconds())
		writes = append(writes, float64(to.writes-from.writes))
		own = append(own, float64(to.writes-from.writes)-idleWrites*to.at.Sub(from.at).Seconds())
		statements = append(statements, float64(to.statements-from.statements))
		rate = append(rate, float64(to.statements-from.statements)/to.at.Sub(from.at).Seconds())
	}
	b.Add("one transcode of 20 s, three renditions: transactions that write", "", "", 0, writes...)
	b.Add("  without what an idle daemon writes", "", fmt.Sprintf("%d or fewer", goalWrites), goalWrites, own...)
	b.Add("  statements", "", "", 0, statements...)
	b.Add("  statements a second", "", "", 0, rate...)
	b.Add("  bytes of WAL, without an idle daemon's and without images of whole pages", "B", "", 0, wal...)
	b.Add("  rows", "", "", 0, rows...)
	b.Add("  their bytes, without indexes", "B", "", 0, bytes...)
	b.Add("  rows that stay as long as the transcode", "", "", 0, keptRows...)
	b.Add("  their bytes, without indexes", "B", "", 0, keptBytes...)
	var tps, half []float64
	for range rounds {
		rate, err := pgbench(ctx, string(b.stack.Database), acceptClients)
		if err != nil {
			return err
		}
		tps = append(tps, rate)
		half = append(half, rate/2/report.Median(own)) //nolint:mnd // the other half is for reads and people
	}
	b.Add(fmt.Sprintf("the machine: pgbench, simple updates, %d clients", acceptClients), "tx/s", "", 0, tps...)
	b.Add("  half of it, by the transactions of one transcode: transcodes", "1/s", "", 0, half...)
	return b.rooms(ctx)
}

// rooms is the import graph: Go allows no cycle, and the linter no arrow that runs up.
func (b *bench) rooms(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{len .GoFiles}} {{len .Imports}} {{.ImportPath}}", "./...").Output()
	if err != nil {
		return fmt.Errorf("list the packages: %w", err)
	}
	packages, most := 0.0, 0.0
	for line := range strings.Lines(string(out)) {
		files, imports, path := 0, 0, ""
		if _, err := fmt.Sscan(line, &files, &imports, &path); err != nil {
			return fmt.Errorf("read %q: %w", line, err)
		}
		packages++
		if !strings.HasSuffix(path, "/dbsqlc") { // generated, a file a table
			most = max(most, float64(files))
		}
	}
	b.Add("packages, without a cycle", "", "", 0, packages)
	b.Add("  most files of code in one", "", fmt.Sprintf("%d or fewer", goalFiles), goalFiles, most)
	return nil
}

// wait passes a time.
func wait(ctx context.Context, long time.Duration) error {
	select {
	case <-time.After(long):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
