// Package filter is the one language in which operators, the API and the pages say which
// transcodes they mean:
//
//	tenant:acme state:failed code:fetch_failed host:mist-1 broadcaster:http://b:8935
//	external_id:x label:customer=acme destination:hooks.example.com callback:refused
//	age>2h age<1d ended<24h
//
// Several values of one key mean any of them, different keys all of them. Each label has a
// key of its own. `age>2h` is accepted more than two hours ago, `ended<24h` ended within the
// last day. A value with spaces stands in quotes, in which \ takes the next character as
// it is.
package filter
