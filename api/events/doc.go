// Package events tells listeners what becomes of transcodes: the rows of weir.events, each
// once and in order, and between them how far those are that some host has.
//
// A Hub reads the database for all listeners of a daemon, and only while there is one. It
// polls: a notification in a transaction would have every commit wait for the one before,
// and the progress that it tells comes every five seconds. Each row is encoded once.
//
// A row's id is a place to go on from (weir.events_settled): whoever reads the rows behind
// an id, up to Listener.From, and then what the Listener gives, has missed nothing and has
// nothing twice. Nothing of this is needed for a transcode to end: a listener that is lost
// comes again, to any daemon.
package events
