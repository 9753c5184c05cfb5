package mist

import (
	"errors"
	"fmt"

	"weir/engine"
)

// The kinds of failure, to be told apart with errors.Is. Each says what to do.
var (
	// ErrUnavailable: no connection, no answer in time, or a gateway's 5xx.
	// Trying again may help.
	ErrUnavailable = errors.New("no answer from Mist, check that MistController runs and that the address is right")
	// ErrAuth: Mist wants a login, and there is none or it is wrong.
	ErrAuth = errors.New("the login was refused, check Mist's user name and password")
	// ErrUnexpected: something answered that does not speak Mist's API.
	ErrUnexpected = errors.New("this is no answer of a Mist API, check that the address is MistController's and ends in /api2")
	// ErrRefused: Mist answered, but reading back shows that it did not take the command.
	ErrRefused = errors.New("the command was not taken, Mist's log says why")
	// ErrPushNotStarted: the push is not in Mist's list after it was asked for.
	ErrPushNotStarted = engine.ErrPushNotStarted
	// ErrInvalid: the request breaks a limit of Mist and was not sent.
	ErrInvalid = errors.New("not sent, Mist can't take it")
)

// CodeUnavailable names every [Error] in the table of failures.
const CodeUnavailable = "mist_unavailable"

// Error is what every method of [Client] returns on failure.
type Error struct {
	URL  string // Mist's address, never with credentials
	Op   string // what was asked, with the stream or push it was about
	Kind error  // one of this package's Err values, or the error of the caller's context
	Err  error  // the cause, may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("mist %s: %s: %v", e.URL, e.Op, e.Kind)
	}
	return fmt.Sprintf("mist %s: %s: %v: %v", e.URL, e.Op, e.Kind, e.Err)
}

// FailureCode is for the table of failures.
func (e *Error) FailureCode() string { return CodeUnavailable }

// FailureText is what everybody may read of it: nothing, it is about a host's inside.
func (e *Error) FailureText() string { return "" }

// Unwrap lets errors.Is and errors.As see both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
