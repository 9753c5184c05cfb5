package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// lookEvery is how late an event may be.
	lookEvery = 500 * time.Millisecond
	// progressEvery is how late progress may be; hosts tell theirs every five seconds.
	progressEvery = time.Second
	// positionsEvery: places in the queue change with each placement.
	positionsEvery = 5 * time.Second
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
	// pageSize of events are read at once.
	pageSize = 1000

	// listenersMost are served by one daemon; each costs a connection and some 40 KiB.
	listenersMost = 10_000
	// listenersOfTenant keep one tenant from taking all of them.
	listenersOfTenant = 2_000
	// positionsMost is how far a queue is counted.
	positionsMost = 1000
)

// What Listen refuses with.
var (
	ErrStopping = errors.New("the daemon stops")
	ErrTooMany  = errors.New("there are too many listeners")
)

type set = map[*Listener]struct{}

// Hub serves the listeners of a daemon, while Run runs.
type Hub struct {
	DB  *pgxpool.Pool
	Log *slog.Logger

	mu      sync.Mutex
	stopped bool
	// joined wakes Run.
	joined chan struct{}
	count  int
	of     map[string]int
	// The listeners by their scope.
	transcodes map[uuid.UUID]set
	tenants    map[string]set
	everybody  set
	// cursor is the event that all listeners have; known while the database is read.
	cursor int64
	known  bool
	// waiting have no place yet to listen from.
	waiting set
	// fresh have yet to hear how far everything is.
	fresh set

	// told is what listeners know of those that hosts have, and of places in the queue.
	told      map[uuid.UUID]string
	positions map[uuid.UUID]jobs.Position
}

// New makes a Hub.
func New(pool *pgxpool.Pool, log *slog.Logger) *Hub {
	return &Hub{
		DB: pool, Log: log, joined: make(chan struct{}, 1), of: map[string]int{},
		transcodes: map[uuid.UUID]set{}, tenants: map[string]set{}, everybody: set{}, waiting: set{}, fresh: set{},
	}
}

// Listen begins to listen, for a tenant. It returns once there is a place to listen from.
func (h *Hub) Listen(ctx context.Context, scope Scope, whose string) (*Listener, error) {
	l := &Listener{hub: h, scope: scope, whose: whose, begun: make(chan struct{}), news: make(chan struct{}, 1)}
	if err := h.join(l); err != nil {
		return nil, err
	}
	select {
	case <-l.begun:
		return l, nil
	case <-l.news: // it can only be over
		l.Close()
		return nil, ErrStopping
	case <-ctx.Done():
		l.Close()
		return nil, fmt.Errorf("wait for the events' reader: %w", ctx.Err())
	}
}

func (h *Hub) join(l *Listener) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return ErrStopping
	case h.count >= listenersMost, h.of[l.whose] >= listenersOfTenant:
		return ErrTooMany
	}
	h.count++
	h.of[l.whose]++
	switch {
	case l.scope.Transcode != uuid.Nil:
		add(h.transcodes, l.scope.Transcode, l)
	case l.scope.Tenant != "":
		add(h.tenants, l.scope.Tenant, l)
	default:
		h.everybody[l] = struct{}{}
	}
	if h.known {
		h.place(l)
		return nil
	}
	h.waiting[l] = struct{}{}
	select {
	case h.joined <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// place has a listener hear what comes behind the cursor. The lock is held.
func (h *Hub) place(l *Listener) {
	l.from = h.cursor
	h.fresh[l] = struct{}{}
	close(l.begun)
}

func (h *Hub) leave(l *Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count--
	if h.of[l.whose]--; h.of[l.whose] == 0 {
		delete(h.of, l.whose)
	}
	delete(h.waiting, l)
	delete(h.fresh, l)
	delete(h.everybody, l)
	drop(h.transcodes, l.scope.Transcode, l)
	drop(h.tenants, l.scope.Tenant, l)
}

func add[K comparable](sets map[K]set, key K, l *Listener) {
	if sets[key] == nil {
		sets[key] = set{}
	}
	sets[key][l] = struct{}{}
}

func drop[K comparable](sets map[K]set, key K, l *Listener) {
	delete(sets[key], l)
	if len(sets[key]) == 0 {
		delete(sets, key)
	}
}

// Run reads for the listeners until ctx ends, and ends them then.
func (h *Hub) Run(ctx context.Context) error {
	defer h.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.joined:
		}
		if err := h.serve(ctx); err != nil && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "events not read", "error", err)
		}
	}
}

func (h *Hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped, h.known = true, false
	for l := range h.all() {
		l.push(nil, Stopping)
	}
}

// all are the listeners. The lock is held.
func (h *Hub) all() set {
	all := maps.Clone(h.everybody)
	for _, sets := range [][]set{slices.Collect(maps.Values(h.transcodes)), slices.Collect(maps.Values(h.tenants))} {
		for _, s := range sets {
			maps.Copy(all, s)
		}
	}
	return all
}

// serve reads for as long as somebody listens.
func (h *Hub) serve(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	h.told, h.positions = map[uuid.UUID]string{}, map[uuid.UUID]jobs.Position{}
	var progressAt, positionsAt time.Time
	failing := false
	for h.listened() {
		err := h.look(ctx)
		if err == nil && time.Since(progressAt) >= progressEvery-lookEvery/2 {
			progressAt = time.Now()
			due := time.Since(positionsAt) >= positionsEvery
			if due {
				positionsAt = progressAt
			}
			err = h.progress(ctx, due)
		}
		if err != nil && !failing && ctx.Err() == nil {
			h.Log.WarnContext(ctx, "events not read", "error", err) // once: listeners wait for it
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-h.joined:
		}
	}
	return nil
}

// listened says whether somebody listens. When nobody does, nobody has a place any more.
func (h *Hub) listened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		h.known = false
	}
	return h.count > 0
}

// look reads what has happened, and tells it.
func (h *Hub) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	q := dbsqlc.New()
	settled, err := q.EventSettled(ctx, h.DB)
	if err != nil {
		return fmt.Errorf("look how far events are settled: %w", err)
	}
	h.mu.Lock()
	if !h.known {
		h.cursor, h.known = settled, true
		for l := range h.waiting {
			h.place(l)
		}
		clear(h.waiting)
	}
	after := h.cursor
	h.mu.Unlock()
	for after < settled {
		page, err := q.EventListAfter(ctx, h.DB, dbsqlc.EventListAfterParams{After: after, Settled: settled, PageSize: pageSize})
		if err != nil {
			return fmt.Errorf("read events behind %d: %w", after, err)
		}
		if after = settled; len(page) == pageSize {
			after = page[len(page)-1].ID
		}
		if err := h.tell(page, after); err != nil {
			return err
		}
	}
	return nil
}

// tell gives a page of events to those that listen, who have all up to cursor then.
func (h *Hub) tell(page []dbsqlc.Event, cursor int64) error {
	round := newRound()
	for i := range page {
		e := &page[i]
		frame, err := Frame(new(view.EventOf(e)))
		if err != nil {
			return err
		}
		round.add(e.TranscodeID, e.Tenant, frame, Ends(e))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.send(round, nil)
	h.cursor = cursor
	return nil
}
