// Package explain says why a transcode is where it is, from rows alone: where, since when,
// what it waits for, the last evidence, what happens next and when, and what a person can do.
//
// Read takes the rows, all as they were at one moment, and Of is a pure function of them:
// the same rows give the same explanation, and any rows give one.
package explain
