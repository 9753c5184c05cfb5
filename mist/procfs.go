package mist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// stat is what we use of /proc/<pid>/stat.
type stat struct {
	comm       string // the program's name, cut at 15 bytes
	state      string
	session    int
	startTicks uint64
}

// zombie: ended, but not yet reaped by its parent.
func (s stat) zombie() bool { return s.state == "Z" || s.state == "X" }

// The fields behind the name, which is in parentheses and may hold anything.
const (
	statState   = 0
	statSession = 3
	statStart   = 19
)

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return stat{}, err
	}
	return parseStat(raw)
}

func parseStat(raw []byte) (stat, error) {
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("/proc stat %q: no name", raw)
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) <= statStart {
		return stat{}, fmt.Errorf("/proc stat %q: too short", raw)
	}
	session, err := strconv.Atoi(fields[statSession])
	if err != nil {
		return stat{}, fmt.Errorf("/proc stat session: %w", err)
	}
	start, err := strconv.ParseUint(fields[statStart], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("/proc stat start time: %w", err)
	}
	return stat{comm: string(raw[open+1 : end]), state: fields[statState], session: session, startTicks: start}, nil
}

// readArgs returns the arguments of a process, one at least.
func readArgs(pid int) ([]string, error) {
	raw, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00"), nil
}

// listPIDs lists all processes that we can see.
func listPIDs() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// bootID is drawn by the kernel at each boot of the machine.
func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(raw)), nil
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// isGone: no such process, also when it ends while it is being read.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}

// sendSignal sends sig to pid if it matches; one that is gone or does not match is
// left alone without an error. The descriptor is taken before the look, so the
// signal can't reach a process that got the PID in between.
func sendSignal(pid int, sig syscall.Signal, matches func(stat) bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd of %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	s, err := readStat(pid)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !matches(s) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !isGone(err) {
		return fmt.Errorf("%s to %d: %w", sig, pid, err)
	}
	return nil
}

// memoryFile returns a file that exists in memory only, holding content, to be
// read from its start.
func memoryFile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(content)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("memory file: %w", err), f.Close())
	}
	return f, nil
}
