package dial

import (
	"net/netip"
)

// block is a part of the address space that is not public.
type block struct {
	prefix netip.Prefix
	is     string
}

func blockOf(prefix, is string) block { return block{netip.MustParsePrefix(prefix), is} }

const private = "private"

// special4 is IANA's registry of special IPv4 addresses, and one more.
var special4 = []block{
	blockOf("0.0.0.0/8", "unspecified"), // Linux connects to itself
	blockOf("10.0.0.0/8", private),
	blockOf("100.64.0.0/10", "of a carrier's NAT"), // also clouds' metadata, 100.100.100.200
	blockOf("127.0.0.0/8", "loopback"),
	blockOf("169.254.0.0/16", "link-local"), // clouds' metadata, 169.254.169.254
	blockOf("172.16.0.0/12", private),
	blockOf("192.0.0.0/24", "for protocols"), // also metadata, 192.0.0.192
	blockOf("192.0.2.0/24", "for documentation"),
	blockOf("192.88.99.0/24", "a relay's"),
	blockOf("192.168.0.0/16", private),
	blockOf("198.18.0.0/15", "for benchmarks"),
	blockOf("198.51.100.0/24", "for documentation"),
	blockOf("203.0.113.0/24", "for documentation"),
	blockOf("224.0.0.0/4", "multicast"),
	blockOf("240.0.0.0/4", "reserved"),           // with 255.255.255.255
	blockOf("168.63.129.16/32", "a cloud's own"), // Azure's, in every machine
}

// public6 is all that is given out of IPv6; what is not in it is none of the internet's.
var public6 = netip.MustParsePrefix("2000::/3")

// special6 are the blocks within public6 that are not public.
var special6 = []block{
	blockOf("2001::/23", "for protocols"), // Teredo, ORCHID, benchmarks
	blockOf("2001:db8::/32", "for documentation"),
	blockOf("3fff::/20", "for documentation"),
}

// carriers are the forms in which IPv6 carries an IPv4 address, with its first byte.
// What goes there arrives at that address.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4
}

// notPublic says what an address is that is not public, "" where it is. It takes an
// address as Unmap returns it.
func notPublic(addr netip.Addr) string {
	if addr.Is4() {
		return within(special4, addr)
	}
	for _, carrier := range carriers {
		if carrier.prefix.Contains(addr) {
			bytes := addr.As16()
			return notPublic(netip.AddrFrom4([4]byte(bytes[carrier.at:])))
		}
	}
	switch {
	case addr.IsLoopback():
		return "loopback"
	case addr.IsUnspecified():
		return "unspecified"
	case addr.IsPrivate():
		return private
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case addr.IsMulticast():
		return "multicast"
	case !public6.Contains(addr):
		return "reserved"
	}
	return within(special6, addr)
}

func within(blocks []block, addr netip.Addr) string {
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return b.is
		}
	}
	return ""
}
