package db

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db/convoy"
)

const (
	// sharedMost share a commit: each waits for the statements of all, with its locks, and with more
	// nothing more is gained.
	sharedMost = 8
	// sharedWithin bounds a shared transaction, in which nothing waits long for a lock.
	sharedWithin = 5 * time.Second
	// impatientBegin and impatiently: who waits for a lock for longer than others have patience
	// with him goes alone.
	impatientBegin = "BEGIN; SET LOCAL lock_timeout = '100ms'"
	impatiently    = "SELECT set_config('lock_timeout', '100ms', true)"
)

// Shared has transactions on one pool that come at once share a commit ([convoy.Convoy]). Where
// one of them fails, or waits for a lock, nothing of them is kept and each goes alone. The zero
// value is ready.
type Shared struct {
	once   sync.Once
	convoy convoy.Convoy[*shared]
}

// shared is one of those that share.
type shared struct {
	ctx context.Context //nolint:containedctx // what f finds in it is its own
	on  *pgxpool.Pool
	key uuid.UUID
	f   func(ctx context.Context, tx pgx.Tx) error
	// one is f where it is one statement, which alone needs no transaction around it.
	one func(ctx context.Context, on Queryer) error
}

// InTx is [InTx]: committed when it returns nil, else f's error as it is. key is whose rows f
// changes first: those that share do so in the order of their keys, on all hosts, so that they
// don't wait for each other. f may run several times, though never at once with itself, so all
// its effects belong in tx; it is to ask by the context that it is given.
func (s *Shared) InTx(ctx context.Context, on *pgxpool.Pool, key uuid.UUID, f func(ctx context.Context, tx pgx.Tx) error) error {
	s.once.Do(s.prepare)
	return s.convoy.Do(ctx, &shared{ctx: ctx, on: on, key: key, f: f})
}

// Exec is InTx of an f that is one statement.
func (s *Shared) Exec(ctx context.Context, on *pgxpool.Pool, key uuid.UUID, f func(ctx context.Context, on Queryer) error) error {
	s.once.Do(s.prepare)
	return s.convoy.Do(ctx, &shared{ctx: ctx, on: on, key: key, f: func(ctx context.Context, tx pgx.Tx) error { return f(ctx, tx) }, one: f})
}

func (s *Shared) prepare() {
	s.convoy.Together, s.convoy.Most, s.convoy.Within = together, sharedMost, sharedWithin
}

func together(ctx context.Context, all []*shared) error {
	first := all[0]
	if len(all) == 1 && first.one != nil {
		return first.one(ctx, first.on)
	}
	if len(all) == 1 {
		return InTx(ctx, first.on, func(tx pgx.Tx) error { return first.f(ctx, tx) })
	}
	slices.SortStableFunc(all, func(a, b *shared) int { return order(a.key, b.key) })
	return pgx.BeginTxFunc(ctx, first.on, pgx.TxOptions{BeginQuery: impatientBegin}, func(tx pgx.Tx) error {
		for _, each := range all {
			if err := each.run(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Impatient is for one statement that several go together in, as a transaction of its own in one
// round trip: it waits a tenth of a second for a lock, as what can't be had at once is to be had
// alone.
func Impatient(on *pgxpool.Pool) *Pipeline {
	return behind(on, impatiently)
}

// run has f end with the shared transaction, and not with its caller's context, of which it
// has all that is in it.
func (s *shared) run(ctx context.Context, tx pgx.Tx) error {
	own, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	return s.f(own, tx)
}

// usageParts are those of a tenant's counters of a day (weir.usage): the end of a transcode
// changes the one that its id's last byte says, within the commit.
const usageParts = 8

// order is that of the rows that are changed: of all that end at once, counters too.
func order(a, b uuid.UUID) int {
	last := len(a) - 1
	return cmp.Or(cmp.Compare(a[last]%usageParts, b[last]%usageParts), bytes.Compare(a[:], b[:]))
}
