package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/test/bench/free"
	"weir/test/bench/report"
)

const (
	// latencyIdle lifecycles go one after the other in a round, idleBetween apart, so that the one
	// before is cleaned up; latencyFor is how long half of the load is offered in one.
	latencyIdle = 100
	idleBetween = 100 * time.Millisecond
	latencyFor  = 10 * time.Second
	// latencyLate bounds what was begun in a load.
	latencyLate = time.Minute
	// latencyHalf and latencyMost of a hundred are told.
	latencyHalf, latencyMost = 50, 99

	goalStartHalf, goalStartMost = 25 * time.Millisecond, 150 * time.Millisecond
	goalToldHalf                 = 50 * time.Millisecond
)

// latency is how soon things follow each other where media and Mist cost nothing.
func (b *bench) latency(ctx context.Context) error {
	if err := b.lifecycleLatency(ctx); err != nil {
		return err
	}
	return b.triggers(ctx)
}

// lifecycleLatency is it of lifecycles: idle, and at half of the rate of them that the fleet carries.
func (b *bench) lifecycleLatency(ctx context.Context) (err error) {
	f, err := startFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(context.WithoutCancel(ctx))) }()
	p, err := f.underLoad(ctx, true)
	if err != nil {
		return err
	}
	rate := report.Median(p.rate) / 2 //nolint:mnd // half
	var idle, half []free.Spans
	for range rounds {
		took, err := f.idle(ctx, latencyIdle)
		if err != nil {
			return err
		}
		idle = append(idle, took)
		if took, err = f.offer(ctx, rate, latencyFor); err != nil {
			return err
		}
		half = append(half, took)
	}
	b.tellSpans("idle", idle)
	b.tellSpans("at half of the rate that is carried", half)
	b.Add("  lifecycles offered", "1/s", "", 0, rate)
	return nil
}

// span is a time that is told of lifecycles, and what is asked of it; 0: nothing.
type span struct {
	name       string
	took       func(*free.Spans) []time.Duration
	half, most time.Duration
}

func spans() []span {
	return []span{
		{"a request is answered within", func(s *free.Spans) []time.Duration { return s.Accepted }, 0, goalAccept},
		{"accepted -> its process starts", func(s *free.Spans) []time.Duration { return s.Started }, goalStartHalf, goalStartMost},
		{"the last push has written its file -> the callback is there", func(s *free.Spans) []time.Duration { return s.Told }, goalToldHalf, 0},
	}
}

// tellSpans tells them beside their goals.
func (b *bench) tellSpans(when string, rounds []free.Spans) {
	for _, s := range spans() {
		b.Add(when+": "+s.name+", 50 of 100", "s", under(s.half), s.half.Seconds(), free.Shares(rounds, s.took, latencyHalf)...)
		b.Add("  99 of 100", "s", under(s.most), s.most.Seconds(), free.Shares(rounds, s.took, latencyMost)...)
	}
}

// under says a goal; 0: there is none.
func under(goal time.Duration) string {
	if goal == 0 {
		return ""
	}
	return "under " + goal.String()
}

// drain waits until nothing is at work.
func (f *fleet) drain(ctx context.Context) error {
	return f.until(ctx, latencyLate, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing'))
		AND NOT EXISTS (SELECT FROM weir.attempts WHERE cleaned_at IS NULL) AND NOT EXISTS (SELECT FROM weir.callbacks WHERE state = 'pending')`)
}

// until looks until a query is true.
func (f *fleet) until(ctx context.Context, limit time.Duration, query string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not true within %s: %s", limit, query))
	defer cancel()
	tick := time.NewTicker(fleetLook)
	defer tick.Stop()
	for {
		var is bool
		if err := f.pool.QueryRow(ctx, query).Scan(&is); err != nil {
			return fmt.Errorf("look for what is at work: %w", errors.Join(err, context.Cause(ctx)))
		}
		if is {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-f.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// idle is how soon things follow each other in lifecycles one after the other.
func (f *fleet) idle(ctx context.Context, lifecycles int) (free.Spans, error) {
	if err := f.drain(ctx); err != nil {
		return free.Spans{}, err
	}
	f.marks.Forget()
	began := time.Now()
	for range lifecycles {
		if err := f.lifecycle(ctx); err != nil {
			return free.Spans{}, err
		}
		select {
		case <-time.After(idleBetween):
		case <-ctx.Done():
			return free.Spans{}, context.Cause(ctx)
		}
	}
	return f.marks.Spans(began, time.Now()), nil
}

// offer begins so many lifecycles a second at even times, whatever becomes of them, and waits
// for their ends.
func (f *fleet) offer(ctx context.Context, rate float64, lasting time.Duration) (free.Spans, error) {
	if err := f.drain(ctx); err != nil {
		return free.Spans{}, err
	}
	f.marks.Forget()
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, lasting+latencyLate, errors.New("half of the rate is more than is carried: the machine is too busy"))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	err := evenly(ctx, rate, int(rate*lasting.Seconds()), func(int, time.Time) {
		group.Go(func() error { return f.lifecycle(ctx) })
	})
	err = errors.Join(err, group.Wait())
	return f.marks.Spans(began, time.Now()), err
}

// evenly does something so many times, at even times, so often a second.
func evenly(ctx context.Context, rate float64, times int, do func(i int, due time.Time)) error {
	began := time.Now()
	for i := range times {
		due := began.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
			do(i, due)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// hold begins so many lifecycles that stay at running until the gate is opened.
func (f *fleet) hold(ctx context.Context, lifecycles int) error {
	if err := f.drain(ctx); err != nil {
		return err
	}
	if err := f.shut(ctx); err != nil {
		return err
	}
	for range lifecycles {
		if _, err := f.begin(ctx); err != nil {
			return err
		}
	}
	return f.until(ctx, latencyLate, fmt.Sprintf("SELECT count(*) = %d FROM weir.renditions WHERE state = 'pushing'", lifecycles*len(ladder())))
}

// tellMarks tells how soon things followed each other while the load was on: what waits for a
// processor is in it.
func (b *bench) tellMarks(rounds []free.Spans) {
	of := append(spans(), span{name: "a trigger is answered within", took: func(s *free.Spans) []time.Duration { return s.Triggers }})
	for _, s := range of {
		b.Add("  "+s.name+", 50 of 100", "s", "", 0, free.Shares(rounds, s.took, latencyHalf)...)
		b.Add("  "+s.name+", 99 of 100", "s", "", 0, free.Shares(rounds, s.took, latencyMost)...)
	}
}
