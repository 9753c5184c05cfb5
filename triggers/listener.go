package triggers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db/convoy"
	"weir/jobs/trace"
)

const (
	// recordTimeout ends before Mist's 5 s of silence, after which it posts again.
	recordTimeout = 4 * time.Second
	// busyTimeout is how long an event waits for its turn: by then rows have been
	// compared with Mist without it.
	busyTimeout = 5 * time.Second
	// readTimeout is for a whole request: 32 MiB over loopback take less than a second.
	readTimeout = 10 * time.Second
	// idleTimeout of a kept connection: Mist makes a new one for most events.
	idleTimeout = 30 * time.Second
	// maxHeader: Mist sends some 500 bytes.
	maxHeader = 16 << 10
	// maxAtOnce bounds memory: each holds keptBytes at most, and what comes of it. They take
	// a connection or two from the work, as they are recorded together.
	maxAtOnce = 16
	// togetherTimeout is how long those that are recorded together may take: there is time left
	// for each to be recorded alone.
	togetherTimeout = 2 * time.Second
)

// Config is what a listener needs.
type Config struct {
	// DB records the events.
	DB *pgxpool.Pool
	// HostID is this host's.
	HostID string
	// Spool is the folder under which pushes write, as Mist sees it: absolute.
	Spool string
	// Wake is called after an event of a transcode is committed that says something new. It must
	// not block.
	// nil: nobody is woken, and the transcode is looked at at the next poll.
	Wake func(transcode uuid.UUID)
	// Seen is called after an event is committed, with what was made of it; nil: nobody is told.
	Seen func(trigger, verdict string)
	// Logger; nil: none.
	Logger *slog.Logger
}

// Listener is the http.Handler that Mist's triggers are posted to, under any path.
// It may be used by many at once.
type Listener struct {
	cfg  Config
	turn chan struct{}
	// convoy has those that come at once recorded together.
	convoy convoy.Convoy[*arrival]
}

var _ http.Handler = (*Listener)(nil)

// New checks cfg.
func New(cfg *Config) (*Listener, error) {
	l := &Listener{cfg: *cfg, turn: make(chan struct{}, maxAtOnce)}
	l.convoy.Together, l.convoy.Within = l.together, togetherTimeout
	switch {
	case cfg.DB == nil:
		return nil, errors.New("trigger listener: no database given")
	case cfg.HostID == "":
		return nil, errors.New("trigger listener: no host id given")
	case !filepath.IsAbs(cfg.Spool):
		return nil, fmt.Errorf("trigger listener: spool %q: give a path from /", cfg.Spool)
	}
	l.cfg.Spool = filepath.Clean(cfg.Spool)
	if l.cfg.Wake == nil {
		l.cfg.Wake = func(uuid.UUID) {}
	}
	if l.cfg.Seen == nil {
		l.cfg.Seen = func(string, string) {}
	}
	if l.cfg.Logger == nil {
		l.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return l, nil
}

// Serve takes events from ln, which must be on loopback, until ctx ends; events in
// hand are then finished. It closes ln, and returns nil after ctx has ended.
func (l *Listener) Serve(ctx context.Context, ln net.Listener) error {
	if !loopback(ln.Addr().String()) {
		return errors.Join(fmt.Errorf("trigger listener on %s: triggers are taken on loopback only, as 127.0.0.1:8938", ln.Addr()), ln.Close())
	}
	server := &http.Server{
		Handler:        l,
		ReadTimeout:    readTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(l.cfg.Logger.Handler(), slog.LevelDebug),
		// Events in hand are finished after ctx: it must not reach them.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = server.Serve(ln)
	}()
	select {
	case <-ended:
		return fmt.Errorf("trigger listener on %s: %w", ln.Addr(), failed)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyTimeout+recordTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		// Only a client that still writes its request holds it up this long.
		l.cfg.Logger.Warn("trigger listener cut off a request", "error", err)
		_ = server.Close()
	}
	<-ended
	return nil
}

// ServeHTTP records one event. It answers 200 when it is recorded, now or before;
// 503 when it can't be, which Mist does not try again: rows are compared with Mist
// anyway. The answer is never empty, because Mist waits 5 s after an empty one.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback(r.RemoteAddr) {
		http.Error(w, "triggers are taken from this host only", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "triggers are posted", http.StatusMethodNotAllowed)
		return
	}
	// Mist closes the socket of an asynchronous trigger as soon as it has written,
	// which ends r.Context(); the event counts nevertheless.
	ctx := context.WithoutCancel(r.Context())
	trigger := r.Header.Get("X-Trigger")
	if err := l.take(ctx, r); err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, errCutOff) {
			status = http.StatusBadRequest
		}
		l.cfg.Logger.Warn("trigger not recorded: it is made good by the next look at Mist",
			"trigger", clean(trigger, maxName), "error", err)
		http.Error(w, "not recorded", status)
		return
	}
	_, _ = io.WriteString(w, "true")
}

// errCutOff: the request ended before its body. Such a half must not stand for the
// whole, which Mist sends again under the same UUID.
var errCutOff = errors.New("the request was cut off")

func (l *Listener) take(ctx context.Context, r *http.Request) error {
	waiting, stop := context.WithTimeout(ctx, busyTimeout)
	defer stop()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-waiting.Done():
		return fmt.Errorf("more than %d triggers at once: %w", maxAtOnce, waiting.Err())
	}
	p, err := readPost(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	e := l.read(p)
	recorded, err := l.record(ctx, &e)
	if err != nil {
		return fmt.Errorf("record %s of stream %q: %w", e.row.Trigger, e.row.Stream, err)
	}
	if recorded && e.matched() && !e.repeats() {
		l.cfg.Wake(e.name.Transcode)
	}
	about := trace.Subject{Host: l.cfg.HostID}
	if e.row.TranscodeID != nil {
		about.Transcode, about.Attempt = *e.row.TranscodeID, int(*e.row.Attempt)
	}
	if recorded {
		l.cfg.Seen(e.row.Trigger, e.row.Verdict)
	}
	l.cfg.Logger.DebugContext(trace.With(ctx, about), "trigger", "trigger", e.row.Trigger, "stream", e.row.Stream, "verdict", e.row.Verdict,
		"new", recorded, "note", e.row.Note)
	return nil
}

func loopback(address string) bool {
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}
