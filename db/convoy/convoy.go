// Package convoy has what comes at once go together: in one statement, in one transaction, in
// one commit. Whoever comes alone goes alone, at once; those that come while one is at work
// wait for it, and then go together. No clock holds anybody up, so it costs nothing where
// little comes, and the more comes the more go together.
package convoy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// defaultMost go together: a commit is shared by enough of them by far.
	defaultMost = 64
	// defaultWithin bounds what goes together, of which no caller's end is another's.
	defaultWithin = 5 * time.Second
	// defaultPatience is how long those that wait are patient with who is at work: a commit
	// takes a hundredth of it, so who takes longer waits for something that is his own.
	defaultPatience = 100 * time.Millisecond
)

// Convoy is where things of one kind come together. Its fields are not changed once it is used;
// it may be used by many at once, and not be copied.
type Convoy[T any] struct {
	// Together does all that it is given, or nothing of it: one that goes alone too. An error,
	// or a panic, has each of several go alone then, as what came of them may be unknown (a
	// connection that was lost behind a commit), each must bear to be done again. It runs at
	// once with itself where somebody went alone for that, or for long.
	Together func(ctx context.Context, all []T) error
	// Most go together; 0: 64.
	Most int
	// Within is how long several may take; 0: 5 s.
	Within time.Duration
	// Patience is how long those that wait do so for who is at work, before they go past him;
	// 0: 100 ms.
	Patience time.Duration

	mu      sync.Mutex
	atWork  bool
	waiting []*passenger[T]
}

// passenger is one on its way.
type passenger[T any] struct {
	item T
	turn chan turn // is told once what comes of its wait
}

// turn is what comes of waiting.
type turn int

const (
	left  turn = iota // it waited no longer
	done              // it is done, with others
	alone             // it goes alone
	leads             // it takes those along that wait
)

// Do has item done: with a nil error it is. Else nothing of it is, and the error is Together's
// of it alone, or why ctx ended while it waited for its turn. Once it goes with others ctx ends
// it no more, as it would end theirs; Do returns when item is in nobody's hand any more.
func (c *Convoy[T]) Do(ctx context.Context, item T) error {
	p := &passenger[T]{item: item, turn: make(chan turn, 1)}
	if c.comes(p) {
		defer c.begin()()
		return c.Together(ctx, []T{item})
	}
	switch c.await(ctx, p) {
	case done:
		return nil
	case alone:
		return c.Together(ctx, []T{item})
	case leads:
		return c.lead(ctx, p)
	default:
		return context.Cause(ctx)
	}
}

// comes says whether nobody is at work; else p waits.
func (c *Convoy[T]) comes(p *passenger[T]) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = !c.atWork
	if first {
		c.atWork = true
	} else {
		c.waiting = append(c.waiting, p)
	}
	return first
}

// await waits for p's turn.
func (c *Convoy[T]) await(ctx context.Context, p *passenger[T]) turn {
	select {
	case is := <-p.turn:
		return is
	case <-ctx.Done():
	}
	c.mu.Lock()
	at := slices.Index(c.waiting, p)
	if at >= 0 {
		c.waiting = slices.Delete(c.waiting, at, at+1)
	}
	c.mu.Unlock()
	if at >= 0 {
		return left
	}
	return <-p.turn // it is on its way
}

// begin is called by who is at work, and end by who was: those that wait then go, unless they
// have lost their patience before.
func (c *Convoy[T]) begin() (end func()) {
	late := time.AfterFunc(or(c.Patience, defaultPatience), c.next)
	return func() {
		if late.Stop() {
			c.next()
		}
	}
}

// next has the first of those that wait take the others along.
func (c *Convoy[T]) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atWork = len(c.waiting) > 0; c.atWork {
		leader := c.waiting[0]
		c.waiting = slices.Delete(c.waiting, 0, 1)
		leader.turn <- leads
	}
}

// lead takes those along that wait.
func (c *Convoy[T]) lead(ctx context.Context, p *passenger[T]) error {
	end := c.begin()
	others := c.board()
	if len(others) == 0 {
		defer end()
		return c.Together(ctx, []T{p.item})
	}
	if c.share(ctx, p, others, end) {
		return nil
	}
	return c.Together(ctx, []T{p.item})
}

// share says whether all went well, and tells the others.
func (c *Convoy[T]) share(ctx context.Context, p *passenger[T], others []*passenger[T], end func()) bool {
	is := alone
	defer func() {
		end()
		for _, other := range others {
			other.turn <- is
		}
	}()
	all := []T{p.item}
	for _, other := range others {
		all = append(all, other.item)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), or(c.Within, defaultWithin))
	defer cancel()
	if err := c.try(ctx, all); err == nil {
		is = done
	}
	return is == done
}

// try is Together, in which a panic is an error: it comes again where its item goes alone.
func (c *Convoy[T]) try(ctx context.Context, all []T) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return c.Together(ctx, all)
}

// board takes those off that wait, as many as may go together with one more.
func (c *Convoy[T]) board() []*passenger[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	with := min(len(c.waiting), or(c.Most, defaultMost)-1)
	others := slices.Clone(c.waiting[:with])
	c.waiting = slices.Delete(c.waiting, 0, with)
	return others
}

// or is is, or what it is by default.
func or[N ~int | ~int64](is, byDefault N) N {
	if is == 0 {
		return byDefault
	}
	return is
}
