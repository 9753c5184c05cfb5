package main

import (
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
