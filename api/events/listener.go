package events

import (
	"sync"

	"github.com/google/uuid"
)

// Scope is what a listener hears of: one transcode, else a tenant's, else everybody's.
type Scope struct {
	Transcode uuid.UUID
	Tenant    string
}

// A Reason is why a stream ends.
type Reason string

// The reasons. All but the first say: come again, from where you are.
const (
	// Ended: the transcode has reached its end.
	Ended Reason = "ended"
	// Slow: more waited for the listener than is kept for one.
	Slow Reason = "slow"
	// Stopping: the daemon stops; another one, or its next boot, goes on.
	Stopping Reason = "stopping"
)

// bufferMost is what may wait for one listener: some two thousand events. Listeners of one
// scope share what they wait for.
const bufferMost = 1 << 20

// A Listener hears what happens in its scope from when it began to listen. It is used by
// one goroutine, and closed by it.
type Listener struct {
	hub   *Hub
	scope Scope
	// whose is the tenant that it is counted for.
	whose string
	// begun is closed once from is known.
	begun chan struct{}
	from  int64

	mu     sync.Mutex
	chunks [][]byte
	size   int
	reason Reason
	news   chan struct{}
}

// From is the id of the event behind which it hears.
func (l *Listener) From() int64 { return l.from }

// News gets a value when there is something to take.
func (l *Listener) News() <-chan struct{} { return l.news }

// Take gives what has come, as it is to be sent, and why nothing more comes.
func (l *Listener) Take() (chunks [][]byte, over Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	chunks, over = l.chunks, l.reason
	l.chunks, l.size = nil, 0
	return chunks, over
}

// push adds a chunk, which nobody changes any more.
func (l *Listener) push(chunk []byte, over Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != "" {
		return
	}
	switch {
	case l.size > bufferMost: // not by the first: how far everything is may be more
		l.chunks, over = nil, Slow // what it has not got it gets when it comes again
	case len(chunk) > 0:
		l.chunks, l.size = append(l.chunks, chunk), l.size+len(chunk)
	}
	l.reason = over
	if len(chunk) == 0 && over == "" {
		return
	}
	select {
	case l.news <- struct{}{}:
	default: // it knows
	}
}

// Close ends it.
func (l *Listener) Close() { l.hub.leave(l) }
