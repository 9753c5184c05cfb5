package dial

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const aWhile = 30 * time.Second

func networks(t *testing.T, entries ...string) []Network {
	t.Helper()
	parsed, err := ParseNetworks(entries)
	require.NoError(t, err)
	return parsed
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17",
		"2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2001:200::1", "2001:db7:ffff::1", "2001:db9::1", "3ffe::1",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
	} {
		require.NoError(t, (*Guard)(nil).Check(netip.AddrPortFrom(netip.MustParseAddr(address), 443)), address)
	}
	for address, why := range map[string]string{
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified",
		"10.0.0.0": "private", "10.255.255.255": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private",
		"fc00::1": "private", "fd12:3456::1": "private", "fd00:ec2::254": "private",
		"100.64.0.1": "carrier", "100.127.255.255": "carrier", "100.100.100.200": "carrier",
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "::1": "loopback",
		"169.254.169.254": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"192.0.0.192": "protocols", "192.0.2.1": "documentation", "198.51.100.1": "documentation", "203.0.113.1": "documentation",
		"192.88.99.1": "relay", "198.18.0.1": "benchmarks", "198.19.255.255": "benchmarks", "168.63.129.16": "cloud",
		"224.0.0.1": "multicast", "239.255.255.255": "multicast", "ff02::1": "multicast",
		"240.0.0.1": "reserved", "255.255.255.255": "reserved",
		"::ffff:127.0.0.1": "loopback", "::ffff:169.254.169.254": "link-local", "::ffff:10.1.2.3": "private",
		"64:ff9b::127.0.0.1": "loopback", "64:ff9b::a9fe:a9fe": "link-local", "64:ff9b:1::a00:1": "reserved",
		"2002:7f00:1::1": "loopback", "2002:a9fe:a9fe::1": "link-local", "2002:a01:203::": "private",
		"::127.0.0.1": "reserved", "::8.8.8.8": "reserved", "100::1": "reserved", "fec0::1": "reserved", "5f00::1": "reserved", "4000::1": "reserved",
		"2001::1": "protocols", "2001:20::1": "protocols", "2001:db8::1": "documentation", "3fff::1": "documentation",
	} {
		err := (&Guard{}).Check(netip.AddrPortFrom(netip.MustParseAddr(address), 443))
		var refused *Refusal
		require.ErrorAs(t, err, &refused, address)
		require.Contains(t, refused.Why, why, address)
		require.NoError(t, (&Guard{Allowed: networks(t, "0.0.0.0/0", "::/0")}).Check(refused.Address), address)
	}
}

// A refused address is the same as a name that is not known, for all that decide by it.
func TestRefusalIsAnUnknownName(t *testing.T) {
	t.Parallel()
	_, err := (*Guard)(nil).Dialer(aWhile, aWhile).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	var unknown *net.DNSError
	require.ErrorAs(t, err, &unknown)
	require.True(t, unknown.IsNotFound)
	require.False(t, unknown.IsTemporary || unknown.IsTimeout)
	require.ErrorContains(t, err, "WEIR_ALLOWED_NETWORKS")
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	g := &Guard{Allowed: networks(t, "10.0.0.0/8", "192.168.7.4:9000", "172.16.0.0/12:8000-8999", " [fd00::/8]:443", "fd77::/16"), Own: []uint16{4242}}
	for to, want := range map[string]bool{
		"10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true, "[64:ff9b::10.1.2.3]:80": false,
		"192.168.7.4:9000": true, "192.168.7.4:9001": false, "192.168.7.5:9000": false,
		"172.16.0.1:7999": false, "172.16.0.1:8000": true, "172.16.0.1:8999": true, "172.16.0.1:9000": false,
		"[fd00::1]:443": true, "[fd00::1]:444": false, "[fd77::1]:1": true, "127.0.0.1:80": false,
		"10.1.2.3:4242": false, "8.8.8.8:4242": true,
	} {
		err := g.Check(netip.MustParseAddrPort(to))
		require.Equal(t, want, err == nil, "%s: %v", to, err)
		if !strings.HasPrefix(to, "8.") {
			require.Equal(t, want, g.Trusts(netip.MustParseAddrPort(to)), to)
		}
	}
	require.False(t, g.Trusts(netip.MustParseAddrPort("8.8.8.8:443")), "what is public is not allowed by name")
	require.False(t, (*Guard)(nil).Trusts(netip.MustParseAddrPort("10.0.0.1:80")))
}

