// Package mist talks to one MistServer on the machine it runs on: its HTTP API
// (streams, pushes, triggers, status), the names that tie its streams to a
// transcode and an attempt, and MistProcLivepeer as a supervised child.
//
// Mist has no error replies: an unknown or failed command is answered with 200
// and silence. So each method reads back what it asked for and returns an
// [*Error] when Mist did not take it; errors.Is tells the kinds apart
// ([ErrUnavailable], [ErrAuth], [ErrUnexpected], [ErrRefused],
// [ErrPushNotStarted]).
//
// Nothing that Mist says proves success: PUSH_END's status, RECORDING_END's
// reason and MistProcLivepeer's exit code look the same for a whole rendition
// and for one that lost its tail. A finished file is judged by what is in it.
package mist
