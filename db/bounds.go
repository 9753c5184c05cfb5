package db

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"weir/db/dbsqlc"
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

// bounds are the server's settings.
func bounds() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
		"lock_timeout":                        milliseconds(lockTimeout),
		"statement_timeout":                   milliseconds(statementTimeout),
		"tcp_keepalives_idle":                 seconds(keepaliveIdle),
		"tcp_keepalives_interval":             seconds(keepaliveInterval),
		"tcp_keepalives_count":                strconv.Itoa(keepaliveCount),
		"tcp_user_timeout":                    milliseconds(unackedTimeout),
	}
}

// unbound leaves to the server what the URL does not say: a PgBouncer refuses a connection
// that brings settings which it does not know.
func unbound(cfg *pgx.ConnConfig) {
	for name := range bounds() {
		if _, is := cfg.RuntimeParams[name]; !is {
			cfg.RuntimeParams[name] = ""
		}
	}
}

// ErrUnbounded: the server waits without end, and connections bring no bounds of their own.
var ErrUnbounded = errors.New("Postgres waits without end")

// checkBounds fails where a connection of OpenPooled may wait without end, with
// ErrUnbounded and the line that mends it.
func checkBounds(ctx context.Context, pool *pgxpool.Pool) error {
	is, err := dbsqlc.New().DatabaseBounds(ctx, pool)
	if err != nil {
		return fmt.Errorf("read the bounds of Postgres: %w", err)
	}
	var mend []string
	for _, b := range []struct {
		name, is string
		want     time.Duration
	}{
		{"statement_timeout", is.StatementTimeout, statementTimeout},
		{"lock_timeout", is.LockTimeout, lockTimeout},
		{"idle_in_transaction_session_timeout", is.IdleInTransaction, idleInTransaction},
	} {
		if b.is == "0" {
			mend = append(mend, alterRole(pool.Config().ConnConfig.User, b.name, milliseconds(b.want)))
		}
	}
	if len(mend) > 0 {
		return fmt.Errorf("%w: through a PgBouncer no daemon brings its own bounds: run `%s` there, and RECONNECT in PgBouncer", ErrUnbounded, strings.Join(mend, " "))
	}
	return nil
}

// bound sets the bounds of cfg's connections, at both ends.
func bound(cfg *pgx.ConnConfig) {
	for name, value := range bounds() {
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
