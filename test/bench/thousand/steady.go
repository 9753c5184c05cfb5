package thousand

import (
	"context"
	"fmt"
	"time"
)

// steadyFor is each stream's length. It is carried where, from steadyFrom on, steadyCarried of it
// end, and the last of it within steadyDrained behind it. Each ends a second earlier or later, as
// hosts ask every two: of ten a second the number varies by a hundredth, and by more over less time.
const (
	steadyFor     = time.Minute
	steadyFrom    = 15 * time.Second
	steadyCarried = 0.98
	steadyDrained = 10 * time.Second
	goalSteady    = 50
)

// steadyRates are tried until one is not carried: far more than that would only fill the queue.
func steadyRates() []int { return []int{5, 10, 15, 20, 30, 40, goalSteady} }

// steady is the largest stream of whole lifecycles that is carried.
func (f *fleet) steady(ctx context.Context) error {
	for _, rate := range steadyRates() {
		carried, tell, err := f.carries(ctx, rate)
		if err != nil {
			return err
		}
		if carried {
			f.carried = rate
		}
		if carried && rate < goalSteady {
			continue
		}
		f.AddAbove("lifecycles a second, a stream that is carried", "1/s", fmt.Sprintf("%d", goalSteady), goalSteady, float64(f.carried))
		return tell()
	}
	return nil
}

// carries says whether as many end as come, and how to tell what it took.
func (f *fleet) carries(ctx context.Context, rate int) (carried bool, tell func() error, err error) {
	if err := f.countAnew(ctx); err != nil {
		return false, nil, err
	}
	from, err := f.spent(ctx)
	if err != nil {
		return false, nil, err
	}
	folder := fmt.Sprintf("steady-%d/", rate)
	if err := f.stream(ctx, folder, rate, steadyFor); err != nil {
		return false, nil, err
	}
	to, err := f.spent(ctx)
	if err != nil {
		return false, nil, err
	}
	var ended float64
	if err := f.pool.QueryRow(ctx, `SELECT count(*)::float8 / $1 FROM weir.transcodes WHERE finished_at > now() - make_interval(secs => $1::float8)`,
		(steadyFor - steadyFrom).Seconds()).Scan(&ended); err != nil {
		return false, nil, fmt.Errorf("count what has ended: %w", err)
	}
	rest, err := f.until(ctx, allTold)
	if err != nil {
		return false, nil, err
	}
	return ended >= steadyCarried*float64(rate) && rest < steadyDrained, func() error {
		f.Add(fmt.Sprintf("  %d a second for %s: ended a second", rate, steadyFor), "1/s", "", 0, ended)
		f.Add("  the last request -> all have ended and are called back", "s", "", 0, rest.Seconds())
		f.Add("  Postgres and PgBouncer, of a core", "", "", 0, to.cores(from))
		f.Add("  of it PgBouncer", "", "", 0, to.poolerShare(from))
		f.Add("  the hosts, in cores", "", "", 0, (to.daemons-from.daemons).Seconds()/to.seconds(from))
		f.Add("  connections to Postgres", "", "", 0, float64(to.connections))
		if err := f.takenUp(ctx, folder); err != nil {
			return err
		}
		return f.statements(ctx, time.Since(from.at).Seconds())
	}, nil
}

// takenUp is how soon a host has begun with what was accepted.
func (f *fleet) takenUp(ctx context.Context, folder string) error {
	var half, most float64
	if err := f.pool.QueryRow(ctx, `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.99) WITHIN GROUP (ORDER BY took)
		FROM (SELECT extract(epoch FROM a.started_at - t.created_at)::float8 AS took FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id
		       WHERE a.started_at IS NOT NULL AND t.source_url LIKE '%' || $1) of`, folder).Scan(&half, &most); err != nil {
		return fmt.Errorf("read how soon work began: %w", err)
	}
	f.Add("  accepted -> its process is started, 50 of 100", "s", "", 0, half)
	f.Add("  99 of 100", "s", "", 0, most)
	return nil
}
