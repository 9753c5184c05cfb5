package login

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

const (
	// triesAtOnce and triesAMinute are what one address has: a person who mistypes, not a program.
	triesAtOnce, triesAMinute = 10, 10
	// hashesAtOnce bounds what guessing costs the daemon's other work.
	hashesAtOnce = 2
	// addressesMost bounds what is remembered; forgetting all of it gives each its tries again.
	addressesMost  = 10_000
	secondsAMinute = 60
	// networkBits of an address of version 6 are one caller's.
	networkBits = 64
)

// Throttle bounds how often somebody may try to log in. All of it may be forgotten.
type Throttle struct {
	mu     sync.Mutex
	of     map[netip.Addr]*rate.Limiter
	hashes chan struct{}
}

// NewThrottle makes one.
func NewThrottle() *Throttle {
	return &Throttle{of: map[netip.Addr]*rate.Limiter{}, hashes: make(chan struct{}, hashesAtOnce)}
}

// Allow says whether an address may try once more.
func (t *Throttle) Allow(from netip.Addr) bool {
	if from.Is6() {
		if network, err := from.Prefix(networkBits); err == nil {
			from = network.Addr()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter := t.of[from]
	if limiter == nil {
		if len(t.of) >= addressesMost {
			clear(t.of)
		}
		limiter = rate.NewLimiter(rate.Limit(float64(triesAMinute)/secondsAMinute), triesAtOnce)
		t.of[from] = limiter
	}
	return limiter.Allow()
}

// Enter waits for a place to hash in, until leave.
func (t *Throttle) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case t.hashes <- struct{}{}:
		return func() { <-t.hashes }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
