// Package bulk retries, cancels and tells again of all transcodes that a filter means
// (jobs/filter), one after the other: an operation is a row that says how far it is, and a
// job that goes on from there. The page, the command line or the daemon that began it may
// end at any time.
//
// What it means is frozen when it begins: what came, ended or began again later is left
// alone. It walks in the order of lists, newest first, and each item is one transaction with
// the row's place, under the row's lock: a daemon that dies has done an item and said so, or
// neither, and two jobs of one operation do nothing twice. Its rate is in the row too.
package bulk
