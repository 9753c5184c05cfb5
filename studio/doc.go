// Package studio is how Studio is told: a callback's signature, and one attempt at
// delivering it. It keeps nothing and retries nothing; rows hold what is sent, and decide
// when. docs/callback.md is its contract.
package studio
