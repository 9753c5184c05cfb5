// Command media sends media files through the whole of Weir on this machine and judges what comes
// of each: `make media`. It takes every file of a folder:
//
//	CASES=FOLDER       media files, with a cases.tsv beside them that says what is right, or without;
//	                   without a folder the suite's own files are made and judged
//	ONLY=REGEXP        those whose name fits
//	WEIR_DEMO_MIST_API, _MIST_BIN_DIR, WEIR_DEMO_BROADCASTERS
//	                   a real Mist on this machine, the folder of its MistProcLivepeer, and real
//	                   Broadcasters (by commas), instead of the stand-ins
//
// cases.tsv has a line per file, columns parted by tabs: file, outcome (ok or failed), frames,
// display aspect (16:9), note. What it does not say is as the file's own decode has it. At the end
// comes a table; the exit code is 1 if a file came out wrong.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
	"weir/test/media/footage"
)

const (
	// running is how many files are in work at once.
	running = 2
	// fileLimit bounds one; a long film on a slow machine takes about its own length.
	fileLimit = time.Hour
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "media:", err)
		os.Exit(1)
	}
}

// A job is one file's way through Weir.
type job struct {
	name string
	do   func(ctx context.Context, t *transcoder, dir string) (*row, error)
}

func run(ctx context.Context, getenv func(string) string) (err error) {
	jobs, err := jobsOf(getenv("CASES"), getenv("ONLY"))
	if err != nil {
		return err
	}
	cfg := &devstack.Config{BinDir: getenv(devstack.BinDirVariable), Slots: running}
	if cfg.BinDir == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find my own folder: %w", err)
		}
		cfg.BinDir = filepath.Dir(self)
	}
	if cfg.Mist, cfg.Broadcasters, err = devstack.MistFromEnvironment("WEIR_DEMO_", getenv); err != nil {
		return err
	}
	stack, err := devstack.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close()) }()
	dir, err := stack.Folder.Make("media")
	if err != nil {
		return err
	}
	rows := work(ctx, jobs, &transcoder{stack: stack, studio: stack.Studio, prefix: "media-" + strings.ToLower(rand.Text())}, dir)
	fmt.Println()
	if wrong := printTable(os.Stdout, rows); wrong > 0 {
		return fmt.Errorf("%d of %d files came out wrong", wrong, len(rows))
	}
	fmt.Printf("media: ok, %d files\n", len(rows))
	return ctx.Err()
}

// jobsOf are a folder's files, or the suite's own.
func jobsOf(folder, only string) ([]job, error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("ONLY: %w", err)
	}
	var jobs []job
	if folder == "" {
		for _, c := range footage.Cases() {
			jobs = append(jobs, job{c.Name, func(ctx context.Context, t *transcoder, dir string) (*row, error) { return t.prove(ctx, &c, dir) }})
		}
	} else {
		all, err := expectations(folder)
		if err != nil {
			return nil, fmt.Errorf("CASES: %w", err)
		}
		for _, e := range all {
			jobs = append(jobs, job{e.file, func(ctx context.Context, t *transcoder, dir string) (*row, error) { return t.try(ctx, folder, e, dir) }})
		}
	}
	var chosen []job
	for _, j := range jobs {
		if wanted.MatchString(j.name) {
			chosen = append(chosen, j)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("ONLY=%s: no file's name fits", only)
	}
	return chosen, nil
}

// work does all jobs, some at once. What a job can't do is a row that is wrong.
func work(ctx context.Context, jobs []job, t *transcoder, dir string) []*row {
	rows := make([]*row, len(jobs))
	var said sync.Mutex
	var group errgroup.Group
	group.SetLimit(running)
	for i, j := range jobs {
		group.Go(func() error {
			rows[i] = one(ctx, j, t, filepath.Join(dir, fmt.Sprint(i)))
			said.Lock()
			defer said.Unlock()
			state := "ok"
			if len(rows[i].problems) > 0 {
				state = "WRONG"
			}
			fmt.Printf("media: %d of %d %s %s\n", i+1, len(jobs), j.name, state)
			return nil
		})
	}
	_ = group.Wait() // no job returns an error
	return rows
}

func one(ctx context.Context, j job, t *transcoder, dir string) *row {
	ctx, cancel := context.WithTimeoutCause(ctx, fileLimit, fmt.Errorf("it took longer than %s", fileLimit))
	defer cancel()
	err := os.Mkdir(dir, 0o700)
	var r *row
	if err == nil {
		r, err = j.do(ctx, t, dir)
	}
	if err != nil {
		return &row{name: j.name, outcome: "error", problems: []string{err.Error()}}
	}
	if err := os.RemoveAll(dir); err != nil {
		r.problems = append(r.problems, err.Error())
	}
	return r
}
