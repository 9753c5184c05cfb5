package thousand

import (
	"context"
	"fmt"
	"time"
)

const goalReaped = 30 * time.Second

// deaths are how soon the hosts of a process are reaped that is killed with work on each, one
// process after the other. The last one stays dead; then all is let go.
func (f *fleet) deaths(ctx context.Context, of []*hostProcess, n int) error {
	var held, took, placed, again []float64
	hosts := 0
	for round := range rounds {
		i := (len(of)*rounds - rounds + round) % len(of) // the last one at last
		d, err := f.death(ctx, of[i], n)
		if err != nil {
			return err
		}
		held, took = append(held, d.held), append(took, d.took.Seconds())
		placed, again = append(placed, d.placed.Seconds()), append(again, d.again.Seconds())
		hosts = len(of[i].hosts)
		if round == rounds-1 {
			break
		}
		if of[i], err = f.startHosts(ctx, of[i].first, hosts, true); err != nil {
			return err
		}
	}
	f.Add(fmt.Sprintf("%d hosts are killed at once: transcodes on them", hosts), "", "", 0, held...)
	f.Add("  all are taken from them", "s", "under "+goalReaped.String(), goalReaped.Seconds(), took...)
	f.Add("  all are placed on others", "s", "under "+goalReaped.String(), goalReaped.Seconds(), placed...)
	f.Add("  they run there", "s", "", 0, again...)
	opening, stop := context.WithCancel(ctx)
	defer stop()
	go f.open(opening)
	rest, err := f.until(ctx, allTold)
	if err != nil {
		return err
	}
	f.Add(fmt.Sprintf("  the sources of all %d are there, %d a second: all have ended and are called back", n, gateRate), "s", "", 0, rest.Seconds())
	return nil
}

// death is what one was: the transcodes on its hosts, and how long behind it they were taken from
// them, placed on others, and ran there.
type death struct {
	held                float64
	took, placed, again time.Duration
}

func (f *fleet) death(ctx context.Context, dead *hostProcess, n int) (d death, err error) {
	if err := f.pool.QueryRow(ctx, `SELECT count(*) FROM weir.transcodes WHERE state = 'running' AND host_id = ANY($1)`, dead.hosts).Scan(&d.held); err != nil {
		return d, fmt.Errorf("count what dies: %w", err)
	}
	began := time.Now()
	dead.kill()
	for _, step := range []struct {
		at    *time.Duration
		query string
		args  []any
	}{
		{&d.took, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state IN ('placed', 'running', 'storing') AND host_id = ANY($1))`, []any{dead.hosts}},
		{&d.placed, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`, nil},
		{&d.again, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, []any{n}},
	} {
		if _, err := f.until(ctx, step.query, step.args...); err != nil {
			return d, err
		}
		*step.at = time.Since(began)
	}
	return d, nil
}

// gateRate sources a second are what two cores carry that all hosts share: of more at once most
// attempts make no progress, and are begun again minutes later.
const gateRate = 10

// open lets sources be there one by one until ctx ends.
func (f *fleet) open(ctx context.Context) {
	tick := time.NewTicker(time.Second / gateRate)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		select {
		case f.gate <- struct{}{}:
		case <-ctx.Done():
		}
	}
}
