// Package support makes a file for whoever helps from afar: what rows and Postgres'
// statistics tell of the last hours, and nothing that is secret. It is made while the house
// burns, so it asks little: one connection, a transaction that only reads for each part,
// time-outs, and so many rows and bytes at the most; the manifest says what was cut.
package support
