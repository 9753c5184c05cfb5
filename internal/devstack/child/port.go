package child

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// firstPort and ports lie below what Linux gives to outgoing connections, so that a server
	// which is down for a moment finds its port free when it comes back.
	firstPort = 20000
	ports     = 12000
	// portTries is how often a server is started on another port when the one that was free
	// got taken.
	portTries = 3
)

// OnFreePort starts a server on an address of the loopback that is free now, and on another one
// where somebody was faster.
func OnFreePort[T any](ctx context.Context, start func(address string) (T, error)) (server T, err error) {
	for try := 1; ; try++ {
		address, err := free(ctx)
		if err != nil {
			return server, err
		}
		if server, err = start(address); err == nil || try == portTries || !errors.Is(err, errEnded) {
			return server, err
		}
	}
}

func free(ctx context.Context) (string, error) {
	for range ports {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(ports)))
		if l, err := new(net.ListenConfig).Listen(ctx, "tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", fmt.Errorf("no free port of 127.0.0.1 from %d to %d: something has taken them all", firstPort, firstPort+ports)
}
