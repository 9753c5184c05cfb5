// Package proc is what the kernel says of processes: their processor time and memory.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the kernel's unit of processor time, in hundredths of a second.
const clockTick = 100

// Fields of a process behind its name: proc_pid_stat(5).
const (
	statParent                       = 1
	statUser, statSystem             = 11, 12
	statEndedUsers, statEndedSystems = 13, 14
)

// stat reads some fields of a process.
func stat(pid int, which ...int) (numbers []int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("read what process %d is: %w", pid, err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	for _, i := range which {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read what process %d is: %w", pid, err)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func ticks(pid int, which ...int) (time.Duration, error) {
	numbers, err := stat(pid, which...)
	var sum int64
	for _, n := range numbers {
		sum += n
	}
	return time.Duration(sum) * time.Second / clockTick, err
}

// ProcessorTime is what a process, without its children, has used so far.
func ProcessorTime(pid int) (time.Duration, error) { return ticks(pid, statUser, statSystem) }

// endedTime is what its children have used that have ended.
func endedTime(pid int) (time.Duration, error) { return ticks(pid, statEndedUsers, statEndedSystems) }

// parentOf is the process that started one.
func parentOf(pid int) (int, error) {
	numbers, err := stat(pid, statParent)
	if err != nil {
		return 0, err
	}
	return int(numbers[0]), nil
}

// FamilyTime is what a process and those that it started have used, also those that ended.
func FamilyTime(pid int) (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	sum, err := ProcessorTime(pid)
	if err != nil {
		return 0, err
	}
	ended, err := endedTime(pid)
	if err != nil {
		return 0, err
	}
	sum += ended
	for _, path := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if parent, err := parentOf(child); err != nil || parent != pid {
			continue // it has ended, or is another's
		}
		if used, err := ProcessorTime(child); err == nil {
			sum += used
		}
	}
	return sum, nil
}
