package control

import (
	"math/rand/v2"
	"sync"
	"time"

	"weir/studio"
)

const (
	// gateFirst is how many deliveries a receiver gets at once that nothing is known of:
	// few beside callbackWorkers, in case it hangs.
	gateFirst = 8
	// gateMost is how many one gets that answers: each answer doubles what it gets.
	gateMost = 64
	// gateSilent is how many one gets that did not answer the last time: one, to see
	// whether it does again.
	gateSilent = 1

	// tenantMost is how many deliveries a tenant has at once, over all of its receivers: as
	// many as one that answers gets.
	tenantMost = gateMost
	// tenantsFirst of all are for anybody; of the rest a tenant gets no more than gateFirst,
	// so that behind several whose receivers hang there is room for the next.
	tenantsFirst = callbackWorkers * 3 / 4

	// turnAfter is the least wait of a delivery that was turned away; those to a receiver
	// that answers come again soon after, those to a silent one over a while, so that a
	// thousand of them don't come again each second.
	turnAfter       = time.Second
	turnWithin      = time.Second
	turnWithinQuiet = 30 * time.Second

	// gateKept bounds what is remembered of silent receivers.
	gateKept = 10_000
)

// gate bounds how many deliveries go to one receiver at once, and how many of one tenant, so
// that one that hangs, or many of one tenant's, leave workers for all others. What is turned away holds none. It remembers nothing
// that matters: a new one learns in a moment.
type gate struct {
	mu    sync.Mutex
	doors map[string]*door
	// of is how many of each tenant are in, all of how many in all.
	of  map[string]int
	all int
}

type door struct{ in, most int }

// heard is what is known of a receiver behind a delivery.
type heard int

const (
	// nothing: it was not asked.
	nothing heard = iota
	answer
	silence
)

func heardOf(result studio.Result) heard {
	if result.Fate == studio.Retry && result.Status == nil {
		return silence
	}
	return answer
}

// enter lets a delivery of tenant to receiver through, or says how long to wait. Who was
// let through calls leave.
func (g *gate) enter(tenant, receiver string) (leave func(heard), wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if held := g.of[tenant]; held >= tenantMost || held >= gateFirst && g.all >= tenantsFirst {
		return nil, turnAfter + rand.N(turnWithin)
	}
	receiver = tenant + " " + receiver // two tenants' on one server are two
	d := g.doors[receiver]
	if d == nil {
		d = &door{most: gateFirst}
		if g.doors == nil {
			g.doors, g.of = map[string]*door{}, map[string]int{}
		}
		g.doors[receiver] = d
	}
	if d.in >= d.most {
		within := turnWithin
		if d.most == gateSilent {
			within = turnWithinQuiet
		}
		return nil, turnAfter + rand.N(within)
	}
	d.in++
	g.of[tenant]++
	g.all++
	return func(of heard) { g.leave(tenant, receiver, d, of) }, 0
}

func (g *gate) leave(tenant, receiver string, d *door, of heard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.of[tenant]--; g.of[tenant] <= 0 {
		delete(g.of, tenant)
	}
	d.in--
	switch of {
	case nothing:
	case answer:
		d.most = min(2*d.most, gateMost) //nolint:mnd // doubles
	case silence:
		d.most = gateSilent
	}
	if d.in == 0 && (d.most != gateSilent || len(g.doors) > gateKept) {
		delete(g.doors, receiver)
	}
}
