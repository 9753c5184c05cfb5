package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// gate is a piece of network between a host and what it depends on: it passes all
// that comes, until it is shut.
type gate struct {
	// address is where it listens, all its life.
	address string

	mu       sync.Mutex
	target   string
	listener net.Listener
	open     chan struct{} // closed while bytes may pass
	conns    map[net.Conn]struct{}
	serving  sync.WaitGroup
}

// gateBuffer is what one read passes on at most.
const gateBuffer = 32 << 10

// newGate listens on a free port of the loopback.
func newGate(ctx context.Context, target string) (*gate, error) {
	g := &gate{address: "127.0.0.1:0", target: target, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(g.open)
	if err := g.listen(ctx); err != nil {
		return nil, err
	}
	g.address = g.listener.Addr().String()
	return g, nil
}

func (g *gate) listen(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", g.address)
	if err != nil {
		return fmt.Errorf("gate to %s: %w", g.target, err)
	}
	g.mu.Lock()
	g.listener = listener
	g.mu.Unlock()
	g.serving.Go(func() { g.accept(listener) })
	return nil
}

func (g *gate) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		g.serving.Go(func() { g.pass(conn) })
	}
}

// pass carries one connection in both directions.
func (g *gate) pass(from net.Conn) {
	if !g.keep(from) {
		return
	}
	defer g.drop(from)
	g.mu.Lock()
	target := g.target
	g.mu.Unlock()
	to, err := new(net.Dialer).Dial("tcp", target)
	if err != nil || !g.keep(to) {
		return
	}
	defer g.drop(to)
	var both sync.WaitGroup
	both.Go(func() { g.carry(to, from) })
	both.Go(func() { g.carry(from, to) })
	both.Wait()
}

func (g *gate) carry(to, from net.Conn) {
	buffer := make([]byte, gateBuffer)
	for {
		n, err := from.Read(buffer)
		g.wait()
		if _, failed := to.Write(buffer[:n]); failed != nil {
			err = failed
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite() // the other direction may go on
			}
			return
		case err != nil:
			_, _ = to.Close(), from.Close() // a broken connection breaks both ways
			return
		}
	}
}

// wait returns when bytes may pass.
func (g *gate) wait() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	<-open
}

func (g *gate) keep(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		_ = conn.Close()
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}

func (g *gate) drop(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = conn.Close()
	delete(g.conns, conn)
}

// lead leads new connections to another target, and says where they led before.
func (g *gate) lead(target string) (before string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, g.target = g.target, target
	return before
}

// refuse breaks all connections, and refuses new ones.
func (g *gate) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.listener.Close()
	for conn := range g.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // makes the close a reset
		}
		_ = conn.Close()
	}
}

// freeze lets nothing pass; connections stay open and new ones are taken, as when a
// machine or a switch between stands still.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// heal lets everything pass again.
func (g *gate) heal(ctx context.Context) error {
	g.mu.Lock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
	g.mu.Unlock()
	probe, err := new(net.Dialer).DialContext(ctx, "tcp", g.address)
	if err == nil {
		_ = probe.Close()
		return nil
	}
	return g.listen(ctx)
}

// Close ends all that it carries.
func (g *gate) Close() error {
	g.refuse()
	g.mu.Lock()
	g.conns = nil
	select {
	case <-g.open:
	default:
		close(g.open)
	}
	g.mu.Unlock()
	g.serving.Wait()
	return nil
}
