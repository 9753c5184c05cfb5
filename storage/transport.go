package storage

import (
	"context"
	"net"
	"net/http"
	"time"

	"weir/storage/dial"
)

// How long to wait for a server, and how many connections to keep.
const (
	// connectTimeout covers DNS and TCP: two lost SYNs (1 s, 3 s) and some.
	connectTimeout = 10 * time.Second
	// tlsTimeout covers the handshake.
	tlsTimeout = 10 * time.Second
	// keepAlive finds a dead peer on a connection that waits.
	keepAlive = 30 * time.Second
	// idleTimeout closes a connection that nobody took again.
	idleTimeout = 90 * time.Second
	// idleConns keeps one connection for each part of a transfer.
	idleConns = 2 * partConcurrency
	// writePiece is how much must get out within the stall time: a part is
	// handed over in one Write, and a slow line needs long for the whole.
	writePiece = 64 << 10
)

// guarded is the transport to what a request names. It uses no proxy: through one it
// could not be seen which address is reached.
func guarded(guard *dial.Guard, stall time.Duration) *http.Transport {
	return newTransport(guard.Dialer(connectTimeout, keepAlive), stall)
}

// trusted is the transport to what an operator has set.
func trusted(stall time.Duration) *http.Transport {
	transport := newTransport(&net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}, stall)
	transport.Proxy = http.ProxyFromEnvironment
	return transport
}

// newTransport returns a transport on which a request may take as long as it
// moves bytes: there is no timeout over all, but one over each silence.
func newTransport(dialer *net.Dialer, stall time.Duration) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, stall: stall}, nil
		},
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: stall,
		ExpectContinueTimeout: time.Second, // net/http's own default
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idleConns,
		// Bytes are wanted as they are; ranges of a compressed body would mean others.
		DisableCompression: true,
	}
}

// stallConn fails when no byte moves for the stall time. The deadline is one
// for both directions, because net/http always has a Read waiting while a
// body is written.
type stallConn struct {
	net.Conn
	stall time.Duration
}

func (c *stallConn) extend() error { return c.SetDeadline(time.Now().Add(c.stall)) }

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.extend(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := c.extend(); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:min(len(p), written+writePiece)])
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}