func TestNetworksAreRead(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "host", "10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:9-8", "10.0.0.0/8:a-b",
		"[fd00::/8", "[fd00::/8]443", "[fd00::/8]:", "fd00::/8:443", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.0.0.0/8:80-", "*",
	} {
		_, err := ParseNetworks([]string{"127.0.0.1", entry})
		require.ErrorContains(t, err, "number 2", "%q", entry)
	}
}

// This machine's own addresses are refused too, as what listens on all of them is
// reached by each.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	require.NotEmpty(t, addresses)
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		require.True(t, ok)
		ip, _ := netip.AddrFromSlice(network.IP)
		var refused *Refusal
		require.ErrorAs(t, (*Guard)(nil).Check(netip.AddrPortFrom(ip, 443)), &refused, ip)
		mine, err := ofThisMachine(ip.Unmap())
		require.NoError(t, err)
		require.True(t, mine, ip)
	}
	mine, err := ofThisMachine(netip.MustParseAddr("192.0.2.77"))
	require.NoError(t, err)
	require.False(t, mine)
}

// A name may resolve to a harmless address when it is looked at and to another one
// when it is connected to. There is one lookup, and what came of it is looked at.
func TestRebinding(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	names := newNames(t, "127.0.0.2", "169.254.169.254", "127.0.0.1")
	g := &Guard{Allowed: networks(t, "127.0.0.2"), Resolver: names.resolver()}
	client := &http.Client{Transport: &http.Transport{DialContext: g.Dialer(aWhile, aWhile).DialContext, DisableKeepAlives: true}}
	for _, allowed := range []bool{true, false, false, false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://rebind.example:"+at.Port()+"/", http.NoBody)
		require.NoError(t, err)
		resp, err := client.Do(req)
		if resp != nil {
			require.NoError(t, resp.Body.Close())
		}
		var refused *Refusal
		if allowed {
			// Nobody listens at 127.0.0.2, or somebody does: it was tried.
			require.NotErrorAs(t, err, &refused)
			continue
		}
		require.ErrorAs(t, err, &refused)
	}
	require.Empty(t, reached)
	require.EqualValues(t, 4, names.asked.Load(), "each connection has a lookup of its own, and no more")
}

// A name with several addresses is reached by those that are public or allowed.
func TestSomeAddressesOfAName(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	names := newNames(t, "10.9.8.7 127.0.0.1")
	g := &Guard{Allowed: networks(t, "127.0.0.1"), Resolver: names.resolver()}
	ctx, cancel := context.WithTimeout(t.Context(), aWhile)
	defer cancel()
	conn, err := g.Dialer(aWhile, aWhile).DialContext(ctx, "tcp", net.JoinHostPort("both.example", port))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// Networks may be changed while a guard is used.
func TestAllow(t *testing.T) {
	t.Parallel()
	guard := &Guard{Allowed: networks(t, "10.0.0.0/8")}
	ten, home := netip.MustParseAddrPort("10.1.2.3:443"), netip.MustParseAddrPort("192.168.1.2:443")
	require.NoError(t, guard.Check(ten))
	require.Error(t, guard.Check(home))
	guard.Allow(networks(t, "192.168.0.0/16"))
	require.Error(t, guard.Check(ten))
	require.NoError(t, guard.Check(home))
	require.True(t, guard.Trusts(home))
	guard.Allow(nil)
	require.Error(t, guard.Check(home))
}
