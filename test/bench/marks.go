package main

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// event is what is marked of a lifecycle.
type event int

const (
	markPosted  event = iota // its request is sent
	markTaken                // its request is answered
	markStarted              // its process starts
	markPushed               // its last push has written its file
	markTold                 // its callback is there
	markCount
)

// course is when each was.
type course [markCount]time.Time

// marks are the courses of lifecycles, by what only they know of each other: a transcode's id.
type marks struct {
	mu       sync.Mutex
	courses  map[uuid.UUID]*course
	triggers []time.Duration
	// off: nobody takes them, so nothing is marked.
	off bool
}

func (m *marks) mark(id uuid.UUID, of event) { m.markAt(id, of, time.Now()) }

func (m *marks) markAt(id uuid.UUID, of event, at time.Time) {
	if m.off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.courses == nil {
		m.courses = map[uuid.UUID]*course{}
	}
	c := m.courses[id]
	if c == nil {
		c = &course{}
		m.courses[id] = c
	}
	if c[of].IsZero() {
		c[of] = at
	}
}

// trigger marks how long the answer to a trigger took.
func (m *marks) trigger(took time.Duration) {
	if m.off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.triggers = append(m.triggers, took)
}

// take gives what was marked, and begins anew.
func (m *marks) take() (courses map[uuid.UUID]*course, triggers []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	courses, triggers = m.courses, m.triggers
	m.courses, m.triggers = nil, nil
	return courses, triggers
}

// spans are the times between things that follow each other, of all lifecycles that have both.
type spans struct{ accepted, started, told, triggers []time.Duration }

// spans takes what was marked.
func (m *marks) spans() (s spans) {
	courses, triggers := m.take()
	between := func(from, to event) (all []time.Duration) {
		for _, c := range courses {
			if !c[from].IsZero() && !c[to].IsZero() {
				// What is done before the answer is read took no time.
				all = append(all, max(0, c[to].Sub(c[from])))
			}
		}
		return all
	}
	return spans{between(markPosted, markTaken), between(markTaken, markStarted), between(markPushed, markTold), triggers}
}

// join puts those of another time to them.
func (s *spans) join(other spans) {
	s.accepted = append(s.accepted, other.accepted...)
	s.started = append(s.started, other.started...)
	s.told = append(s.told, other.told...)
	s.triggers = append(s.triggers, other.triggers...)
}

// share is what so many of a hundred are within, in seconds.
func share(took []time.Duration, of int) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*of/100, len(sorted)-1)].Seconds() //nolint:mnd // of a hundred
}

// tellMarks tells how soon things followed each other while the load was on: what waits for a
// processor is in it.
func (b *bench) tellMarks(m *marks) {
	took := m.spans()
	for _, s := range []struct {
		name string
		took []time.Duration
	}{
		{"a request is answered", took.accepted}, {"accepted -> process started", took.started},
		{"a trigger is answered", took.triggers}, {"last push over -> callback there", took.told},
	} {
		if len(s.took) > 0 {
			b.add("  "+s.name+", 50 of 100", "s", "", 0, share(s.took, 50)) //nolint:mnd // the half
			b.add("  "+s.name+", 99 of 100", "s", "", 0, share(s.took, 99)) //nolint:mnd // all but the slowest
		}
	}
}
