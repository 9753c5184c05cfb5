package explain

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Explanation is why a transcode is where it is.
type Explanation struct {
	ID         uuid.UUID `json:"id"`
	Tenant     string    `json:"tenant"`
	ExternalID *string   `json:"external_id"`
	State      string    `json:"state"`
	// Stage is what is being done; null at the end.
	Stage   *string `json:"stage"`
	Run     int32   `json:"run"`
	Attempt int32   `json:"attempt"`
	Host    *string `json:"host"`
	Ratio   float64 `json:"ratio"`
	// Since is since when it is there, Says in a sentence where.
	Since time.Time `json:"since"`
	Says  string    `json:"says"`
	// Waits is what it waits for, what matters most first; it may be empty.
	Waits []string `json:"waits"`
	// Failure is why it failed, or its last attempt did, or what is in its way.
	Failure *Failure `json:"failure"`
	// Evidence is what was seen last, the newest first.
	Evidence []Evidence `json:"evidence"`
	// Next is what happens if nobody does anything.
	Next []Step `json:"next"`
	// Actions are what a person can do.
	Actions []Action `json:"actions"`
	// At is the time that this is of.
	At time.Time `json:"at"`
}

// Failure is why something failed.
type Failure struct {
	Code      string  `json:"code"`
	Stage     string  `json:"stage"`
	Blame     string  `json:"blame"`
	Retriable bool    `json:"retriable"`
	Retry     string  `json:"retry"`
	Message   string  `json:"message"`
	Detail    *string `json:"detail"`
}

// Evidence is something that a row says.
type Evidence struct {
	At   *time.Time `json:"at"`
	Says string     `json:"says"`
}

// Step is something that happens.
type Step struct {
	// At is when, or when at the latest; null: as soon as what it waits for is there.
	At   *time.Time `json:"at"`
	Says string     `json:"says"`
}

// Action is something that a person can do.
type Action struct {
	Says string `json:"says"`
	// Command does it; "" where it is done elsewhere.
	Command string `json:"command"`
}

func (e *Explanation) waits(text string) { e.Waits = append(e.Waits, text) }

func (e *Explanation) saw(at *time.Time, text string) {
	e.Evidence = append(e.Evidence, Evidence{at, text})
}

// next adds a step; one that is due already may come any moment.
func (e *Explanation) next(at *time.Time, text string) {
	if at != nil && !at.After(e.At) {
		at, text = nil, "any moment now: "+text
	}
	e.Next = append(e.Next, Step{at, text})
}

// newestFirst orders the evidence; what is said without a time is of now.
func (e *Explanation) newestFirst() {
	slices.SortStableFunc(e.Evidence, func(a, b Evidence) int {
		switch {
		case a.At == nil && b.At == nil:
			return 0
		case a.At == nil:
			return -1
		case b.At == nil:
			return 1
		}
		return b.At.Compare(*a.At)
	})
}

func (e *Explanation) can(text, command string) {
	e.Actions = append(e.Actions, Action{text, command})
}
