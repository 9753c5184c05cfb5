package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// lostAfter is how long a job has been fetched before it is asked whether anybody
// works it: River starts within milliseconds what it has fetched.
const lostAfter = 30 * time.Second

// hand is what this process works on at the moment. A fetch whose answer got lost on
// its way from Postgres leaves a job that runs by its row and nowhere else; River
// would find it when its kind's time is over, hours later.
type hand struct {
	river.MiddlewareDefaults

	mu   sync.Mutex
	jobs map[int64]bool
	// missed were in nobody's hand at the last look.
	missed []int64
}

var _ rivertype.WorkerMiddleware = (*hand)(nil)

// Work implements rivertype.WorkerMiddleware.
func (h *hand) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	h.set(job.ID, true)
	defer h.set(job.ID, false)
	return work(ctx)
}

func (h *hand) set(job int64, held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !held {
		delete(h.jobs, job)
		return
	}
	if h.jobs == nil {
		h.jobs = map[int64]bool{}
	}
	h.jobs[job] = true
}

// lost says which of the jobs that run by their rows nobody works: for the second time
// in a row, so that one on its way in or out is left alone.
func (h *hand) lost(running []int64) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	missed := slices.DeleteFunc(slices.Clone(running), func(id int64) bool { return h.jobs[id] })
	lost := slices.DeleteFunc(slices.Clone(missed), func(id int64) bool { return !slices.Contains(h.missed, id) })
	h.missed = missed
	return lost
}
