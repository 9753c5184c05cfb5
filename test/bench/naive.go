package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/internal/devstack"
)

// asNaive is this program as what somebody would write first: a worker of River with its
// defaults, one job a transcode.
const asNaive = "naive"

// naiveDatabase names its database, naiveSlots is how many jobs it works at once: as a host does.
const (
	naiveDatabase = "WEIR_BENCH_NAIVE_DATABASE"
	naiveSlots    = 2
)

// naiveArgs is all that a transcode is to it. Keys to the storage are its environment's.
type naiveArgs struct {
	ID       string `json:"id"`
	Bucket   string `json:"bucket"`
	Source   string `json:"source"`
	Callback string `json:"callback"`
}

// Kind implements river.JobArgs.
func (naiveArgs) Kind() string { return "transcode" }

type naiveWorker struct {
	river.WorkerDefaults[naiveArgs]

	mover *mover
}

// Work downloads, runs ffmpeg, uploads and posts the callback. Any failure is the job's.
func (w *naiveWorker) Work(ctx context.Context, job *river.Job[naiveArgs]) error {
	dir, err := os.MkdirTemp("", "naive-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source := filepath.Join(dir, "source.mp4")
	if err := w.mover.sdk(ctx, down, source, job.Args.Bucket, job.Args.Source); err != nil {
		return err
	}
	profile := naiveProfile()
	target := filepath.Join(dir, profile.Name+".ts")
	cmd := exec.CommandContext(ctx, "ffmpeg", plainArgs(source, dir, profile)...)
	// Kinder than most: an ffmpeg that outlives the worker would take the next one's time.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	if err := w.mover.sdk(ctx, up, target, job.Args.Bucket, "naive/"+job.Args.ID+".ts"); err != nil {
		return err
	}
	body, err := json.Marshal(devstack.Callback{RequestID: job.Args.ID, EventID: strconv.FormatInt(job.ID, 10), Status: "success", Ratio: 1})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, job.Args.Callback, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the callback was answered %s", resp.Status)
	}
	return nil
}

// naive works until it is killed.
func naive(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, os.Getenv(naiveDatabase))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer pool.Close()
	workers := river.NewWorkers()
	river.AddWorker(workers, &naiveWorker{mover: moverOf(os.Getenv)})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: naiveSlots}}, Workers: workers,
	})
	if err != nil {
		return fmt.Errorf("make a River client: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start the River client: %w", err)
	}
	<-client.Stopped()
	return nil
}
