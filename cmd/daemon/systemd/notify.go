// Package systemd tells systemd how a service is (sd_notify(3)).
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemd's words for who listens, and how often it wants to hear of the watchdog.
const (
	socketVariable   = "NOTIFY_SOCKET"
	watchdogVariable = "WATCHDOG_USEC"
	processVariable  = "WATCHDOG_PID"
)

// Service is this process as systemd sees it. Where systemd did not start it all
// methods do nothing, and so do those of nil.
type Service struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// Open reads systemd's variables, and takes them out of the environment by unset, so
// that no child speaks for us. Where there is none it returns a Service that is silent.
func Open(get func(string) string, unset func(string) error) (*Service, error) {
	socket, usec, pid := get(socketVariable), get(watchdogVariable), get(processVariable)
	for _, name := range []string{socketVariable, watchdogVariable, processVariable} {
		if err := unset(name); err != nil {
			return nil, fmt.Errorf("take %s out of the environment: %w", name, err)
		}
	}
	s := &Service{}
	if socket == "" {
		return s, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"}) // @ begins an abstract one
	if err != nil {
		return nil, fmt.Errorf("reach systemd at %s: %w", socketVariable, err)
	}
	s.conn = conn
	if usec == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	microseconds, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || microseconds <= 0 {
		return nil, fmt.Errorf("%s is %q: systemd gives microseconds", watchdogVariable, usec)
	}
	s.watchdog = time.Duration(microseconds) * time.Microsecond
	return s, nil
}

// Watchdog is how long systemd waits for [Service.Alive] before it ends the process; 0:
// it does not wait for any.
func (s *Service) Watchdog() time.Duration {
	if s == nil {
		return 0
	}
	return s.watchdog
}

// Ready says that the service does its work, or has taken over its settings.
func (s *Service) Ready(status string) error { return s.tell("READY=1", "STATUS="+oneLine(status)) }

// Status says how it is, for `systemctl status`.
func (s *Service) Status(status string) error { return s.tell("STATUS=" + oneLine(status)) }

// Reloading says that the settings are read again; Ready follows.
func (s *Service) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock for systemd: %w", err)
	}
	return s.tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(now.Nano()/int64(time.Microsecond), 10))
}

// Stopping says that the service ends.
func (s *Service) Stopping(status string) error {
	return s.tell("STOPPING=1", "STATUS="+oneLine(status))
}

// Alive puts systemd's watchdog off.
func (s *Service) Alive() error { return s.tell("WATCHDOG=1") }

// Close ends it.
func (s *Service) Close() error {
	if s == nil || s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

func (s *Service) tell(lines ...string) error {
	if s == nil || s.conn == nil {
		return nil
	}
	if _, err := s.conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("tell systemd %s: %w", lines[0], err)
	}
	return nil
}

// oneLine keeps a text from being taken for further words.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
