package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The kernel's names, in /proc/PID/status, of a process's memory: what is resident
// now, and the most that ever was.
const (
	Resident = "VmRSS:"
	MostEver = "VmHWM:"
)

// forget sets VmHWM back to VmRSS: proc_pid_clear_refs(5).
const forget = "5"

// MemoryMB is one of the kernel's figures on a process's memory, in MB.
func MemoryMB(pid int, name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kib, err := strconv.ParseFloat(fields[1], 64)
			return kib * 1024 / 1e6, err //nolint:mnd // kibibytes to megabytes
		}
	}
	return 0, fmt.Errorf("the kernel tells no %s of process %d", name, pid)
}

// ForgetPeak has MostEver begin anew.
func ForgetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(forget), 0); err != nil {
		return fmt.Errorf("reset the peak of process %d's memory: %w", pid, err)
	}
	return nil
}
