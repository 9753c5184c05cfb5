package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxy is one in front of the pages, which has asked who somebody is. Its zero value is
// none: what its header says is anybody's word.
type Proxy struct {
	// Header names the user.
	Header string
	// From are its addresses.
	From []netip.Prefix
}

// forwardedFor is where proxies write whom they speak for, the last of them at the end.
const forwardedFor = "X-Forwarded-For"

// ParseProxy reads WEIR_WEB_TRUSTED_HEADER and WEIR_WEB_TRUSTED_PROXIES.
func ParseProxy(header string, networks []string) (Proxy, error) {
	p := Proxy{Header: http.CanonicalHeaderKey(header)}
	for _, network := range networks {
		prefix, err := netip.ParsePrefix(network)
		if address, single := netip.ParseAddr(network); single == nil {
			prefix, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return Proxy{}, fmt.Errorf("WEIR_WEB_TRUSTED_PROXIES: %q is no address and no network: give 10.0.0.7 or 10.0.0.0/24", network)
		}
		p.From = append(p.From, prefix.Masked())
	}
	if header != "" && len(p.From) == 0 {
		return Proxy{}, errors.New("WEIR_WEB_TRUSTED_HEADER without WEIR_WEB_TRUSTED_PROXIES would believe anybody: give the proxy's address")
	}
	return p, nil
}

// User is whom the proxy names; "": it did not, or it is no proxy of ours.
func (p *Proxy) User(r *http.Request) string {
	if p.Header == "" || !p.trusts(peer(r)) {
		return ""
	}
	// Two of them are two opinions, and one may be the caller's own.
	if values := r.Header.Values(p.Header); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}

// Address is where a request comes from, as far as can be known.
func (p *Proxy) Address(r *http.Request) netip.Addr {
	from := peer(r)
	if !p.trusts(from) {
		return from
	}
	values := r.Header.Values(forwardedFor)
	if len(values) == 0 {
		return from
	}
	last := values[len(values)-1]
	if behind, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); err == nil {
		return behind.Unmap()
	}
	return from
}

func (p *Proxy) trusts(address netip.Addr) bool {
	for _, prefix := range p.From {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

func peer(r *http.Request) netip.Addr {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return port.Addr().Unmap()
}
