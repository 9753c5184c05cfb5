// Package studio is what Studio is told: the callback's wire format, its
// signature, and one attempt at delivering it. It keeps nothing and retries
// nothing; rows decide what is sent and when. docs/callback.md is its contract.
package studio
