package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/jobs/trace"
)

const (
	// linesWithin bounds the wait for River's rescuer, the slowest to write: a busy machine's many
	// times over.
	linesWithin = time.Minute
	// linesLook reads the whole log each time.
	linesLook = 10 * time.Millisecond
)

// paper is a log that is read while it is written.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// line is one of a log.
type line struct {
	Level     string    `json:"level"`
	Text      string    `json:"msg"`
	Transcode uuid.UUID `json:"transcode"`
	Attempt   int       `json:"attempt"`
	Host      string    `json:"host"`
	Job       int64     `json:"job"`
	From      string    `json:"from"`
}

func (p *paper) lines(t *testing.T) (all []line) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for text := range strings.Lines(p.text.String()) {
		l := line{}
		require.NoError(t, json.Unmarshal([]byte(text), &l))
		all = append(all, l)
	}
	return all
}

// troubled is a worker that does what a rendition's name says.
type troubled struct {
	river.WorkerDefaults[jobs.StoreArgs]

	began chan int64
}

func (w *troubled) Work(ctx context.Context, job *river.Job[jobs.StoreArgs]) error {
	switch job.Args.Rendition {
	case "errs":
		return errors.New("no room")
	case "panics":
		panic("at the disco")
	case "waits":
		w.began <- job.ID
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// NextRetry implements river.Worker: one line of each is enough.
func (*troubled) NextRetry(job *river.Job[jobs.StoreArgs]) time.Time {
	if job.Args.Rendition == "dies" {
		return time.Now()
	}
	return time.Now().Add(time.Hour)
}

// TestRiversLines: what River itself writes of a job, for it failed, panicked, was cancelled or
// was in the hands of a daemon that died, says which transcode, attempt, host and job it is of.
func TestRiversLines(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	written := &paper{}
	log := slog.New(trace.Lines(slog.NewJSONHandler(written, nil)))
	worker := &troubled{began: make(chan int64)}
	client, err := jobs.NewClient(&jobs.Config{
		DB: b.Pool, Log: log, HostID: jobstest.Host, BootID: uuid.New(), Trace: &trace.Jobs{Host: jobstest.Host, Log: log},
	}, func(settings *river.Config) {
		river.AddWorker(settings.Workers, worker)
		settings.Queues[jobs.StoreQueue(jobstest.Host)] = river.QueueConfig{MaxWorkers: 4}
		settings.LeaderElectionDisabled = false // which rescues
	})
	require.NoError(t, err)
	id := uuid.Must(uuid.NewV7())
	ids := map[string]int64{}
	for _, rendition := range []string{"errs", "panics", "waits", "dies"} {
		job, err := b.River.Insert(t.Context(), jobs.StoreArgs{TranscodeID: id, Attempt: 2, Rendition: rendition}, &river.InsertOpts{
			Queue: jobs.StoreQueue(jobstest.Host),
		})
		require.NoError(t, err)
		ids[rendition] = job.Job.ID
	}
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 hour', attempted_by = '{gone_1}' WHERE id = $1", ids["dies"])
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) })
	require.Equal(t, ids["waits"], <-worker.began)
	_, err = client.JobCancel(t.Context(), ids["waits"])
	require.NoError(t, err)

	for rendition, text := range map[string]string{
		"errs": "JobExecutor: Job errored; retrying", "panics": "JobExecutor: panic recovery", "waits": "JobExecutor: job cancelled remotely",
		"dies": "job was taken back from who had it in hand",
	} {
		var found []line
		require.Eventually(t, func() bool {
			found = slices.DeleteFunc(written.lines(t), func(l line) bool { return !strings.Contains(l.Text, text) })
			return len(found) > 0
		}, linesWithin, linesLook, text)
		require.Len(t, found, 1)
		l := found[0]
		require.Equal(t, line{Level: l.Level, Text: l.Text, Transcode: id, Attempt: 2, Host: jobstest.Host, Job: ids[rendition], From: l.From}, l, text)
		if rendition == "dies" {
			require.Equal(t, "gone_1", l.From)
		}
	}
	for _, l := range written.lines(t) {
		if strings.Contains(l.Text, "JobExecutor: Job panicked") {
			require.Equal(t, id, l.Transcode, "after it has ended too")
		}
	}
}
