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
	before, idle, err := f.idle(ctx, n, idleEach)
	if err != nil {
		return err
	}
	f.Add(fmt.Sprintf("%d idle hosts: Postgres and PgBouncer, of a core", n), "", fmt.Sprintf("under %g", goalCore), goalCore, idle.cores(before)).Absolute()
	f.Add("  of it PgBouncer", "", "", 0, idle.poolerShare(before))
	f.Add("  connections to Postgres", "", fmt.Sprintf("under %d", goalConnections), goalConnections, float64(idle.connections)).Absolute()
	f.Add("  statements a second", "1/s", "", 0, idle.rate(before))
	f.Add("  processor of each host itself, a second", "ms", "", 0, milli((idle.daemons-before.daemons).Seconds()/idle.seconds(before)/float64(n)))
	if err := f.memory(of); err != nil {
		return err
	}
	if err := f.statements(ctx, idle.seconds(before)); err != nil {
		return err
	}
	return f.strain(ctx, of, n)
}

// strain is what happens to a fleet.
func (f *fleet) strain(ctx context.Context, of []*hostProcess, n int) error {
	for _, part := range []func() error{
		func() error { return f.burst(ctx, n) },
		func() error { return f.death(ctx, of[len(of)-1], n) },
		func() error { return f.steady(ctx) },
		func() error { return f.restart(ctx, n-len(of[len(of)-1].hosts)) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}
