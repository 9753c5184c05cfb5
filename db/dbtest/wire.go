package dbtest

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wire is a way to a database that can be cut so that neither end is told, as when a
// machine loses its power or a network its route.
type Wire struct {
	// URL leads to the database over this wire.
	URL string

	server   string
	listener net.Listener
	cut      atomic.Bool
	accepts  sync.WaitGroup
	carries  sync.WaitGroup
	// ends are accept's alone until it has ended.
	ends []net.Conn
}

// NewWire returns a wire to the database at databaseURL, for as long as the test runs.
func NewWire(tb testing.TB, databaseURL string) *Wire {
	tb.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(tb, err)
	w := &Wire{server: u.Host}
	w.listener, err = new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	u.Host = w.listener.Addr().String()
	w.URL = u.String()
	w.accepts.Go(func() { w.accept(tb.Context()) })
	tb.Cleanup(w.close)
	return w
}

// Cut lets nothing through from now on, the end of a connection included.
func (w *Wire) Cut() { w.cut.Store(true) }

func (w *Wire) accept(ctx context.Context) {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(ctx, "tcp", w.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		w.ends = append(w.ends, client, server)
		w.carries.Go(func() { w.carry(server, client) })
		w.carries.Go(func() { w.carry(client, server) })
	}
}

// carry takes what from says to to, and its end.
func (w *Wire) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if w.cut.Load() && err == nil {
			continue
		}
		if w.cut.Load() {
			return
		}
		if _, wrong := to.Write(buffer[:n]); wrong != nil || err != nil {
			_ = to.Close()
			return
		}
	}
}

func (w *Wire) close() {
	_ = w.listener.Close()
	w.accepts.Wait()
	for _, end := range w.ends {
		_ = end.Close()
	}
	w.carries.Wait()
}
