package media

import (
	"context"
	"sync"
)

// turns let one at a time work on each path. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when it is free again
}

// enter waits for the turn, or for ctx's end. Who has entered must leave.
func (t *turns) enter(ctx context.Context, path string) (leave func(), err error) {
	for {
		t.mu.Lock()
		free, taken := t.taken[path]
		if !taken {
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			free = make(chan struct{})
			t.taken[path] = free
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.taken, path)
				close(free)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
