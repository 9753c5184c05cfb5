package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/devstack"
)

// What somebody would write first, upon any queue: one task a transcode, all the queue's
// settings as they are by default. River's worker and asynq's differ in their queue alone.

// The variables of a naive worker: its queue's address, and the file that tells what it began.
const (
	naiveQueue = "WEIR_BENCH_NAIVE_QUEUE"
	naiveBegun = "WEIR_BENCH_NAIVE_BEGUN"
)

const (
	// naiveSlots is how many tasks it works at once: as a host does.
	naiveSlots = 2
	// naiveMiddle is how far a transcode has come when its worker is killed.
	naiveMiddle = time.Second
)

// naiveTask is all that a transcode is to it. Keys to the storage are its environment's.
type naiveTask struct {
	ID       string `json:"id"`
	Bucket   string `json:"bucket"`
	Source   string `json:"source"`
	Callback string `json:"callback"`
}

// Kind implements river.JobArgs.
func (naiveTask) Kind() string { return "transcode" }

// naiveWork is what a worker does of a task.
type naiveWork struct {
	mover *mover
	begun *os.File
}

func newNaiveWork() (*naiveWork, error) {
	begun, err := os.OpenFile(os.Getenv(naiveBegun), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the list of what I begin: %w", err)
	}
	return &naiveWork{mover: moverOf(os.Getenv), begun: begun}, nil
}

// transcode downloads, runs ffmpeg, uploads and posts the callback as that event. Any failure is
// the task's.
func (w *naiveWork) transcode(ctx context.Context, event string, task *naiveTask) error {
	if _, err := fmt.Fprintln(w.begun, task.ID, time.Now().UnixMilli()); err != nil {
		return fmt.Errorf("list %s as begun: %w", task.ID, err)
	}
	dir, err := os.MkdirTemp("", "naive-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	source := filepath.Join(dir, "source.mp4")
	if err := w.mover.sdk(ctx, down, source, task.Bucket, task.Source); err != nil {
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
	if err := w.mover.sdk(ctx, up, target, task.Bucket, "naive/"+task.ID+".ts"); err != nil {
		return err
	}
	return tell(ctx, task.Callback, &devstack.Callback{RequestID: task.ID, EventID: event, Status: "success", Ratio: 1})
}

func tell(ctx context.Context, receiver string, callback *devstack.Callback) error {
	body, err := json.Marshal(callback)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, receiver, bytes.NewReader(body))
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

// naiveProcess is a naive worker in a process of its own, as a contender has it.
type naiveProcess struct {
	b *bench
	// as is the program, queue its queue's address, begun the file that tells what it began.
	as, queue, begun string
	mover            *mover
	worker           *exec.Cmd // nil while none runs
	taken            int
}

func (b *bench) newNaiveProcess(as, queue string) (naiveProcess, error) {
	dir, err := b.stack.Folder.Make(as)
	return naiveProcess{b: b, as: as, queue: queue, begun: filepath.Join(dir, "begun"), mover: b.mover()}, err
}

// next is one more task.
func (p *naiveProcess) next() naiveTask {
	p.taken++
	return naiveTask{
		ID: fmt.Sprintf("%s-%d", p.as, p.taken), Bucket: p.b.stack.Bucket, Source: "bench/clip.mp4",
		Callback: p.b.stack.Studio.URL + "naive",
	}
}

func (p *naiveProcess) kill() error {
	if p.worker == nil {
		return nil
	}
	err := p.worker.Process.Kill()
	_ = p.worker.Wait() // it was killed
	p.worker = nil
	return err
}

func (p *naiveProcess) restart(context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	cmd := exec.Command(self, "-as", p.as) //nolint:noctx // lives until it is killed
	cmd.Env = append(append(os.Environ(), p.mover.env()...), naiveQueue+"="+p.queue, naiveBegun+"="+p.begun)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the worker %s: %w", p.as, err)
	}
	p.worker = cmd
	return nil
}

func (p *naiveProcess) working(ctx context.Context, id string) error {
	return await(ctx, func() (bool, error) {
		began, err := p.began(id)
		return len(began) > 0 && time.Since(began[len(began)-1]) > naiveMiddle, err
	})
}

func (p *naiveProcess) runs(_ context.Context, id string) (times int, err error) {
	began, err := p.began(id)
	return len(began), err
}

// began is when a task was begun, each time.
func (p *naiveProcess) began(id string) (began []time.Time, err error) {
	text, err := os.ReadFile(p.begun)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // the worker makes it
		return nil, fmt.Errorf("read what %s has begun: %w", p.as, err)
	}
	for line := range strings.Lines(string(text)) {
		name, at, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != id {
			continue
		}
		milliseconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read what %s has begun: %w", p.as, err)
		}
		began = append(began, time.UnixMilli(milliseconds))
	}
	return began, nil
}
