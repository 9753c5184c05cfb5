package child

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Loopback is where everything of a stack listens: nothing is seen from other
// machines.
const Loopback = "127.0.0.1"

const (
	// firstPort and portRange lie below what Linux gives to outgoing connections
	// (32768 and up), so that a part which is down for a moment finds its port
	// free when it comes back.
	firstPort = 20000
	portRange = 12000
)

// portTries is how often a part is started on another port when the one that
// was free got taken before the part listened on it.
const portTries = 3

// FreePort returns a port of the loopback that is free now. It can be taken
// before it is used; see [OnFreePort].
func FreePort(ctx context.Context) (int, error) {
	for range portRange {
		port := firstPort + rand.IntN(portRange)
		if !Taken(ctx, port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s from %d to %d: something has taken them all", Loopback, firstPort, firstPort+portRange)
}

// CheckFree fails with one clear line when addr can't be listened on.
func CheckFree(ctx context.Context, addr, setting string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the port of %s=%s is taken: stop what listens there, or set another: %w", setting, addr, err)
	}
	if err != nil {
		return fmt.Errorf("%s=%s can't be listened on: %w", setting, addr, err)
	}
	_ = l.Close() // only asked
	return nil
}

// ErrTaken says that another port than OnFreePort's own got taken.
var ErrTaken = errors.New("a port that was free is taken")

// OnFreePort calls start with a free port, and again with another one when the
// port was taken in between, or another of the part's ([ErrTaken]).
func OnFreePort[T any](ctx context.Context, start func(port int) (T, error)) (T, error) {
	var part T
	for try := 1; ; try++ {
		port, err := FreePort(ctx)
		if err != nil {
			return part, err
		}
		part, err = start(port)
		if err == nil || try == portTries || !errors.Is(err, errExited) || !errors.Is(err, ErrTaken) && !Taken(ctx, port) {
			return part, err
		}
	}
}

// Taken tells whether somebody listens on the port.
func Taken(ctx context.Context, port int) bool {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", HostPort(port))
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = l.Close() // only asked
	return false
}

// HostPort is the loopback address of a port.
func HostPort(port int) string { return net.JoinHostPort(Loopback, strconv.Itoa(port)) }
