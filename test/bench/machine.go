package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/devstack"
)

const (
	// pgbenchSeconds is long enough for a checkpoint not to be most of it.
	pgbenchSeconds = "5"
	// pgbenchClients is where more add nothing on two cores.
	pgbenchClients = 4
)

// ladder is the demo's: 3 renditions of 720p.
func ladder() []devstack.Profile {
	return []devstack.Profile{
		{Name: "720p", Width: 1280, Height: 720, Bitrate: 3_000_000},
		{Name: "480p", Width: 854, Height: 480, Bitrate: 1_500_000},
		{Name: "360p", Width: 640, Height: 360, Bitrate: 800_000},
	}
}

// plainLadder is what this machine needs for the same renditions without anything
// around them, encoded as the stand-in Broadcaster does.
func plainLadder(ctx context.Context, source, dir string) (time.Duration, error) {
	began := time.Now()
	if out, err := exec.CommandContext(ctx, "ffmpeg", plainArgs(source, dir, ladder()...)...).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("plain ffmpeg: %w: %s", err, out)
	}
	return time.Since(began), nil
}

// plainArgs are ffmpeg's for some renditions, each a file of its name in dir.
func plainArgs(source, dir string, profiles ...devstack.Profile) []string {
	args := []string{"-nostdin", "-loglevel", "error", "-y", "-i", source}
	for _, p := range profiles {
		args = append(args, "-map", "0:v", "-map", "0:a", "-vf", fmt.Sprintf("scale=%d:-2", p.Width&^15),
			"-c:v", "libx264", "-preset", "ultrafast", "-b:v", strconv.Itoa(p.Bitrate), "-c:a", "copy", filepath.Join(dir, p.Name+".ts"))
	}
	return args
}

var tpsLine = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench is what this Postgres does, beside the stack's own database in it.
func pgbench(ctx context.Context, database string, clients int) (float64, error) {
	if _, err := pgbenchOutput(ctx, database, "-i", "-q", "-s", "1"); err != nil {
		return 0, err
	}
	return pgbenchOf(ctx, database, "-n", "-N", "-c", strconv.Itoa(clients), "-j", "2", "-T", pgbenchSeconds)
}

// pgbenchWithin is how soon the machine commits a simple update of 99 of 100, in seconds, where so
// many come each second: from when it was due, as what is offered is timed.
func pgbenchWithin(ctx context.Context, database string, clients, offered int) (float64, error) {
	dir, err := os.MkdirTemp("", "weir-pgbench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the system's folder for such
	if _, err := pgbenchOutput(ctx, database, "-n", "-N", "-c", strconv.Itoa(clients), "-j", "2", "-T", pgbenchSeconds,
		"-R", strconv.Itoa(offered), "-l", "--log-prefix="+filepath.Join(dir, "log")); err != nil {
		return 0, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "log*"))
	if err != nil {
		return 0, err
	}
	var took []int
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			const time = 2 // client, number, microseconds from when it was due, …
			fields := strings.Fields(line)
			if len(fields) <= time {
				return 0, fmt.Errorf("pgbench logged %q", line)
			}
			us, err := strconv.Atoi(fields[time])
			if err != nil {
				return 0, fmt.Errorf("pgbench logged %q", line)
			}
			took = append(took, us)
		}
	}
	if len(took) == 0 {
		return 0, errors.New("pgbench logged nothing")
	}
	slices.Sort(took)
	return (time.Duration(took[len(took)*99/100]) * time.Microsecond).Seconds(), nil
}

// pgbenchOf is the rate of a run of pgbench.
func pgbenchOf(ctx context.Context, database string, args ...string) (float64, error) {
	out, err := pgbenchOutput(ctx, database, args...)
	if err != nil {
		return 0, err
	}
	match := tpsLine.FindSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("pgbench says no rate: %s", out)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}

func pgbenchOutput(ctx context.Context, database string, args ...string) ([]byte, error) {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if path, err := exec.LookPath("pgbench"); err == nil {
		programs = append(programs, path)
	}
	if len(programs) == 0 {
		return nil, errors.New("no pgbench: apt-get install postgresql")
	}
	u, err := url.Parse(database)
	if err != nil {
		return nil, errors.New("the stack's database has no URL")
	}
	password, _ := u.User.Password()
	u.User = url.User(u.User.Username())
	cmd := exec.CommandContext(ctx, slices.Max(programs), append(args, u.String())...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	return out, nil
}
