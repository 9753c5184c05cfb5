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
}

func (m *marks) mark(id uuid.UUID, of event) { m.markAt(id, of, time.Now()) }

func (m *marks) markAt(id uuid.UUID, of event, at time.Time) {
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

// tellMarks tells how soon things followed each other while the load was on: what waits for a
// processor is in it.
func (b *bench) tellMarks(m *marks) {
	courses, triggers := m.take()
	spans := func(name string, all []time.Duration) {
		if len(all) == 0 {
			return
		}
		slices.Sort(all)
		b.add("  "+name+", 50 of 100", "s", "", 0, all[len(all)/2].Seconds())
		b.add("  "+name+", 99 of 100", "s", "", 0, all[len(all)*99/100].Seconds())
	}
	between := func(from, to event) (all []time.Duration) {
		for _, c := range courses {
			if !c[from].IsZero() && !c[to].IsZero() {
				all = append(all, c[to].Sub(c[from]))
			}
		}
		return all
	}
	spans("a request is answered", between(markPosted, markTaken))
	spans("accepted -> process started", between(markTaken, markStarted))
	spans("a trigger is answered", triggers)
	spans("last push over -> callback there", between(markPushed, markTold))
}
