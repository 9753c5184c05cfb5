package thousand

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/test/bench/proc"
)

const (
	// idleSettle is when the start of hosts costs nothing any more; idleEach, a round, has most
	// statements of an idle host in it.
	idleSettle = 10 * time.Second
	idleEach   = 10 * time.Second
	// statementsTold are those that cost most.
	statementsTold = 8
)

// idle is what n hosts cost that have nothing to do: what is spent by the beginning, and by the
// end of each round.
func (f *fleet) idle(ctx context.Context, n int, each time.Duration) (at []spent, err error) {
	if err := pauseFor(ctx, idleSettle); err != nil {
		return nil, err
	}
	if err := f.countAnew(ctx); err != nil {
		return nil, err
	}
	for range rounds {
		now, err := f.spent(ctx)
		if err != nil {
			return nil, err
		}
		at = append(at, now)
		if err := pauseFor(ctx, each); err != nil {
			return nil, err
		}
	}
	after, err := f.spent(ctx)
	if err != nil {
		return nil, err
	}
	if after.hosts != n {
		return nil, fmt.Errorf("%d hosts of %d hold a lease", after.hosts, n)
	}
	return append(at, after), nil
}

// between is a figure of each round.
func between(at []spent, figure func(to, from spent) float64) (all []float64) {
	for i := range at[1:] {
		all = append(all, figure(at[i+1], at[i]))
	}
	return all
}

// countAnew begins to count statements.
func (f *fleet) countAnew(ctx context.Context) error {
	if _, err := f.pool.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return fmt.Errorf("count statements anew: %w", err)
	}
	return nil
}

// memory is what a host holds beside the others of its process.
func (f *fleet) memory(of []*hostProcess) error {
	var all []float64
	for _, p := range of {
		mb, err := proc.MemoryMB(p.cmd.Process.Pid, proc.Resident)
		if err != nil {
			return err
		}
		all = append(all, mb/float64(len(p.hosts)))
	}
	f.Add("  memory of each host, of those in one process", "MB", "", 0, all...)
	return nil
}

// statements are those that cost most.
func (f *fleet) statements(ctx context.Context, seconds float64) error {
	rows, err := f.pool.Query(ctx, `SELECT coalesce(substring(query FROM '-- name: (\w+)'), left(regexp_replace(query, '\s+', ' ', 'g'), 40)),
		sum(calls)::float8, sum(total_plan_time + total_exec_time), sum(total_plan_time)
		FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%' GROUP BY 1 ORDER BY 3 DESC LIMIT $1`, statementsTold)
	if err != nil {
		return fmt.Errorf("list statements: %w", err)
	}
	var name string
	var calls, took, planned float64
	if _, err := pgx.ForEachRow(rows, []any{&name, &calls, &took, &planned}, func() error {
		name = strings.ReplaceAll(name, "|", "/")
		f.Add("  "+name+", a second", "1/s", "", 0, calls/seconds)
		f.Add("  "+name+", each, planned and executed", "ms", "", 0, took/calls)
		return nil
	}); err != nil {
		return fmt.Errorf("list statements: %w", err)
	}
	return nil
}
