package thousand

import (
	"context"
	"fmt"
	"time"
)

const (
	goalCore        = 0.5
	goalConnections = 300
)

// large is the fleet that polls.
func (f *fleet) large(ctx context.Context, n int) error {
	began := time.Now()
	var of []*hostProcess
	defer func() {
		for _, p := range of {
			p.kill()
		}
	}()
	each := min(hostsEach, (n+1)/2) //nolint:mnd // some are left where one process dies
	for i := 0; i < n; i += each {
		p, err := f.startHosts(ctx, i, min(each, n-i), true)
		if err != nil {
			return err
		}
		of = append(of, p)
		f.processes = of
	}
	f.Add(fmt.Sprintf("%d hosts that poll: all have booted", n), "s", "", 0, time.Since(began).Seconds())
	var keeps float64
	if f.keeps {
		keeps = 1
	}
	f.Add("  PgBouncer keeps prepared statements (0: not, 1: it does)", "", "", 0, keeps)
	idle, err := f.idle(ctx, n, idleEach)
	if err != nil {
		return err
	}
	first, last := idle[0], idle[rounds]
	f.Add(fmt.Sprintf("%d idle hosts: Postgres and PgBouncer, of a core", n), "", fmt.Sprintf("under %g", goalCore), goalCore, between(idle, spent.cores)...).WholeOnly()
	f.Add("  of it PgBouncer", "", "", 0, between(idle, spent.poolerShare)...)
	f.Add("  connections to Postgres", "", fmt.Sprintf("under %d", goalConnections), goalConnections,
		between(idle, func(to, _ spent) float64 { return float64(to.connections) })...).WholeOnly()
	f.Add("  statements a second", "1/s", "", 0, between(idle, spent.rate)...)
	f.Add("  processor of each host itself, a second", "ms", "", 0,
		between(idle, func(to, from spent) float64 {
			return milli((to.daemons - from.daemons).Seconds() / to.seconds(from) / float64(n))
		})...)
	if err := f.memory(of); err != nil {
		return err
	}
	if err := f.statements(ctx, last.seconds(first)); err != nil {
		return err
	}
	return f.strain(ctx, of, n)
}

// strain is what happens to a fleet.
func (f *fleet) strain(ctx context.Context, of []*hostProcess, n int) error {
	for _, part := range []func() error{
		func() error { return f.bursts(ctx, n) },
		func() error { return f.deaths(ctx, of, n) },
		func() error { return f.steady(ctx) },
		func() error { return f.restart(ctx, n-len(of[len(of)-1].hosts)) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}
