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

// processorTime is what a process, without its children, has used so far.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the processor time of %d: %w", pid, err)
	}
	const user, system = 11, 12 // behind the name: proc_pid_stat(5)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var sum int64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processor time of %d: %w", pid, err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / clockTick, nil
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
