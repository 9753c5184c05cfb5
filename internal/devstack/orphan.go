package devstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// orphan is a process that works in a stack's folder.
type orphan struct {
	pid     int
	program string
}

// programs are the names of what a stack runs, directly or not. Only these are
// ever killed: a shell that stands in a stack's folder is its user's.
func programs() []string {
	return []string{
		"postgres", "pgbouncer",
		"redis-server", "redis-check-rdb", // the former is a link to the latter in Debian
		"versitygw", "mistsim", "MistProcLivepeer", "broadcaster",
		"weir-daemon", "weir-daemon-chaos", "weir-admin", "ffmpeg", "ffprobe",
	}
}

// processesIn lists the processes whose program, working folder or arguments
// lie in dir and whose program is one of [programs]. A process that ends
// meanwhile, or is another user's, is left out.
func processesIn(dir string) ([]orphan, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []orphan
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", entry.Name())
		exe, err := os.Readlink(filepath.Join(proc, "exe"))
		if err != nil {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		args, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		// Linux appends this when the program's file was removed or replaced.
		program := filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
		if !slices.Contains(programs(), program) {
			continue
		}
		within := dir + string(filepath.Separator)
		if strings.HasPrefix(exe, within) || strings.HasPrefix(cwd+string(filepath.Separator), within) || strings.Contains(string(args), within) {
			found = append(found, orphan{pid: pid, program: program})
		}
	}
	return found, nil
}

// killIn kills what processesIn finds.
func killIn(dir string) error {
	left, err := processesIn(dir)
	if err != nil {
		return err
	}
	for _, p := range left {
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s (pid %d): %w", p.program, p.pid, err)
		}
	}
	return nil
}
