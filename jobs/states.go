package jobs

import (
	"slices"
)

// The states of a transcode.
const (
	StateQueued    = "queued"
	StatePlaced    = "placed"
	StateRunning   = "running"
	StateStoring   = "storing"
	StateSucceeded = "succeeded"
	StateFailed    = "failed"
	StateCancelled = "cancelled"
)

// States lists the states of a transcode in the order that they are reached in.
func States() []string {
	return []string{StateQueued, StatePlaced, StateRunning, StateStoring, StateSucceeded, StateFailed, StateCancelled}
}

// The states of a rendition.
const (
	RenditionExpected = "expected"
	RenditionPushing  = "pushing"
	RenditionPushed   = "pushed"
	RenditionOK       = "ok"
	RenditionFailed   = "failed"
)

// The stages of an attempt: the last step whose effect is on disk or in Mist.
const (
	AttemptPlaced     = "placed"
	AttemptFetched    = "fetched"
	AttemptPrepared   = "prepared"
	AttemptStarted    = "started"
	AttemptTranscoded = "transcoded"
	AttemptCleaned    = "cleaned"
)

// The outcomes of an attempt.
const (
	OutcomeSucceeded = "succeeded"
	OutcomeFailed    = "failed"
	OutcomeCancelled = "cancelled"
	OutcomeLost      = "lost"
)

// The states of a callback.
const (
	CallbackPending   = "pending"
	CallbackDelivered = "delivered"
	CallbackRefused   = "refused"
	CallbackExpired   = "expired"
	// CallbackSuperseded: a new run began before it was delivered.
	CallbackSuperseded = "superseded"
)

// CallbackStates lists the states of a callback.
func CallbackStates() []string {
	return []string{CallbackPending, CallbackDelivered, CallbackRefused, CallbackExpired, CallbackSuperseded}
}

// Terminal says whether a transcode's state is an end.
func Terminal(state string) bool {
	return slices.Contains([]string{StateSucceeded, StateFailed, StateCancelled}, state)
}
