package thousand

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// counter counts what hosts ask.
type counter struct {
	mu sync.Mutex
	of map[string]*counted
}

func (c *counter) trace(id string) pgx.QueryTracer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[id] = &counted{}
	return c.of[id]
}

func (c *counter) counts() map[string]hostAsked {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]hostAsked{}
	for id, of := range c.of {
		counts[id] = hostAsked{of.all.Load(), of.fetches.Load()}
	}
	return counts
}

// counted is what one host has asked.
type counted struct{ all, fetches atomic.Int64 }

var _ pgx.QueryTracer = (*counted)(nil)

// TraceQueryStart implements pgx.QueryTracer.
func (c *counted) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.all.Add(1)
	if strings.Contains(data.SQL, "JobGetAvailable") {
		c.fetches.Add(1)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*counted) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
