package host

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"weir/jobs"
)

// lease is how long this host is surely taken for alive, by its own clock from
// before the renewal was sent: the database's can only end later.
type lease struct {
	mu sync.Mutex
	// base is what held is made from: it ends with nothing.
	base context.Context
	// held ends leaseMargin before the lease does; a renewal behind that makes a new one.
	held context.Context
	end  context.CancelFunc
	last time.Time
}

// begin makes a lease that has ended.
func (l *lease) begin(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base = context.WithoutCancel(ctx)
	l.held, l.end = context.WithCancel(l.base)
	l.end()
}

// renewed extends the lease, which was asked for at that time.
func (l *lease) renewed(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.base == nil {
		return // a host that was not booted
	}
	l.last = asked
	if l.held.Err() != nil {
		l.held, l.end = context.WithCancel(l.base)
	}
	time.AfterFunc(time.Until(asked.Add(jobs.LeaseLength-leaseMargin)), func() { l.expire(asked) })
}

// since is how long ago the last renewal was sent.
func (l *lease) since() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		return 0
	}
	return time.Since(l.last)
}

// expire ends the lease unless it was renewed since.
func (l *lease) expire(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Equal(asked) {
		l.end()
	}
}

// ending says whether what runs here must be let go.
func (l *lease) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held != nil && l.held.Err() != nil
}

// within returns a context that ends with ctx, and with the lease: what waits for an
// answer must not outlast it.
func (l *lease) within(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	if l.held == nil {
		return ctx, cancel
	}
	stop := context.AfterFunc(l.held, cancel)
	return ctx, func() { stop(); cancel() }
}

// clock is the database's, which all rows are dated by: this host's own may be wrong,
// and may jump.
type clock struct{ told atomic.Pointer[telling] }

// telling is what the database said when.
type telling struct{ database, here time.Time }

// set learns the database's time, as it was asked for.
func (c *clock) set(database, asked time.Time) { c.told.Store(&telling{database, asked}) }

// now counts on from the last telling, by the machine's ticks; this host's own time
// while there was none.
func (c *clock) now() time.Time {
	told := c.told.Load()
	if told == nil {
		return time.Now()
	}
	return told.database.Add(time.Since(told.here))
}
