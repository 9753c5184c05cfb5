package thousand

import (
	"context"
	"fmt"
	"time"
)

const (
	// crossIdle, a round, and crossBusy are short: it is six times each.
	crossIdle = 5 * time.Second
	crossBusy = 10 * time.Second
	// crossRate lifecycles come each second.
	crossRate = 10
)

// profile is what fleets of several sizes cost in one profile.
func (f *fleet) profile(ctx context.Context, polls bool, most int) error {
	name := map[bool]string{false: "LISTEN", true: "poll"}[polls]
	var of []*hostProcess
	defer func() {
		for _, p := range of {
			p.kill()
		}
	}()
	hosts := 0
	for _, n := range []int{50, 100, 200} { //nolint:mnd // around where one is to become the cheaper one
		if n > most {
			break
		}
		p, err := f.startHosts(ctx, hosts, n-hosts, polls)
		if err != nil {
			return err
		}
		of, hosts = append(of, p), n
		if err := f.cross(ctx, name, n); err != nil {
			return err
		}
		if n == hostsEach && !polls {
			if err := f.woken(ctx, of, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// cross is one size, idle and at work.
func (f *fleet) cross(ctx context.Context, name string, n int) error {
	at, err := f.idle(ctx, n, crossIdle)
	if err != nil {
		return err
	}
	idle := at[rounds]
	if err := f.stream(ctx, "cross/", crossRate, crossBusy); err != nil {
		return err
	}
	if _, err := f.until(ctx, allEnded); err != nil {
		return err
	}
	busy, err := f.spent(ctx)
	if err != nil {
		return err
	}
	f.Add(fmt.Sprintf("%d hosts, %s: idle, of a core", n, name), "", "", 0, between(at, spent.cores)...)
	f.Add("  statements a second", "1/s", "", 0, between(at, spent.rate)...)
	f.Add("  connections to Postgres", "", "", 0, float64(busy.connections))
	each := (busy.cores(idle) - idle.cores(at[0])) * busy.seconds(idle) / (crossRate * crossBusy.Seconds())
	f.Add(fmt.Sprintf("  at %d lifecycles a second: each, beside what is idle", crossRate), "ms", "", 0, milli(each))
	return f.takenUpSince(ctx, idle.at)
}

// takenUpSince is takenUp of what was accepted since.
func (f *fleet) takenUpSince(ctx context.Context, since time.Time) error {
	var half float64
	if err := f.pool.QueryRow(ctx, `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.started_at - t.created_at))
		FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id WHERE t.created_at > $1`, since).Scan(&half); err != nil {
		return fmt.Errorf("read how soon work began: %w", err)
	}
	f.Add("  accepted -> its process is started, 50 of 100", "s", "", 0, half)
	return nil
}
