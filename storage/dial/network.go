package dial

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Network is a part of the network that may be reached: addresses, and ports of them.
type Network struct {
	prefix netip.Prefix
	// first and last port.
	first, last uint16
}

// anyPort is where the ports end; 0 is none that can be connected to.
const anyPort = 65535

// ParseNetworks reads 10.0.0.0/8, 192.168.7.4:9000, 10.1.0.0/16:8000-8999,
// [fd00::/8]:443: an address or a CIDR, and where it is limited to some, its port or
// ports. The error names the entry by its number.
func ParseNetworks(entries []string) ([]Network, error) {
	var networks []Network
	for i, entry := range entries {
		network, err := parseNetwork(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("number %d is %q: %w", i+1, entry, err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

var errNetwork = errors.New("write an address or a CIDR, as 10.0.0.0/8 or fd00::/8, and where needed its ports, as 10.0.0.7:9000, 10.0.0.0/8:8000-8999 or [fd00::/8]:443")

func parseNetwork(text string) (Network, error) {
	prefix, ports := text, ""
	limited := false
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		var closed bool
		if prefix, ports, closed = strings.Cut(inner, "]"); !closed {
			return Network{}, errNetwork
		}
		if ports != "" {
			if ports, limited = strings.CutPrefix(ports, ":"); !limited {
				return Network{}, errNetwork
			}
		}
	} else if strings.Count(text, ":") == 1 { // more are of IPv6
		prefix, ports, limited = strings.Cut(text, ":")
	}
	n := Network{first: 1, last: anyPort}
	if limited {
		first, last, span := strings.Cut(ports, "-")
		if !span {
			last = first
		}
		var err error
		if n.first, err = parsePort(first); err != nil {
			return n, err
		}
		if n.last, err = parsePort(last); err != nil {
			return n, err
		}
		if n.last < n.first {
			return n, errNetwork
		}
	}
	if addr, err := netip.ParseAddr(prefix); err == nil {
		prefix = addr.String() + "/" + strconv.Itoa(addr.BitLen())
	}
	parsed, err := netip.ParsePrefix(prefix)
	switch {
	case err != nil:
		return n, errNetwork
	case parsed.Addr().Is4In6():
		return n, errors.New("write an IPv4 address as such")
	case parsed != parsed.Masked():
		return n, fmt.Errorf("it has bits behind its mask; if the network is meant, write %s", parsed.Masked())
	}
	n.prefix = parsed
	return n, nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, errNetwork
	}
	return uint16(port), nil
}

func (n Network) contains(addr netip.Addr, port uint16) bool {
	return n.prefix.Contains(addr) && port >= n.first && port <= n.last
}
