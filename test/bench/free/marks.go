package free

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Event is what is marked of a lifecycle.
type Event int

// What is marked.
const (
	Posted  Event = iota // its request is sent
	Taken                // its request is answered
	Started              // its process starts
	Pushed               // its last push has written its file
	Told                 // its callback is there
	count
)

// course is when each was.
type course [count]time.Time

// Marks are the courses of lifecycles, by what only they know of each other: a transcode's id.
type Marks struct {
	mu       sync.Mutex
	courses  map[uuid.UUID]*course
	triggers []time.Duration
	// Off: nobody takes them, so nothing is marked.
	Off bool
}

// Mark marks that a transcode has come to it.
func (m *Marks) Mark(id uuid.UUID, of Event) { m.MarkAt(id, of, time.Now()) }

// MarkAt is Mark for what was a moment ago.
func (m *Marks) MarkAt(id uuid.UUID, of Event, at time.Time) {
	if m == nil || m.Off {
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
func (m *Marks) trigger(took time.Duration) {
	if m == nil || m.Off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.triggers = append(m.triggers, took)
}

// Take gives what was marked, and begins anew.
func (m *Marks) Take() (courses map[uuid.UUID]*course, triggers []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	courses, triggers = m.courses, m.triggers
	m.courses, m.triggers = nil, nil
	return courses, triggers
}

// Spans are the times between things that follow each other, of all lifecycles that have both.
type Spans struct{ Accepted, Started, Told, Triggers []time.Duration }

// Spans takes what was marked.
func (m *Marks) Spans() (s Spans) {
	courses, triggers := m.Take()
	between := func(from, to Event) (all []time.Duration) {
		for _, c := range courses {
			if !c[from].IsZero() && !c[to].IsZero() {
				// What is done before the answer is read took no time.
				all = append(all, max(0, c[to].Sub(c[from])))
			}
		}
		return all
	}
	return Spans{between(Posted, Taken), between(Taken, Started), between(Pushed, Told), triggers}
}

// Join puts those of another time to them.
func (s *Spans) Join(other Spans) {
	s.Accepted = append(s.Accepted, other.Accepted...)
	s.Started = append(s.Started, other.Started...)
	s.Told = append(s.Told, other.Told...)
	s.Triggers = append(s.Triggers, other.Triggers...)
}

// Share is what so many of a hundred are within, in seconds.
func Share(took []time.Duration, of int) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*of/100, len(sorted)-1)].Seconds() //nolint:mnd // of a hundred
}
