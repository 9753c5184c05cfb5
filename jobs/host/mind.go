package host

import (
	"context"
	"sync"
	"time"
)

const (
	// greeting is two answers.
	greeting = 2 * mistAnswers
	// firstGreeting: a daemon does not wait for its Mist, and one that is well answers in
	// milliseconds.
	firstGreeting = time.Second
)

// mind is how this host's Mist is. It gates placement and, where it stays silent, the
// attempts that run; the lease is the daemon's own.
type mind struct {
	mu   sync.Mutex
	last health
	news chan struct{}
}

type health struct {
	answers      bool
	version, iid string
}

// is how Mist was when it was greeted last.
func (m *mind) is() health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// set learns how Mist is, and says whether that is new.
func (m *mind) set(is health) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := is.answers != m.last.answers
	m.last = is
	if changed && m.news != nil {
		close(m.news)
		m.news = nil
	}
	return changed
}

// changed ends when Mist falls silent, or answers again.
func (m *mind) changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.news == nil {
		m.news = make(chan struct{})
	}
	return m.news
}

// greet asks Mist who it is, and registers the triggers. That is idempotent and reads
// first: it mends what a restarted or reconfigured controller lost.
func (h *Host) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	was := h.mind.is()
	info, err := h.Engine.Info(ctx)
	registered := false
	if err == nil {
		registered, err = h.Engine.Listen(ctx, h.TriggerURL)
	}
	if err != nil {
		was.answers = false
		if h.mind.set(was) || was.version == "" {
			h.Log.WarnContext(ctx, "waiting for MistServer: nothing is placed here until it answers", "host", h.ID, "error", err)
		}
		return err
	}
	if registered && was.version != "" {
		h.Log.WarnContext(ctx, "triggers registered again", "host", h.ID, "iid", info.IID)
	}
	if h.mind.set(health{answers: true, version: info.Version, iid: info.IID}) && was.version != "" {
		h.Log.InfoContext(ctx, "Mist answers again", "host", h.ID, "iid", info.IID)
	}
	return nil
}
