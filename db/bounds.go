package db

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// Nothing at Postgres is waited for without end, whatever becomes of the machine at
// the other end. A setting of the same name in the URL wins, as
// `?statement_timeout=5min`; an empty one leaves it to the server, as a PgBouncer may
// need that knows none of them.
const (
	// idleInTransaction ends the transaction of a daemon that vanished, or hangs, in the
	// middle of one, and with it the locks that others wait for. Ours do nothing but SQL,
	// so they are idle for a round trip; ten seconds is for a machine that is starved.
	idleInTransaction = 10 * time.Second
	// lockTimeout is above it: who waits for the lock of one that vanished gets it and
	// no error. And it is below a round's whole time, so that the round goes on.
	lockTimeout = 15 * time.Second
	// statementTimeout is above the longest that is none of ours: River gives a minute to
	// the rebuilding of an index.
	statementTimeout = 90 * time.Second

	// A connection whose other end says nothing is asked after keepaliveIdle, then every
	// keepaliveInterval, and given up after keepaliveCount: less than half a minute after
	// the last word, the time in which a dead host's work begins elsewhere. Nothing else
	// finds that a connection which only listens is dead.
	keepaliveIdle     = 10 * time.Second
	keepaliveInterval = 5 * time.Second
	keepaliveCount    = 3
	// unackedTimeout is the same for what was sent and never arrives: there TCP asks
	// nothing, and sends again for a quarter of an hour.
	unackedTimeout = 20 * time.Second
)

// bound sets the bounds of cfg's connections, at both ends.
func bound(cfg *pgx.ConnConfig) {
	for name, value := range map[string]string{
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
		"lock_timeout":                        milliseconds(lockTimeout),
		"statement_timeout":                   milliseconds(statementTimeout),
		"tcp_keepalives_idle":                 seconds(keepaliveIdle),
		"tcp_keepalives_interval":             seconds(keepaliveInterval),
		"tcp_keepalives_count":                strconv.Itoa(keepaliveCount),
		"tcp_user_timeout":                    milliseconds(unackedTimeout),
	} {
		switch given, is := cfg.RuntimeParams[name]; {
		case !is:
			cfg.RuntimeParams[name] = value
		case given == "":
			delete(cfg.RuntimeParams, name)
		}
	}
	dialer := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepaliveIdle, Interval: keepaliveInterval, Count: keepaliveCount},
		Control:         boundUnacked,
	}
	cfg.DialFunc = dialer.DialContext
}

// boundUnacked is a net.Dialer's Control.
func boundUnacked(network, _ string, conn syscall.RawConn) error {
	if network == "unix" {
		return nil // nothing is lost between two processes
	}
	var refused error
	err := conn.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	if refused != nil {
		return fmt.Errorf("bound what Postgres leaves unacknowledged: %w", refused)
	}
	return nil
}

// unhurried is cfg for migrations, which build indexes of large tables and wait for
// each other: as long as the person who began them likes. One that vanishes is still
// found by TCP.
func unhurried(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	cfg = cfg.Copy()
	for _, name := range []string{"lock_timeout", "statement_timeout"} {
		if _, is := cfg.RuntimeParams[name]; is {
			cfg.RuntimeParams[name] = "0"
		}
	}
	return cfg
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
func seconds(d time.Duration) string      { return strconv.Itoa(int(d.Seconds())) }
