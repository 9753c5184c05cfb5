package main

import (
	"net"
	"net/url"
	"strconv"
)

// ownPorts are those of this daemon's listeners, of its Mist and of Postgres: nothing
// that a request names may reach them, whatever is allowed.
func (d *daemon) ownPorts(listeners ...net.Listener) []uint16 {
	ports := []uint16{d.pool.Config().ConnConfig.Port}
	for _, listener := range listeners {
		if listener == nil {
			continue
		}
		if address, ok := listener.Addr().(*net.TCPAddr); ok {
			ports = append(ports, address.AddrPort().Port())
		}
	}
	return append(ports, portOf(d.cfg.MistAPI))
}

// portOf is the port of a URL that config has checked.
func portOf(text string) uint16 {
	u, err := url.Parse(text)
	if err != nil {
		return 0
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(port)
	}
	if u.Scheme == "https" {
		return 443 // HTTPS
	}
	return 80 // HTTP
}
