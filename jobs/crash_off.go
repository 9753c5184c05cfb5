//go:build !chaos

package jobs

// Crash marks a place where the chaos suite ends the daemon. Here it does nothing.
func Crash(CrashPoint) {}
