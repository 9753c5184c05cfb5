package trace

import (
	"context"
	"log/slog"
	"sync"

	"github.com/riverqueue/river/rivertype"
)

// River writes the lines of a job that failed, panicked or was cancelled outside of the
// context that it is worked in, with nothing but the job's id.
const riversJob = "job_id"

// endedKnown are as many as may end between a job's end and River's line of it.
const endedKnown = 256

// known is what the jobs are about that this daemon has in hand, or had a moment ago.
type known struct {
	mu      sync.Mutex
	running map[int64]Subject
	ended   [endedKnown]Subject
	next    int
}

func (k *known) begin(job int64, about Subject) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil {
		k.running = map[int64]Subject{}
	}
	k.running[job] = about
}

func (k *known) end(job int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended[k.next%endedKnown] = k.running[job]
	k.next++
	delete(k.running, job)
}

func (k *known) of(job int64) Subject {
	k.mu.Lock()
	defer k.mu.Unlock()
	if about, is := k.running[job]; is {
		return about
	}
	for _, about := range k.ended {
		if about.Job == job {
			return about
		}
	}
	return Subject{Job: job}
}

// River returns the log for River: its lines of a job are about what the job is about, so
// that those of [Lines] have it.
func (j *Jobs) River(log *slog.Logger) *slog.Logger {
	return slog.New(&riverLines{log.Handler(), &j.about})
}

type riverLines struct {
	slog.Handler

	about *known
}

// Handle implements slog.Handler.
func (l *riverLines) Handle(ctx context.Context, line slog.Record) error {
	job := int64(0)
	line.Attrs(func(field slog.Attr) bool {
		if field.Key == riversJob && field.Value.Kind() == slog.KindInt64 {
			job = field.Value.Int64()
		}
		return job == 0
	})
	if job != 0 {
		ctx = With(ctx, l.about.of(job))
	}
	return l.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (l *riverLines) WithAttrs(fields []slog.Attr) slog.Handler {
	return &riverLines{l.Handler.WithAttrs(fields), l.about}
}

// WithGroup implements slog.Handler.
func (l *riverLines) WithGroup(name string) slog.Handler {
	return &riverLines{l.Handler.WithGroup(name), l.about}
}

// riversRescue is what River writes into the row of a job that it takes back from a daemon
// that died, or hung. It tells nobody but how many they were; nothing but a line is decided
// by it.
const riversRescue = "Stuck job rescued by JobRescuer"

// rescued tells of a job that was rescued before this run of it.
func (j *Jobs) rescued(ctx context.Context, job *rivertype.JobRow) {
	n := len(job.Errors)
	if j.Log == nil || n == 0 || job.Errors[n-1].Error != riversRescue {
		return
	}
	former := ""
	if by := job.AttemptedBy; len(by) > 1 { // the last one is who has it now
		former = by[len(by)-2]
	}
	j.Log.WarnContext(ctx, "job was taken back from who had it in hand", "kind", job.Kind, "from", former, "rescued_at", job.Errors[n-1].At)
}
