package tenants

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
)

const (
	// countAgain is how old a count may be; fullAgain, how old one that found no room.
	countAgain = 10 * time.Second
	fullAgain  = time.Second
	// Of the room that a count found a daemon fills a quarter before it counts again, so
	// that four of them don't go beyond it together; but at least a thousandth of the limit,
	// or near it each request would count the whole queue.
	roomPart, limitPart = 4, 1000
)

// Limits keep tenants' queues from growing beyond their limits, and count seldom. What they
// remember may be forgotten. The zero value is ready.
type Limits struct {
	mu sync.Mutex
	of map[string]*limit
}

type limit struct {
	mu    sync.Mutex
	at    time.Time
	most  int64
	left  int64 // accepted without another count
	stale time.Duration
}

// Admit says whether one more of a tenant may wait, and how many may.
func (l *Limits) Admit(ctx context.Context, on dbsqlc.DBTX, tenant string) (most int64, ok bool, err error) {
	t := l.tenant(tenant)
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) > t.stale || t.left == 0 && t.stale == countAgain {
		if err := t.count(ctx, on, tenant); err != nil {
			return 0, false, fmt.Errorf("count what %s has queued: %w", tenant, err)
		}
	}
	if t.left == 0 {
		return t.most, false, nil
	}
	t.left--
	return t.most, true, nil
}

func (l *Limits) tenant(name string) *limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]*limit{}
	}
	if l.of[name] == nil {
		l.of[name] = &limit{}
	}
	return l.of[name]
}

func (l *limit) count(ctx context.Context, on dbsqlc.DBTX, tenant string) error {
	q := dbsqlc.New()
	row, err := q.TenantGet(ctx, on, tenant)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	l.most = DefaultQueuedMost
	if row.QueuedMost != nil {
		l.most = int64(*row.QueuedMost)
	}
	queued, err := q.TranscodeCountQueued(ctx, on, dbsqlc.TranscodeCountQueuedParams{Tenant: tenant, PageSize: int32(l.most)})
	if err != nil {
		return err
	}
	l.at, l.left, l.stale = time.Now(), 0, fullAgain
	if room := l.most - queued; room > 0 {
		l.left, l.stale = max(room/roomPart, l.most/limitPart, 1), countAgain
	}
	return nil
}
