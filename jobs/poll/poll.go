// Package poll is how a daemon hears of its jobs that does not LISTEN: as one of a large
// fleet, whose listeners would all be woken by every job, or behind a PgBouncer in
// transaction mode, which knows no LISTEN. River asks for each queue by itself, whether it
// is empty or paused, some two statements a second for a host with nothing to do; here one
// statement asks for all queues of a daemon, and River is answered from what it said.
package poll

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"weir/db/dbsqlc"
)

const (
	// AskEvery is between two questions of a daemon: how late it may hear of a job. A thousand
	// ask five hundred times a second.
	AskEvery = 2 * time.Second
	// turnEvery is how often each of River's queues looks at what was said last, which costs
	// no statement: it comes on top of AskEvery.
	turnEvery = 250 * time.Millisecond
	// ownFor is how long a queue is fetched from without asking once this process inserted
	// into it: its transaction commits within that.
	ownFor = time.Second
	// settingsEvery is how late a pause of a queue in River is heard of.
	settingsEvery = time.Minute
)

// Driver is River's own, but for what idle queues ask.
type Driver struct {
	*riverpgxv5.Driver

	asks *asks
}

var _ riverdriver.Driver[pgx.Tx] = (*Driver)(nil)

// GetExecutor implements riverdriver.Driver.
func (d *Driver) GetExecutor() riverdriver.Executor { return &executor{d.Driver.GetExecutor(), d.asks} }

// Room has a client poll, and returns the driver to do it with. Queues that all daemons
// share, and that nobody waits for, keep their own interval.
func Room(settings *river.Config, pool *pgxpool.Pool, shared ...string) *Driver {
	a := &asks{pool: pool, every: AskEvery, queues: map[string]*queue{}}
	settings.PollOnly = true
	for name, its := range settings.Queues {
		a.queues[name] = &queue{}
		if !slices.Contains(shared, name) {
			its.FetchPollInterval = turnEvery
			settings.Queues[name] = its
		}
	}
	settings.Middleware = append(settings.Middleware, &inserts{asks: a})
	return &Driver{riverpgxv5.New(pool), a}
}

// asks are what was asked last, and what was said.
type asks struct {
	pool  *pgxpool.Pool
	every time.Duration

	mu     sync.Mutex
	asked  time.Time
	asking bool
	queues map[string]*queue
}

type queue struct {
	// due: it had a job when it was asked for last.
	due bool
	// own is when this process inserted into it.
	own time.Time
	// settings are River's, as they were read.
	settings *rivertype.Queue
	read     time.Time
}

// due says whether a queue is worth a fetch, and asks for all queues where that is old.
func (a *asks) due(ctx context.Context, name string) (bool, error) {
	a.mu.Lock()
	q := a.queues[name]
	if q == nil { // one that was added while it runs
		a.mu.Unlock()
		return true, nil
	}
	if a.asking || time.Since(a.asked) < a.every {
		defer a.mu.Unlock()
		return q.due || time.Since(q.own) < ownFor, nil
	}
	a.asking, a.asked = true, time.Now()
	names := make([]string, 0, len(a.queues))
	for each := range a.queues {
		names = append(names, each)
	}
	a.mu.Unlock()
	found, err := dbsqlc.New().RiverJobDue(ctx, a.pool, names)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = false
	if err != nil {
		return false, fmt.Errorf("ask for jobs: %w", err)
	}
	for each, of := range a.queues {
		of.due = slices.Contains(found, each)
	}
	return q.due, nil
}

// emptied learns that a fetch has left nothing.
func (a *asks) emptied(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		q.due = false
	}
}

// inserted learns of a job that this process inserts.
func (a *asks) inserted(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		q.own = time.Now()
	}
}

// settings are River's of a queue; nil: they are to be read.
func (a *asks) settings(name string) *rivertype.Queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil && time.Since(q.read) < settingsEvery {
		return q.settings
	}
	return nil
}

func (a *asks) learn(name string, settings *rivertype.Queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.queues[name]; q != nil {
		q.settings, q.read = settings, time.Now()
	}
}

type executor struct {
	riverdriver.Executor

	asks *asks
}

// JobGetAvailable implements riverdriver.Executor.
func (e *executor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	due, err := e.asks.due(ctx, params.Queue)
	if err != nil {
		return nil, err
	}
	if !due {
		return &riverdriver.JobGetAvailableResult{}, nil
	}
	got, err := e.Executor.JobGetAvailable(ctx, params)
	if err == nil && len(got.Jobs) < params.MaxToLock {
		e.asks.emptied(params.Queue)
	}
	return got, err
}

// QueueGet implements riverdriver.Executor.
func (e *executor) QueueGet(ctx context.Context, params *riverdriver.QueueGetParams) (*rivertype.Queue, error) {
	if known := e.asks.settings(params.Name); known != nil {
		return known, nil
	}
	settings, err := e.Executor.QueueGet(ctx, params)
	if err == nil {
		e.asks.learn(params.Name, settings)
	}
	return settings, err
}

// inserts tells of what this process inserts.
type inserts struct {
	river.MiddlewareDefaults

	asks *asks
}

var _ rivertype.JobInsertMiddleware = (*inserts)(nil)

// InsertMany implements rivertype.JobInsertMiddleware.
func (i *inserts) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams,
	insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	results, err := insert(ctx)
	for _, job := range jobs {
		i.asks.inserted(job.Queue)
	}
	return results, err
}
