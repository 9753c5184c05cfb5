// Package dialtest is for tests, whose servers are on this machine.
package dialtest

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"weir/storage/dial"
)

// Loopback returns a guard that allows this machine's loopback.
func Loopback() *dial.Guard {
	networks, err := dial.ParseNetworks([]string{"127.0.0.0/8", "::1"})
	if err != nil {
		panic(err) // they are written above
	}
	return &dial.Guard{Allowed: networks}
}

// Nobody is an address that refuses every connection until the test ends. Its port is taken, and
// nobody listens at it: one that is only free may be the next that any program is given.
func Nobody(tb testing.TB) string {
	tb.Helper()
	address, release, err := hold()
	if err != nil {
		tb.Fatalf("hold a port that nobody listens at: %v", err)
	}
	tb.Cleanup(release)
	return address
}

// hold takes a port of the loopback without listening at it.
func hold() (address string, release func(), err error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	release = func() { _ = syscall.Close(socket) } // it holds nothing but the port
	loopback := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		release()
		return "", nil, err
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		release()
		return "", nil, err
	}
	bound, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		release()
		return "", nil, fmt.Errorf("the socket is bound to a %T", name)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(loopback), uint16(bound.Port)).String(), release, nil
}
