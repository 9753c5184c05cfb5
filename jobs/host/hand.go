package host

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"weir/jobs"
)

// hand is what this process works on at the moment, each of it once: anybody may insert or
// retry a second job in River for the same work, which then has nothing to do.
type hand struct {
	river.MiddlewareDefaults

	mu   sync.Mutex
	held map[handKey]bool
}

var _ rivertype.WorkerMiddleware = (*hand)(nil)

// Work implements rivertype.WorkerMiddleware.
func (h *hand) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	key, ok := keyOf(job)
	if !ok {
		return work(ctx)
	}
	if !h.take(key) {
		return nil
	}
	defer h.leave(key)
	return work(ctx)
}

// keyOf is the work of a job that belongs to a host.
func keyOf(job *rivertype.JobRow) (handKey, bool) {
	switch job.Kind {
	case jobs.TranscodeArgs{}.Kind():
		var args jobs.TranscodeArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return handKey{}, false // River tells
		}
		return handKey{args.TranscodeID, args.Attempt, ""}, true
	case jobs.StoreArgs{}.Kind():
		var args jobs.StoreArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return handKey{}, false
		}
		return handKey{args.TranscodeID, args.Attempt, args.Rendition}, true
	default:
		return handKey{}, false
	}
}

func (h *hand) take(key handKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[key] {
		return false
	}
	if h.held == nil {
		h.held = map[handKey]bool{}
	}
	h.held[key] = true
	return true
}

func (h *hand) leave(key handKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, key)
}

func (h *hand) holds(key handKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[key]
}
