package dial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// Guard says which addresses may be connected to for a request: those of the public
// internet, and what is allowed beside them. Its zero value, and nil, allow nothing
// else. It is safe for concurrent use; while it is used, only Allow may change it.
type Guard struct {
	// Allowed are networks that are not public and may be reached all the same.
	Allowed []Network
	// Own are the ports of our own listeners and of Mist's. Outside of the public
	// internet nothing at one of them is ever reached, allowed or not: there is more
	// than one address for the same listener.
	Own []uint16
	// Resolver looks up host names; nil is the system's.
	Resolver *net.Resolver

	changed atomic.Pointer[[]Network]
}

// Allow puts other networks in the place of Allowed, for what is dialled from now on.
func (g *Guard) Allow(networks []Network) { g.changed.Store(&networks) }

func (g *Guard) allowed() []Network {
	if changed := g.changed.Load(); changed != nil {
		return *changed
	}
	return g.Allowed
}

// Refusal is an address that may not be connected to. Its text is for operators.
type Refusal struct {
	Address netip.AddrPort
	// Why is what the address is: "loopback", "private", ...
	Why string
	// Own: the port is one of Guard.Own.
	Own bool
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Own {
		return fmt.Sprintf("%s is refused: it may be one of our own listeners", r.Address)
	}
	return fmt.Sprintf("%s is refused: it is %s; WEIR_ALLOWED_NETWORKS can allow it", r.Address, r.Why)
}

// Unwrap makes it the same as a host name that is not known, for whoever decides what to
// tell and whether to try again.
func (*Refusal) Unwrap() error { return &net.DNSError{Err: "no such host", IsNotFound: true} }

// Dialer returns a dialer that refuses what g refuses, with these of net.Dialer's fields.
func (g *Guard) Dialer(timeout, keepAlive time.Duration) *net.Dialer {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: keepAlive, ControlContext: g.control}
	if g != nil {
		dialer.Resolver = g.Resolver
	}
	return dialer
}

// control is called with each address that a name was resolved to, before it is
// connected to.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("guard the connection to %q: %w", address, err)
	}
	return g.Check(to)
}

// Check returns a *Refusal when to may not be connected to.
func (g *Guard) Check(to netip.AddrPort) error {
	addr := to.Addr().Unmap().WithZone("")
	why := notPublic(addr)
	if why == "" {
		mine, err := ofThisMachine(addr)
		if err != nil {
			return fmt.Errorf("guard the connection to %s: %w", to, err)
		}
		if !mine {
			return nil
		}
		why = "an address of this machine"
	}
	if g != nil && slices.Contains(g.Own, to.Port()) {
		return &Refusal{Address: to, Why: why, Own: true}
	}
	if g.allows(addr, to.Port()) {
		return nil
	}
	return &Refusal{Address: to, Why: why}
}

// Trusts reports whether to lies in one of the networks that are allowed by name, and
// is none of our own listeners.
func (g *Guard) Trusts(to netip.AddrPort) bool {
	return g != nil && !slices.Contains(g.Own, to.Port()) && g.allows(to.Addr().Unmap().WithZone(""), to.Port())
}

func (g *Guard) allows(addr netip.Addr, port uint16) bool {
	return g != nil && slices.ContainsFunc(g.allowed(), func(n Network) bool { return n.contains(addr, port) })
}

// ofThisMachine is asked at each connection: addresses come and go. What listens on all
// of them is reached by each, past a firewall that stands before the machine.
func ofThisMachine(addr netip.Addr) (bool, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("list this machine's addresses: %w", err)
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		mine, ok := netip.AddrFromSlice(network.IP)
		return ok && mine.Unmap() == addr
	}), nil
}
