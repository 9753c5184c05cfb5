// Package login says who uses the operators' pages: by a token that its user's setting has
// the hash of, then by a session in Postgres; or by a header of a proxy that is trusted.
package login
