package host

import (
	"sync"

	"github.com/google/uuid"
)

// Wakes tells a transcode's supervisor in this process that its rows may have
// changed. A wake that nobody hears costs one poll, never correctness.
type Wakes struct {
	mu       sync.Mutex
	sleepers map[uuid.UUID]chan struct{}
}

// NewWakes returns an empty set.
func NewWakes() *Wakes { return &Wakes{sleepers: map[uuid.UUID]chan struct{}{}} }

// Wake wakes the supervisor of a transcode, if one is here. It never blocks.
func (w *Wakes) Wake(transcode uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.sleepers[transcode] <- struct{}{}:
	default: // nobody sleeps, or is woken already
	}
}

// listen returns the channel of a transcode's wakes, and what ends the listening.
func (w *Wakes) listen(transcode uuid.UUID) (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake := make(chan struct{}, 1)
	w.sleepers[transcode] = wake
	return wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.sleepers[transcode] == wake {
			delete(w.sleepers, transcode)
		}
	}
}
