//go:build !chaos

package jobs

// crash marks a place where the chaos suite ends the daemon. Here it does nothing.
func crash(CrashPoint) {}
