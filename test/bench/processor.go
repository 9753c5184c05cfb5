package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/test/bench/proc"
)

// daemonTime is what the daemon, without its children, has used so far.
func (b *bench) daemonTime() (time.Duration, error) {
	return proc.ProcessorTime(b.stack.Daemons[0].PID())
}

// databaseTime is what Postgres has used so far for the connections that daemons keep.
func databaseTime(ctx context.Context, db *pgx.Conn) (sum time.Duration, err error) {
	rows, err := db.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'weir%'")
	if err != nil {
		return 0, fmt.Errorf("list the daemons' connections: %w", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, fmt.Errorf("list the daemons' connections: %w", err)
	}
	for _, pid := range pids {
		used, err := proc.ProcessorTime(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// spent is processor time: that of hosts and the API, and that of Postgres.
type spent struct{ hosts, postgres time.Duration }

// spent is that of the daemon, and of what Postgres does for daemons.
func (b *bench) spent(ctx context.Context, db *pgx.Conn) (s spent, err error) {
	if s.hosts, err = b.daemonTime(); err != nil {
		return s, err
	}
	s.postgres, err = databaseTime(ctx, db)
	return s, err
}

// spent is that of the process which hosts and the API are in, and of all of a fleet's Postgres.
func (f *fleet) spent() (s spent, err error) {
	pid := os.Getpid()
	if f.process != nil {
		pid = f.process.Process.Pid
	}
	if s.hosts, err = proc.ProcessorTime(pid); err != nil {
		return s, err
	}
	s.postgres, err = proc.FamilyTime(f.postgres.PID())
	return s, err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
