// Package triggers listens to the events that Mist posts: it records each one,
// with what it means for a row, and wakes whoever looks after the transcode. It
// does no work and decides nothing: triggers get lost, doubled, late, reordered
// and forged, and none of that may cost more than the seconds until rows and Mist
// are compared again.
//
// A file per trigger holds its grammar (a pure parser) and its effect.
package triggers
