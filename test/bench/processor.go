package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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

// processorTime is what a process, without its children, has used so far.
func processorTime(pid int) (time.Duration, error) { return ticks(pid, statUser, statSystem) }

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

// daemonTime is what the daemon, without its children, has used so far.
func (b *bench) daemonTime() (time.Duration, error) { return processorTime(b.stack.Daemons[0].PID()) }

// databaseTime is what Postgres has used so far for the connections that daemons keep.
func databaseTime(ctx context.Context, db *pgx.Conn) (sum time.Duration, err error) {
	rows, err := db.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'weir%'")
	if err != nil {
		return 0, fmt.Errorf("list the daemons' connections: %w", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, fmt.Errorf("list the daemons' connections: %w", err)
	}
	for _, pid := range pids {
		used, err := processorTime(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
