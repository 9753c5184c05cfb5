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

	// turnAfter is the least wait of a delivery that was turned away; those to a receiver
	// that answers come again soon after, those to a silent one over a while, so that a
	// thousand of them don't come again each second.
	turnAfter       = time.Second
	turnWithin      = time.Second
	turnWithinQuiet = 30 * time.Second

	// gateKept bounds what is remembered of silent receivers.
	gateKept = 10_000
)

// gate bounds how many deliveries go to one receiver at once, so that one that hangs
// leaves workers for all others. What is turned away holds none. It remembers nothing
// that matters: a new one learns in a moment.
type gate struct {
	mu    sync.Mutex
	doors map[string]*door
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

// enter lets a delivery to receiver through, or says how long to wait. Who was let
// through calls leave.
func (g *gate) enter(receiver string) (leave func(heard), wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.doors[receiver]
	if d == nil {
		d = &door{most: gateFirst}
		if g.doors == nil {
			g.doors = map[string]*door{}
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
	return func(of heard) { g.leave(receiver, d, of) }, 0
}

func (g *gate) leave(receiver string, d *door, of heard) {
	g.mu.Lock()
	defer g.mu.Unlock()
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
