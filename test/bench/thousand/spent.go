package thousand

import (
	"context"
	"fmt"
	"time"

	"weir/test/bench/proc"
)

// spent is what Postgres and PgBouncer have used, how many statements there were, and
// connections now.
type spent struct {
	at                 time.Time
	postgres, pooler   time.Duration
	daemons            time.Duration // of hosts
	statements         int64
	connections, hosts int
}

func (f *fleet) spent(ctx context.Context) (s spent, err error) {
	if err := f.pool.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements
		WHERE query NOT LIKE '%pg_stat_statements%' AND query !~* '^(begin|commit|rollback)'`).Scan(&s.statements); err != nil {
		return s, fmt.Errorf("count statements: %w", err)
	}
	if err := f.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		(SELECT count(*) FROM weir.hosts WHERE lease_until > now())`).Scan(&s.connections, &s.hosts); err != nil {
		return s, fmt.Errorf("count connections: %w", err)
	}
	s.at = time.Now()
	if s.postgres, err = proc.FamilyTime(f.postgres.PID()); err != nil {
		return s, err
	}
	for _, p := range f.processes {
		if p.ended {
			continue
		}
		used, err := proc.ProcessorTime(p.cmd.Process.Pid)
		if err != nil {
			return s, err
		}
		s.daemons += used
	}
	s.pooler, err = proc.ProcessorTime(f.pooler.PID())
	return s, err
}

func (s spent) seconds(from spent) float64 { return s.at.Sub(from.at).Seconds() }

// postgresShare and poolerShare are of a core.
func (s spent) postgresShare(from spent) float64 {
	return (s.postgres - from.postgres).Seconds() / s.seconds(from)
}

func (s spent) poolerShare(from spent) float64 {
	return (s.pooler - from.pooler).Seconds() / s.seconds(from)
}

func (s spent) cores(from spent) float64 { return s.postgresShare(from) + s.poolerShare(from) }

func (s spent) rate(from spent) float64 {
	return float64(s.statements-from.statements) / s.seconds(from)
}

// milli has seconds in thousandths.
func milli(seconds float64) float64 { return seconds * float64(time.Second/time.Millisecond) }
