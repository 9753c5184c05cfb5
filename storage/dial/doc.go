// Package dial keeps what a request names from reaching into the network that Weir runs
// in. A [Guard] looks at the address that a host name was resolved to when it is about to
// be connected to, so that neither a name that resolves to something else the next time
// nor a redirect gets past it.
//
// Whoever dials for a request does it by [Guard.Dialer]: sources, outputs and callbacks.
// What an operator has set (the S3 endpoint of the settings, Mist, Postgres) is not
// bound by it.
//
// A refused address is told as a host name that is not known (a [Refusal] is a
// *net.DNSError within): no packet is sent, so nothing about the address can be learnt
// from it, and there is one word and one way for all of them.
package dial
