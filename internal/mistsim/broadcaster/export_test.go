package broadcaster

// Size is for tests.
var Size = size

// Places is how many frames fill the grid of a profile.
func Places(p *Profile, times []int64, last int64) (int64, bool) {
	g, _ := p.grid()
	return g.frames(times, last)
}

// InFlight is how many segments of a manifest are, and how many of them wait.
func (b *Broadcaster) InFlight(id string) (sent, waiting int) {
	b.gateway.mu.Lock()
	defer b.gateway.mu.Unlock()
	m := b.gateway.manifests[id]
	if m == nil {
		return 0, 0
	}
	return len(m.inFlight), m.queued
}
