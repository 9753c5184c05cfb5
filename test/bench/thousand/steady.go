package thousand

import (
	"context"
	"fmt"
	"time"
)

const (
	// steadyRate requests come each second for steadyFor.
	steadyRate = 50
	steadyFor  = time.Minute
	// goalSteady is what ends of what comes, and goalDrained how soon the last of it has.
	goalSteady  = 0.98
	goalDrained = 10 * time.Second
)

// steady is a stream of whole lifecycles.
func (f *fleet) steady(ctx context.Context) error {
	if err := f.countAnew(ctx); err != nil {
		return err
	}
	from, err := f.spent(ctx)
	if err != nil {
		return err
	}
	if err := f.stream(ctx, "steady/", steadyRate, steadyFor); err != nil {
		return err
	}
	to, err := f.spent(ctx)
	if err != nil {
		return err
	}
	var ended float64
	if err := f.pool.QueryRow(ctx, `SELECT count(*)::float8 / $1 FROM weir.transcodes WHERE finished_at > now() - make_interval(secs => $1::float8)`,
		steadyFor.Seconds()/2).Scan(&ended); err != nil { //nolint:mnd // the later half: it is steady there
		return fmt.Errorf("count what has ended: %w", err)
	}
	rest, err := f.until(ctx, allTold)
	if err != nil {
		return err
	}
	f.AddAbove(fmt.Sprintf("%d lifecycles a second for %s: ended a second", steadyRate, steadyFor), "1/s",
		fmt.Sprintf("%g or more", goalSteady*steadyRate), goalSteady*steadyRate, ended)
	f.Add("  the last request -> all have ended and are called back", "s", "under "+goalDrained.String(), goalDrained.Seconds(), rest.Seconds())
	f.Add("  Postgres and PgBouncer, of a core", "", "", 0, to.cores(from))
	f.Add("  of it PgBouncer", "", "", 0, to.poolerShare(from))
	f.Add("  the hosts, in cores", "", "", 0, (to.daemons-from.daemons).Seconds()/to.seconds(from))
	f.Add("  connections to Postgres", "", "", 0, float64(to.connections))
	if err := f.takenUp(ctx, "steady/"); err != nil {
		return err
	}
	return f.statements(ctx, time.Since(from.at).Seconds())
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
