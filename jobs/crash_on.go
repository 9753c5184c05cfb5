//go:build chaos

package jobs

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// crashEnv names the variable POINT:SIGNAL:FILE: at its first visit to the point the
// daemon makes FILE and sends itself SIGNAL; where FILE is there already it goes on,
// so that the daemon that is started next survives.
const crashEnv = "CHAOS_CRASH"

var crashOnce sync.Once

func crash(at CrashPoint) {
	point, rest, _ := strings.Cut(os.Getenv(crashEnv), ":")
	if point != string(at) {
		return
	}
	crashOnce.Do(func() {
		signal, file, _ := strings.Cut(rest, ":")
		made, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return
		}
		_ = made.Close()
		number, _ := strconv.Atoi(signal)
		_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
		if syscall.Signal(number) == syscall.SIGKILL {
			select {} // nothing happens behind the point
		}
	})
}
