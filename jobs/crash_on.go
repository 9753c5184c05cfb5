//go:build chaos

package jobs

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// crashEnv names a folder. A file in it with a point's name holds the number of a
// signal: the first daemon that comes to the point takes the file away and sends
// itself the signal, so that whoever comes later, or is started next, survives.
const crashEnv = "CHAOS_CRASH"

// crashSpent is appended to the name of a file that was taken.
const crashSpent = ".spent"

// Crash ends the daemon where the chaos suite says so.
func Crash(at CrashPoint) {
	folder := os.Getenv(crashEnv)
	if folder == "" {
		return
	}
	armed := filepath.Join(folder, string(at))
	if os.Rename(armed, armed+crashSpent) != nil {
		return
	}
	text, err := os.ReadFile(armed + crashSpent)
	if err != nil {
		return
	}
	number, err := strconv.Atoi(string(text))
	if err != nil {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
	if syscall.Signal(number) == syscall.SIGKILL {
		select {} // nothing happens behind the point
	}
}
