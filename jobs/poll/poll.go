// Package poll is how a daemon hears of its jobs that does not LISTEN: as one of a large
// fleet, whose listeners would all be woken by every job, or behind a PgBouncer in
// transaction mode, which knows no LISTEN. River asks for each queue by itself, whether it
// is empty or paused, some two statements a second for a host with nothing to do; here one
// statement asks for all queues of a daemon, and River hears what it said as if it did LISTEN.
package poll

import (
	"context"
	"log/slog"
	"maps"
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
	// askTimeout bounds one.
	askTimeout = 10 * time.Second
	// ownFor is how long a queue is fetched from without asking, each ownEvery, once this process
	// inserted into it: its transaction commits within that.
	ownFor   = time.Second
	ownEvery = 250 * time.Millisecond
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

// GetListener implements riverdriver.Driver: River hears of jobs as by LISTEN, from asks.
func (d *Driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return &listener{asks: d.asks}
}

// Room has a client poll, and returns the driver to do it with. Queues that all daemons share,
// and that nobody waits for, are looked at as often as River does by itself.
func Room(settings *river.Config, pool *pgxpool.Pool, shared ...string) *Driver {
	its := riverpgxv5.New(pool)
	a := &asks{
		pool: pool, river: its.GetExecutor(), schema: settings.Schema, log: settings.Logger, every: AskEvery, ownFor: ownFor,
		own: make(chan struct{}, 1), queues: map[string]*queue{}, running: map[int64]string{},
	}
	for name := range settings.Queues {
		a.queues[name] = &queue{shared: slices.Contains(shared, name)}
	}
	settings.Middleware = append(settings.Middleware, &watch{asks: a})
	return &Driver{its, a}
}

// asks are what was asked last, and what was said.
type asks struct {
	pool          *pgxpool.Pool
	river         riverdriver.Executor
	schema        string
	log           *slog.Logger
	every, ownFor time.Duration
	own           chan struct{} // this process has inserted a job

	mu     sync.Mutex
	queues map[string]*queue
	// running are the jobs that this process works, and their queues.
	running map[int64]string
}

type queue struct {
	// shared: all daemons have it, and River is not told of its jobs.
	shared bool
	// due: it had a job when it was asked for last.
	due bool
	// own is when this process inserted into it.
	own time.Time
	// settings are River's, as they were read.
	settings *rivertype.Queue
	read     time.Time
}

// run tells of queues that have a job, or are about to, and of jobs here that are to be
// cancelled, until ctx ends.
func (a *asks) run(ctx context.Context, tell func(news)) {
	ask := time.NewTicker(a.every)
	defer ask.Stop()
	var again <-chan time.Time // while this process inserts
	look := func() {
		for _, name := range a.worth() {
			tell(news{queue: name})
		}
	}
	a.ask(ctx)
	look()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ask.C:
			a.ask(ctx)
			look()
			for _, cancelled := range a.cancelled(ctx) {
				tell(cancelled)
			}
		case <-a.own: // not committed yet
			if again == nil { // one job after the other does not put it off
				again = time.After(ownEvery)
			}
		case <-again:
			look()
			again = nil
			if a.inserting() {
				again = time.After(ownEvery)
			}
		}
	}
}

// ask asks for all queues. Where Postgres does not answer, what it said before stands.
func (a *asks) ask(ctx context.Context) {
	a.mu.Lock()
	names := slices.Collect(maps.Keys(a.queues))
	a.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	found, err := dbsqlc.New().RiverJobDue(limited, a.pool, names)
	if err != nil {
		a.unanswered(ctx, err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for each, of := range a.queues {
		of.due = slices.Contains(found, each)
	}
}

// cancelled are the jobs here that River was asked to cancel: it looks for them once a minute
// by itself where it hears of them.
func (a *asks) cancelled(ctx context.Context) (all []news) {
	a.mu.Lock()
	running := maps.Clone(a.running)
	a.mu.Unlock()
	if len(running) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ids, err := a.river.JobGetCancelRequested(limited, &riverdriver.JobGetCancelRequestedParams{
		ID: slices.Collect(maps.Keys(running)), Schema: a.schema,
	})
	if err != nil {
		a.unanswered(ctx, err)
		return nil
	}
	for _, id := range ids {
		all = append(all, news{queue: running[id], cancelled: id})
	}
	return all
}

func (a *asks) unanswered(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.log.WarnContext(ctx, "could not ask for jobs", "error", err)
	}
}

// worth are the queues that River is to fetch from now.
func (a *asks) worth() (names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, q := range a.queues {
		if a.may(q) && !q.shared {
			names = append(names, name)
		}
	}
	return names
}

// inserting says whether this process has just inserted into a queue.
func (a *asks) inserting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.queues {
		if a.justInserted(q) {
			return true
		}
	}
	return false
}

// may says whether a fetch may find something.
func (a *asks) may(q *queue) bool { return q.due || a.justInserted(q) }

func (a *asks) justInserted(q *queue) bool { return time.Since(q.own) < a.ownFor }

// fetches says whether a queue is worth a fetch.
func (a *asks) fetches(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[name]
	return q == nil || a.may(q) // one that was added while it runs is not known
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
		select {
		case a.own <- struct{}{}:
		default: // it is told already
		}
	}
}

// works learns of a job that this process begins or ends.
func (a *asks) works(job *rivertype.JobRow, begins bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if begins {
		a.running[job.ID] = job.Queue
	} else {
		delete(a.running, job.ID)
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
	if !e.asks.fetches(params.Queue) {
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

// watch tells of what this process inserts, and what it works.
type watch struct {
	river.MiddlewareDefaults

	asks *asks
}

var (
	_ rivertype.JobInsertMiddleware = (*watch)(nil)
	_ rivertype.WorkerMiddleware    = (*watch)(nil)
)

// InsertMany implements rivertype.JobInsertMiddleware.
func (w *watch) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams,
	insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	results, err := insert(ctx)
	for _, job := range jobs {
		w.asks.inserted(job.Queue)
	}
	return results, err
}

// Work implements rivertype.WorkerMiddleware.
func (w *watch) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	w.asks.works(job, true)
	defer w.asks.works(job, false)
	return work(ctx)
}
