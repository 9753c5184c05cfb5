// Package dialtest is for tests, whose servers are on this machine.
package dialtest

import "weir/storage/dial"

// Loopback returns a guard that allows this machine's loopback.
func Loopback() *dial.Guard {
	networks, err := dial.ParseNetworks([]string{"127.0.0.0/8", "::1"})
	if err != nil {
		panic(err) // they are written above
	}
	return &dial.Guard{Allowed: networks}
}
