package broadcaster

import (
	"context"
	"sync"
	"time"
)

const (
	// waiting is how many segments of a manifest an orchestrator keeps waiting
	// while it works on one (go-livepeer, maxSegmentChannels).
	waiting = 4
	// lateness is how many times its own length a segment may be under way before
	// the orchestrator that has it is no longer chosen.
	lateness = 2
)

// gateway keeps the manifests.
type gateway struct {
	cfg *Config

	mu        sync.Mutex
	manifests map[string]*manifest
}

// manifest is a stream of segments. Its profiles are those of its first segment.
type manifest struct {
	gateway  *gateway
	profiles []Profile
	// slot is the one segment that an orchestrator works on.
	slot chan struct{}

	// What follows is the gateway's to lock.
	lastUsed time.Time
	posts    int // being answered; they keep it alive
	// session is set once an orchestrator took the manifest.
	session bool
	// left: the gateway gave the orchestrator up, until all it has is answered.
	left     bool
	inFlight []flight
	queued   int
}

// flight is a segment on its way to an orchestrator and back.
type flight struct {
	began  time.Time
	length time.Duration
}

// enter finds or makes the manifest of a segment; leave must follow. It says no
// if the profiles make no manifest or the gateway is full.
func (g *gateway) enter(id string, profiles []Profile) (*manifest, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Now()
	for name, m := range g.manifests {
		if m.posts == 0 && now.Sub(m.lastUsed) > g.cfg.ManifestLife {
			delete(g.manifests, name)
		}
	}
	m := g.manifests[id]
	if m == nil {
		named, ok := checked(profiles)
		if !ok || len(g.manifests) >= g.cfg.MaxManifests {
			return nil, false
		}
		m = &manifest{gateway: g, profiles: named, slot: make(chan struct{}, 1)}
		g.manifests[id] = m
	}
	m.lastUsed = now
	m.posts++
	return m, true
}

func (m *manifest) leave() {
	m.gateway.mu.Lock()
	defer m.gateway.mu.Unlock()
	m.lastUsed = m.gateway.cfg.Now()
	m.posts--
}

// send says whether there is an orchestrator for a segment of this length; if
// so, land must follow.
func (m *manifest) send(length time.Duration) bool {
	g := m.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	if !m.session {
		m.session = encodable(m.profiles) && g.sessions() < g.cfg.MaxSessions
	}
	now := g.cfg.Now()
	if len(m.inFlight) > 0 {
		oldest := m.inFlight[0]
		m.left = m.left || now.Sub(oldest.began) >= max(lateness*oldest.length, g.cfg.LeastInFlight)
	}
	if !m.session || m.left {
		return false
	}
	m.inFlight = append(m.inFlight, flight{began: now, length: length})
	return true
}

// land takes the oldest segment out of flight, whichever came back.
func (m *manifest) land() {
	m.gateway.mu.Lock()
	defer m.gateway.mu.Unlock()
	m.inFlight = m.inFlight[1:]
	m.left = m.left && len(m.inFlight) > 0
}

// sessions is how many manifests orchestrators have; the gateway is locked.
func (g *gateway) sessions() (n int) {
	for _, m := range g.manifests {
		if m.session {
			n++
		}
	}
	return n
}

// turn waits for the segment's turn; done must follow. It says no where too many
// wait, and then the gateway leaves this orchestrator; or when ctx ends first.
func (m *manifest) turn(ctx context.Context) (done func(), ok bool) {
	if !m.queue() {
		return nil, false
	}
	defer m.unqueue()
	select {
	case m.slot <- struct{}{}:
		return func() { <-m.slot }, true
	case <-ctx.Done():
		return nil, false
	}
}

func (m *manifest) queue() bool {
	m.gateway.mu.Lock()
	defer m.gateway.mu.Unlock()
	if m.queued >= waiting && len(m.slot) > 0 {
		m.left = true
		return false
	}
	m.queued++
	return true
}

func (m *manifest) unqueue() {
	m.gateway.mu.Lock()
	defer m.gateway.mu.Unlock()
	m.queued--
}
