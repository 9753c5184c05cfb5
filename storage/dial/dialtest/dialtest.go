// Package dialtest is for tests, whose servers are on this machine.
package dialtest

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

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
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, syscall.Close(socket)) })
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	require.NoError(tb, syscall.Bind(socket, &syscall.SockaddrInet4{Addr: loopback.As4()}))
	name, err := syscall.Getsockname(socket)
	require.NoError(tb, err)
	at, ok := name.(*syscall.SockaddrInet4)
	require.True(tb, ok)
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, uint16(at.Port))).String()
}
