package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRates(t *testing.T) {
	t.Parallel()
	const unknown, mine, others = -1, 0, 1
	now := time.Now()
	r := newRates(2, 10, 3)
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")

	for range 10 * burstSeconds {
		require.Zero(t, r.wait(here, mine, now))
	}
	wait := r.wait(here, mine, now)
	require.InDelta(t, 0.1, wait.Seconds(), 0.01)
	require.Positive(t, r.wait(there, mine, now), "from anywhere")
	require.Zero(t, r.wait(here, others, now), "of its own token alone")
	require.Zero(t, r.wait(here, mine, now.Add(wait)))

	for range 3 {
		require.Zero(t, r.wait(here, unknown, now))
		require.Zero(t, r.wait(there, unknown, now))
	}
	require.Positive(t, r.wait(here, unknown, now))
	require.Zero(t, r.wait(here, others, now), "who was seen from there with its token goes on")
	require.Positive(t, r.wait(there, others, now), "a right guess does not show")
	const another = time.Minute/3 + time.Second // of three a minute the next one is there
	require.Zero(t, r.wait(there, others, now.Add(another)))

	off := newRates(1, 0, 0)
	for range 10_000 {
		require.Zero(t, off.wait(here, mine, now))
		require.Zero(t, off.wait(here, unknown, now))
	}
}

// What is remembered of addresses is bounded.
func TestRatesForget(t *testing.T) {
	t.Parallel()
	r := newRates(1, 1000, 1)
	now := time.Now()
	for i := range 2 * mostKnown {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		require.Zero(t, r.wait(address, -1, now))
		r.good.get(from{address, 0})
	}
	require.Len(t, r.failures.all, mostKnown)
	require.Equal(t, mostKnown, r.failures.order.Len())
	require.Len(t, r.good.all, mostKnown)
}

func TestAddressOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1/32", "[::ffff:192.0.2.1]:80": "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%eth0]:80": "fe80::/64", "@": "invalid Prefix",
	} {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
		require.Equal(t, want, fmt.Sprint(addressOf(r)))
	}
}
