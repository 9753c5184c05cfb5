package free

import "sync"

// Gate holds what is pushed while it is shut: its lifecycles stay at running. A nil one is open.
type Gate struct {
	mu   sync.Mutex
	held chan struct{} // nil: open
}

// Shut shuts it.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

// Open opens it.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

func (g *Gate) isShut() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held != nil
}

// wait waits until it is open.
func (g *Gate) wait() {
	if g == nil {
		return
	}
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		<-held
	}
}
