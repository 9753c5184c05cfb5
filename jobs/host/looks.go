package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
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
	// whole is of the newest one that all was looked at in; alone holds the transcodes whose rows
	// were read by themselves since.
	whole reading
	alone map[uuid.UUID]reading
	// runs is what runs in Mist; with silent it is empty, and silent says why.
	runs   engine.Look
	silent error
	// processes are the MistProcLivepeer of this machine, folders the attempts in the spool;
	// machine says why they could not be listed. Supervisors plan all the same. Only a whole
	// look has them.
	processes []engine.Found
	folders   []engine.Name
	machine   error
	// attempts are those of this host that are not cleaned up, each as it was when it was read.
	attempts map[engine.Name]*jobs.Rows
	// versions are of what the rows of an attempt were when a whole look began to read them: they
	// are of that version or a newer one, so of that one while it is the newest.
	versions map[engine.Name]string
	// idle: the host had nothing in hand at all, no attempt, no file to be stored and no job.
	idle bool
}

// reading is when rows were read.
type reading struct {
	number int64 // counts from 1
	// began is by this machine's clock: what was written before is in it.
	began time.Time
}

// reading is when the rows of a transcode were read.
func (l *look) reading(transcode uuid.UUID) reading {
	if alone, is := l.alone[transcode]; is {
		return alone
	}
	return l.whole
}

// blind says whether Mist did not answer.
func (l *look) blind() bool { return l.silent != nil }

// look takes a look: at all, or at Mist and the rows of some transcodes alone.
func (h *Host) look(ctx context.Context, of ...uuid.UUID) (*look, error) {
	l := &look{attempts: map[engine.Name]*jobs.Rows{}}
	asking, cancel := context.WithTimeout(ctx, mistAnswers)
	l.runs, l.silent = h.Engine.Look(asking)
	cancel()
	if len(of) == 0 {
		h.lookAtMachine(l)
	}
	reading, cancel := context.WithTimeout(ctx, rowsAnswer)
	defer cancel()
	if err := h.lookRows(reading, l, of); err != nil {
		return nil, fmt.Errorf("look at the rows of host %s: %w", h.ID, err)
	}
	return l, nil
}

// lookAtMachine lists what is here of attempts.
func (h *Host) lookAtMachine(l *look) {
	processes, unfound := h.Engine.Find()
	entries, unlisted := os.ReadDir(h.Spool)
	l.processes = processes
	l.machine = errors.Join(unfound, unlisted)
	for _, entry := range entries {
		if name, err := engine.ParseName(entry.Name()); err == nil && entry.Name() == name.String() {
			l.folders = append(l.folders, name)
		}
	}
}

// lookRows finds the host's attempts, or those of some transcodes.
func (h *Host) lookRows(ctx context.Context, l *look, of []uuid.UUID) (err error) {
	if len(of) > 0 {
		return h.lookAt(ctx, l, of)
	}
	if before, is := h.looks.newest(); is && len(before.attempts) == 0 {
		if l.idle, err = dbsqlc.New().HostIdle(ctx, h.DB, h.ID); err != nil || l.idle {
			return err
		}
	}
	return h.lookWhole(ctx, l)
}

// lookAt finds the attempts of some transcodes.
func (h *Host) lookAt(ctx context.Context, l *look, of []uuid.UUID) error {
	q := dbsqlc.New()
	rows, err := q.HostLookAt(ctx, h.DB, dbsqlc.HostLookAtParams{HostID: h.ID, Transcodes: of})
	if err != nil {
		return err
	}
	for i := range rows {
		l.found(&rows[i].Attempt, &rows[i].Transcode, rows[i].Rendition)
	}
	found := map[uuid.UUID]bool{}
	for name := range l.attempts {
		found[name.Transcode] = true
	}
	of = slices.DeleteFunc(slices.Clone(of), func(transcode uuid.UUID) bool { return found[transcode] })
	if len(of) == 0 {
		return nil
	}
	unplanned, err := q.HostLookAtUnplanned(ctx, h.DB, dbsqlc.HostLookAtUnplannedParams{HostID: h.ID, Transcodes: of})
	for i := range unplanned {
		l.found(&unplanned[i].Attempt, &unplanned[i].Transcode)
	}
	return err
}

