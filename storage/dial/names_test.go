package dial

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// names is a DNS server that gives each question its next answer, and then the last one
// again. An answer is some IPv4 addresses.
type names struct {
	conn    net.PacketConn
	answers []string
	asked   atomic.Int64
}

func newNames(t *testing.T, answers ...string) *names {
	t.Helper()
	var config net.ListenConfig
	conn, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &names{conn: conn, answers: answers}
	done := make(chan struct{})
	go func() { defer close(done); n.serve() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return n
}

// resolver asks n and nobody else.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}

func (n *names) serve() {
	const head = 12
	question := make([]byte, 512)
	for {
		size, from, err := n.conn.ReadFrom(question)
		if err != nil {
			return
		}
		// The name ends with an empty label; type and class follow.
		end := head
		for question[end] != 0 {
			end += int(question[end]) + 1
		}
		end += 5
		answer := append([]byte(nil), question[:end]...)
		binary.BigEndian.PutUint16(answer[2:], 0x8180) // an answer without error
		clear(answer[6:head])
		if isA := binary.BigEndian.Uint16(question[end-4:]) == 1; isA && size >= end {
			turn := min(int(n.asked.Add(1)), len(n.answers)) - 1
			for i, address := range strings.Fields(n.answers[turn]) {
				binary.BigEndian.PutUint16(answer[6:], uint16(i+1))
				answer = append(answer, 0xc0, head, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, net.ParseIP(address).To4()...)
			}
		}
		_, _ = n.conn.WriteTo(answer, from)
	}
}
