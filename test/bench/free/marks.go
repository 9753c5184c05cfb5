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

// answer is when a trigger was answered, and what that took.
type answer struct {
	at   time.Time
	took time.Duration
}

// Marks are the courses of lifecycles, by what only they know of each other: a transcode's id.
type Marks struct {
	mu       sync.Mutex
	courses  map[uuid.UUID]*course
	triggers []answer
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
	m.triggers = append(m.triggers, answer{time.Now(), took})
}

// Forget forgets what was marked.
func (m *Marks) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.courses, m.triggers = nil, nil
}

// Spans are the times between things that follow each other, of all lifecycles that have both.
type Spans struct{ Accepted, Started, Told, Triggers []time.Duration }

// Spans are those of what was marked from a time on and before another, whenever it ended.
func (m *Marks) Spans(from, before time.Time) (s Spans) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := func(at time.Time) bool { return !at.Before(from) && at.Before(before) }
	between := func(from, to Event) (all []time.Duration) {
		for _, c := range m.courses {
			if in(c[from]) && !c[to].IsZero() {
				// What is done before the answer is read took no time.
				all = append(all, max(0, c[to].Sub(c[from])))
			}
		}
		return all
	}
	s = Spans{Accepted: between(Posted, Taken), Started: between(Taken, Started), Told: between(Pushed, Told)}
	for _, t := range m.triggers {
		if in(t.at) {
			s.Triggers = append(s.Triggers, t.took)
		}
	}
	return s
}

// Share is what so many of a hundred are within, in seconds.
func Share(took []time.Duration, of int) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*of/100, len(sorted)-1)].Seconds() //nolint:mnd // of a hundred
}

// Shares is Share in each of several rounds.
func Shares(rounds []Spans, took func(*Spans) []time.Duration, of int) (shares []float64) {
	for i := range rounds {
		shares = append(shares, Share(took(&rounds[i]), of))
	}
	return shares
}