// lookWhole finds all of the host's attempts. Most rows don't change from second to second, and
// are long: of what is as it was in the newest look, that look's are taken.
func (h *Host) lookWhole(ctx context.Context, l *look) error {
	found, err := dbsqlc.New().HostLookVersions(ctx, h.DB, h.ID)
	if err != nil {
		return err
	}
	before, _ := h.looks.newest()
	l.versions = make(map[engine.Name]string, len(found))
	changed := map[uuid.UUID]bool{}
	for _, is := range found {
		name := engine.Name{Transcode: is.TranscodeID, Attempt: int(is.Number)}
		l.versions[name] = is.Version
		if before.versions[name] != is.Version || before.attempts[name] == nil {
			changed[name.Transcode] = true
		}
	}
	for name := range l.versions {
		if !changed[name.Transcode] {
			l.attempts[name] = before.attempts[name]
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return h.lookAt(ctx, l, slices.Collect(maps.Keys(changed)))
}

// found takes up an attempt, if it was not, with renditions of it.
func (l *look) found(attempt *dbsqlc.Attempt, transcode *dbsqlc.Transcode, renditions ...dbsqlc.Rendition) {
	name := engine.Name{Transcode: attempt.TranscodeID, Attempt: int(attempt.Number)}
	if l.attempts[name] == nil {
		l.attempts[name] = &jobs.Rows{Transcode: *transcode, Attempt: *attempt}
	}
	l.attempts[name].Renditions = append(l.attempts[name].Renditions, renditions...)
}

// looks hands one look to all who wait for one: however many supervisors there are, Mist
// and Postgres are asked once, and for no more transcodes than those that somebody waits for.
type looks struct {
	mu sync.Mutex
	// latest has the newest rows of each attempt; whole is the newest that was of all.
	latest, whole *look
	news          chan struct{} // closed with the next look
	wanted        chan struct{}
	// wants are those that the next look has to be of.
	wants    wants
	watchers int
	taken    int64
}

// wants are transcodes, or all.
type wants struct {
	all   bool
	alone map[uuid.UUID]bool
}

func (w wants) none() bool { return !w.all && len(w.alone) == 0 }

func newLooks() *looks {
	return &looks{news: make(chan struct{}), wanted: make(chan struct{}, 1)}
}

// run takes a look when somebody wants one, and one of all every so often while somebody
// watches, until ctx ends. Between two it rests for as long as the last one took: a storm of
// triggers, each of which wants one, has half of its time taken by looks at the most.
func (l *looks) run(ctx context.Context, every time.Duration, take func(ctx context.Context, of ...uuid.UUID) (*look, error), failed func(error)) {
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
			l.want(wants{all: true})
		}
		began, of := time.Now(), l.take()
		if of.none() {
			continue // the look before was theirs
		}
		taken, err := take(ctx, slices.Collect(maps.Keys(of.alone))...)
		rest := min(time.Since(began), lookRest)
		if err != nil {
			if ctx.Err() == nil {
				failed(err)
			}
			l.want(of) // who waits still does
			rest = jobs.TroubleEvery
		} else {
			l.add(taken, began, of)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// take is what is wanted, which is not wanted any more then. The first look is one of all.
func (l *looks) take() wants {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.wants
	l.wants = wants{}
	if of.all || l.whole == nil && !of.none() {
		return wants{all: true}
	}
	return of
}

// add hands a look out, with what is known of those that it is not of.
func (l *looks) add(taken *look, began time.Time, of wants) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken++
	now := reading{number: l.taken, began: began}
	if of.all {
		taken.whole = now
		l.whole = taken
	} else {
		taken.whole, taken.alone = l.latest.whole, maps.Clone(l.latest.alone)
		if taken.alone == nil {
			taken.alone = map[uuid.UUID]reading{}
		}
		for transcode := range of.alone {
			taken.alone[transcode] = now
		}
		taken.versions = l.latest.versions
		for name, rows := range l.latest.attempts {
			if !of.alone[name.Transcode] {
				taken.attempts[name] = rows
			}
		}
	}
	l.latest = taken
	close(l.news)
	l.news = make(chan struct{})
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

func (l *looks) want(more wants) {
	l.mu.Lock()
	l.wants.all = l.wants.all || more.all
	if l.wants.alone == nil {
		l.wants.alone = map[uuid.UUID]bool{}
	}
	maps.Copy(l.wants.alone, more.alone)
	l.mu.Unlock()
	select {
	case l.wanted <- struct{}{}:
	default: // one is wanted already
	}
}

// next is when a transcode was last looked at, and tells of the look after that.
func (l *looks) next(transcode uuid.UUID) (last reading, news <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest != nil {
		last = l.latest.reading(transcode)
	}
	return last, l.news
}

// newest is the newest look, if there was one; else an empty one.
func (l *looks) newest() (newest *look, is bool) {
	if l == nil {
		return &look{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest == nil {
		return &look{}, false
	}
	return l.latest, true
}

// after is a look at a transcode that was begun after a time. It waits for it, until ctx ends.
func (l *looks) after(ctx context.Context, t time.Time, transcode uuid.UUID) (*look, error) {
	return l.await(ctx, wants{alone: map[uuid.UUID]bool{transcode: true}}, func() *look {
		if l.latest == nil || !l.latest.reading(transcode).began.After(t) {
			return nil
		}
		return l.latest
	})
}

// wholeAfter is a look at all that was begun after a time. It waits for it, until ctx ends.
func (l *looks) wholeAfter(ctx context.Context, t time.Time) (*look, error) {
	return l.await(ctx, wants{all: true}, func() *look {
		if l.whole == nil || !l.whole.whole.began.After(t) {
			return nil
		}
		return l.whole
	})
}

func (l *looks) await(ctx context.Context, of wants, fresh func() *look) (*look, error) {
	for {
		l.mu.Lock()
		is, news := fresh(), l.news
		l.mu.Unlock()
		if is != nil {
			return is, nil
		}
		l.want(of)
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
