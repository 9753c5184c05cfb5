// Package secret keeps what nobody may read: a type that does not print, and sealing,
// for what has to lie in a table.
package secret
