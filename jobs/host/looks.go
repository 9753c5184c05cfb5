package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
)

const (
	// mistAnswers is how long Mist may take to say what runs: a healthy one takes
	// milliseconds, a starved one seconds. Longer is silence.
	mistAnswers = 10 * time.Second
	// rowsAnswer bounds the one query of a look.
	rowsAnswer = 10 * time.Second
	// lookRest is the longest rest between two looks.
	lookRest = 100 * time.Millisecond
)

// A look is what this host saw at one moment: its Mist, its machine and then its rows, as
// an attempt is in the rows before anything of it is elsewhere. All that the host decides
// comes from it.
type look struct {
	number int64 // counts from 1
	// began is when, by this machine's clock: what was written before is in it.
	began time.Time
	// runs is what runs in Mist; with silent it is empty, and silent says why.
	runs   engine.Look
	silent error
	// processes are the MistProcLivepeer of this machine, folders the attempts in the spool;
	// machine says why they could not be listed. Supervisors plan all the same.
	processes []engine.Found
	folders   []engine.Name
	machine   error
	// attempts are those of this host that are not cleaned up.
	attempts map[engine.Name]*jobs.Rows
	// idle: the host had nothing in hand at all, no attempt, no file to be stored and no job.
	idle bool
}

// blind says whether Mist did not answer.
func (l *look) blind() bool { return l.silent != nil }

// look takes a look.
func (h *Host) look(ctx context.Context) (*look, error) {
	l := &look{began: time.Now(), attempts: map[engine.Name]*jobs.Rows{}}
	asking, cancel := context.WithTimeout(ctx, mistAnswers)
	l.runs, l.silent = h.Engine.Look(asking)
	cancel()
	processes, unfound := h.Engine.Find()
	entries, unlisted := os.ReadDir(h.Spool)
	l.processes = processes
	l.machine = errors.Join(unfound, unlisted)
	for _, entry := range entries {
		if name, err := engine.ParseName(entry.Name()); err == nil && entry.Name() == name.String() {
			l.folders = append(l.folders, name)
		}
	}
	reading, cancel := context.WithTimeout(ctx, rowsAnswer)
	defer cancel()
	if h.looks.sawNothing() {
		var err error
		if l.idle, err = dbsqlc.New().HostIdle(reading, h.DB, h.ID); err != nil {
			return nil, fmt.Errorf("look at the rows of host %s: %w", h.ID, err)
		}
		if l.idle {
			return l, nil
		}
	}
	if err := h.lookRows(reading, l); err != nil {
		return nil, fmt.Errorf("look at the rows of host %s: %w", h.ID, err)
	}
	return l, nil
}

// lookRows finds the host's attempts. Most have their renditions when they are placed, and are
// found by one statement, whose planning is most of what a look costs.
func (h *Host) lookRows(ctx context.Context, l *look) error {
	q := dbsqlc.New()
	rows, err := q.HostLook(ctx, h.DB, h.ID)
	if err != nil {
		return err
	}
	l.planned(rows)
	if len(rows) > 0 && int64(len(l.attempts)) == rows[0].Open {
		return nil
	}
	// Before the others are looked at again, so that none is missed whose renditions come
	// between the two.
	unplanned, err := q.HostLookUnplanned(ctx, h.DB, h.ID)
	if err != nil {
		return err
	}
	clear(l.attempts)
	for _, row := range unplanned {
		name := engine.Name{Transcode: row.Attempt.TranscodeID, Attempt: int(row.Attempt.Number)}
		l.attempts[name] = &jobs.Rows{Transcode: row.Transcode, Attempt: row.Attempt}
	}
	if rows, err = q.HostLook(ctx, h.DB, h.ID); err != nil {
		return err
	}
	l.planned(rows)
	return nil
}

// planned takes up attempts that have renditions.
func (l *look) planned(rows []dbsqlc.HostLookRow) {
	for i := range rows {
		row := &rows[i]
		name := engine.Name{Transcode: row.Attempt.TranscodeID, Attempt: int(row.Attempt.Number)}
		if known := l.attempts[name]; known == nil || len(known.Renditions) == 0 {
			l.attempts[name] = &jobs.Rows{Transcode: row.Transcode, Attempt: row.Attempt}
		}
		l.attempts[name].Renditions = append(l.attempts[name].Renditions, row.Rendition)
	}
}

// looks hands one look to all who wait for one: however many supervisors there are, Mist
// and Postgres are asked once.
type looks struct {
	mu       sync.Mutex
	latest   *look
	news     chan struct{} // closed with the next look
	wanted   chan struct{}
	watchers int
}

func newLooks() *looks {
	return &looks{news: make(chan struct{}), wanted: make(chan struct{}, 1)}
}

// run takes a look when somebody wants one, and every so often while somebody watches,
// until ctx ends. Between two it rests for as long as the last one took: a storm of triggers,
// each of which wants one, has half of its time taken by looks at the most.
func (l *looks) run(ctx context.Context, every time.Duration, take func(context.Context) (*look, error), failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wanted:
		case <-tick.C:
			if !l.watched() {
				continue
			}
		}
		began := time.Now()
		taken, err := take(ctx)
		rest := min(time.Since(began), lookRest)
		if err != nil {
			if ctx.Err() == nil {
				failed(err)
			}
			l.want() // who waits still does
			select {
			case <-ctx.Done():
				return
			case <-time.After(jobs.TroubleEvery):
			}
			continue
		}
		l.mu.Lock()
		if l.latest != nil {
			taken.number = l.latest.number
		}
		taken.number++
		l.latest = taken
		close(l.news)
		l.news = make(chan struct{})
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// watch makes looks come by themselves until the returned function is called.
func (l *looks) watch() (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watchers--
	}
}

func (l *looks) watched() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watchers > 0
}

func (l *looks) want() {
	select {
	case l.wanted <- struct{}{}:
	default: // one is wanted already
	}
}

// next is the look behind what came before it, and tells of the one after that.
func (l *looks) next() (latest *look, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, l.news
}

// sawNothing says whether the newest look found no attempt.
func (l *looks) sawNothing() bool {
	if l == nil {
		return false
	}
	latest, _ := l.next()
	return latest != nil && len(latest.attempts) == 0
}

// after is a look that was begun after a time. It waits for it, until ctx ends.
func (l *looks) after(ctx context.Context, t time.Time) (*look, error) {
	for {
		latest, news := l.next()
		if latest != nil && latest.began.After(t) {
			return latest, nil
		}
		l.want()
		select {
		case <-news:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Wakes tells a transcode's supervisor in this process that its rows may have
// changed. A wake that nobody hears costs one poll, never correctness.
type Wakes struct {
	mu       sync.Mutex
	sleepers map[uuid.UUID]chan struct{}
}

// NewWakes returns an empty set.
func NewWakes() *Wakes { return &Wakes{sleepers: map[uuid.UUID]chan struct{}{}} }

// Wake wakes the supervisor of a transcode, if one is here. It never blocks.
func (w *Wakes) Wake(transcode uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.sleepers[transcode] <- struct{}{}:
	default: // nobody sleeps, or is woken already
	}
}

// listen returns the channel of a transcode's wakes, and what ends the listening.
func (w *Wakes) listen(transcode uuid.UUID) (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake := make(chan struct{}, 1)
	w.sleepers[transcode] = wake
	return wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.sleepers[transcode] == wake {
			delete(w.sleepers, transcode)
		}
	}
}
