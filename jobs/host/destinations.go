package host

import (
	"fmt"
	"sync"
	"time"

	"weir/jobs"
)

const (
	// storesSpare is how many times over there are workers for the stores that one
	// destination may have at once: behind one that stalls there is room for others.
	storesSpare = 2
	// tenantSpare is how many more than one destination may have a tenant may have at once:
	// behind one that stalls its others go on.
	tenantSpare = 1
	// lastPart of the workers are for tenants that hold none: behind several whose buckets
	// stall there is room for the next.
	lastPart = 8
	// turnEvery is the distance at which stores that wait for their turn come back: one
	// wait after the other, so that a thousand of them cost no more than a few.
	turnEvery = 250 * time.Millisecond
	// mostAway bounds what is remembered: requests name the servers. Forgetting all of it
	// costs each a try.
	mostAway = 10_000
)

// destinations are the buckets that this host's stores upload to. No one of them, and no
// tenant with several of them, gets all the workers; those that are away get one each, and together no more than one that is
// well. All of it may be forgotten.
type destinations struct {
	mu   sync.Mutex
	busy map[string]int
	// of is how many each tenant has, over all of its destinations; all is the sum.
	of  map[string]int
	all int
	// gone are those that are away.
	gone map[string]absence
	// turns is when the last of those that wait comes back.
	turns map[string]time.Time
}

// absence is since when a destination was found away, and why the last time.
type absence struct {
	since time.Time
	why   *jobs.Failure
}

// turned is a store that has to wait without a worker.
type turned struct {
	until time.Duration
	// away is why its destination is away; nil: it is only busy.
	away *jobs.Failure
}

func (t *turned) Error() string { return fmt.Sprintf("its turn is in %s", t.until) }

// enter takes a place at a tenant's destination that most stores may use at once, until
// leave.
func (d *destinations) enter(tenant, name string, most int) (leave func(), wait *turned) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		d.busy, d.of, d.turns = map[string]int{}, map[string]int{}, map[string]time.Time{}
	}
	if away, is := d.gone[name]; is {
		held := 0
		for other := range d.gone {
			held += d.busy[other]
		}
		if d.busy[name] > 0 || held >= most {
			// A moment where it has been away for a moment.
			until := min(max(time.Since(away.since), storeRetryMin), storeRetryMax)
			return nil, &turned{until: until, away: away.why}
		}
	}
	if d.busy[name] >= most {
		return nil, &turned{until: d.turn(name)}
	}
	workers := storesSpare * most
	if held := d.of[tenant]; held >= most+tenantSpare || held > 0 && d.all >= workers-max(workers/lastPart, 1) {
		return nil, &turned{until: d.turn(ofTenant + tenant)}
	}
	d.busy[name]++
	d.of[tenant]++
	d.all++
	return func() { d.leave(tenant, name) }, nil
}

// ofTenant begins the turns of a tenant's, which no destination's name does.
const ofTenant = "tenant "

func (d *destinations) turn(name string) time.Duration {
	now := time.Now()
	next := d.turns[name]
	if next.Before(now) {
		next = now
	}
	if longest := now.Add(storeRetryMax); next.Before(longest) {
		next = next.Add(turnEvery)
	}
	d.turns[name] = next
	return next.Sub(now)
}

func (d *destinations) leave(tenant, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.of[tenant]--; d.of[tenant] <= 0 {
		delete(d.of, tenant)
		delete(d.turns, ofTenant+tenant)
	}
	if d.busy[name]--; d.busy[name] <= 0 {
		delete(d.busy, name)
		delete(d.turns, name)
	}
}

// away remembers that a destination did not answer.
func (d *destinations) away(name string, why *jobs.Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone == nil || len(d.gone) >= mostAway {
		d.gone = map[string]absence{}
	}
	was, is := d.gone[name]
	if !is {
		was.since = time.Now()
	}
	d.gone[name] = absence{was.since, why}
}

// back remembers that it does again.
func (d *destinations) back(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.gone, name)
}
