package thousand

import (
	"context"
	"fmt"
	"time"
)

const goalReaped = 30 * time.Second

// death is how soon the hosts of a process are reaped that is killed with work on each.
func (f *fleet) death(ctx context.Context, dead *hostProcess, n int) error {
	var held int
	if err := f.pool.QueryRow(ctx, `SELECT count(*) FROM weir.transcodes WHERE state = 'running' AND host_id = ANY($1)`, dead.hosts).Scan(&held); err != nil {
		return fmt.Errorf("count what dies: %w", err)
	}
	dead.kill()
	took, err := f.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state IN ('placed', 'running', 'storing') AND host_id = ANY($1))`, dead.hosts)
	if err != nil {
		return err
	}
	f.Add(fmt.Sprintf("%d hosts are killed at once, with %d transcodes: all are taken from them", len(dead.hosts), held), "s",
		"under "+goalReaped.String(), goalReaped.Seconds(), took.Seconds())
	placed, err := f.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`)
	if err != nil {
		return err
	}
	f.Add("  all are placed on others", "s", "under "+goalReaped.String(), goalReaped.Seconds(), (took + placed).Seconds())
	again, err := f.until(ctx, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, n)
	if err != nil {
		return err
	}
	f.Add("  they run there", "s", "", 0, (took + placed + again).Seconds())
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
