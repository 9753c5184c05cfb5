package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"weir/api/events"
	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// heartbeatEvery is below the minute after which most load balancers take a silent
	// stream for a dead one.
	heartbeatEvery = 15 * time.Second
	// streamWrite is how long a write may take: a client that reads nothing for so long is
	// gone, or as good as that.
	streamWrite = 10 * time.Second
	// replayPage of events are read at once for one that comes again.
	replayPage = 500
	// streamRetry is when a client that found no room may come again.
	streamRetry = 10 * time.Second
)

const streamType = "text/event-stream"

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"19" pattern:"^[0-9]*$" patternDescription:"an event's id" doc:"The id of the last event that was received: the stream goes on behind it. 0 begins with the oldest that is kept."`
}

type transcodeEventsInput struct {
	ID          string `path:"id" doc:"The transcode's id." example:"0199c0de-0000-7000-8000-000000000000"`
	LastEventID string `header:"Last-Event-ID" maxLength:"19" pattern:"^[0-9]*$" patternDescription:"an event's id" doc:"The id of the last event that was received: the stream goes on behind it. Left out, it begins with the oldest that is kept."`
}

// behind reads the id to go on from.
func behind(last string) (id int64, given bool, err error) {
	if last == "" {
		return 0, false, nil
	}
	id, err = strconv.ParseInt(last, 10, 64)
	if err != nil {
		return 0, false, refuse([]error{refusal("header.Last-Event-ID", "is no id of an event; send back the last one that was received, or leave it out")})
	}
	return id, true, nil
}

// transcodeEvents streams what becomes of one transcode: all of it that is kept, unless the
// caller has a part already.
func (s *server) transcodeEvents(ctx context.Context, in *transcodeEventsInput) (*huma.StreamResponse, error) {
	id, err := parseID(in.ID)
	if err != nil {
		return nil, err
	}
	after, _, err := behind(in.LastEventID)
	if err != nil {
		return nil, err
	}
	detail, err := s.cfg.Transcodes.Get(ctx, callerOf(ctx).scope(), id)
	if err != nil {
		return nil, s.problem(ctx, "events", err)
	}
	q := dbsqlc.New()
	st := &stream{server: s, after: after, replays: true, page: func(ctx context.Context, after, settled int64) ([]dbsqlc.Event, error) {
		return q.EventListOfTranscode(ctx, s.cfg.Transcodes.DB, dbsqlc.EventListOfTranscodeParams{
			TranscodeID: id, After: after, Settled: settled, PageSize: replayPage,
		})
	}}
	st.terminal = jobs.Terminal(detail.Transcode.State)
	// What its end wrote may not be settled yet; where nothing is left, all is told.
	st.over = func(ctx context.Context, after int64) (bool, error) {
		waits, err := q.EventWaits(ctx, s.cfg.Transcodes.DB, dbsqlc.EventWaitsParams{TranscodeID: id, After: after})
		return !waits, err
	}
	return s.open(ctx, st, events.Scope{Transcode: id})
}

// tenantEvents streams what becomes of all transcodes of the caller's tenant, an operator's
// of everybody's, from now on or behind the last event that the caller has.
func (s *server) tenantEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	after, given, err := behind(in.LastEventID)
	if err != nil {
		return nil, err
	}
	q, tenant := dbsqlc.New(), callerOf(ctx).scope()
	st := &stream{server: s, after: after, replays: given, page: func(ctx context.Context, after, settled int64) ([]dbsqlc.Event, error) {
		if tenant == "" {
			return q.EventListAfter(ctx, s.cfg.Transcodes.DB, dbsqlc.EventListAfterParams{After: after, Settled: settled, PageSize: replayPage})
		}
		return q.EventListOfTenant(ctx, s.cfg.Transcodes.DB, dbsqlc.EventListOfTenantParams{
			Tenant: tenant, After: after, Settled: settled, PageSize: replayPage,
		})
	}}
	return s.open(ctx, st, events.Scope{Tenant: tenant})
}

// open begins a stream; its answer lasts until it ends.
func (s *server) open(ctx context.Context, st *stream, scope events.Scope) (*huma.StreamResponse, error) {
	listener, err := s.cfg.Events.Listen(ctx, scope, string(callerOf(ctx)))
	switch {
	case errors.Is(err, events.ErrTooMany):
		return nil, later(huma.Error429TooManyRequests("there are too many listeners; close those that are not needed, or come again later"))
	case errors.Is(err, events.ErrStopping):
		return nil, later(huma.Error503ServiceUnavailable("this daemon stops; come again"))
	case err != nil:
		return nil, s.problem(ctx, "events", err)
	}
	st.listener = listener
	return &huma.StreamResponse{Body: func(answer huma.Context) {
		defer listener.Close()
		r, w := humago.Unwrap(answer)
		st.run(lifeOf(r.Context()), w)
	}}, nil
}

func later(err error) error {
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {strconv.Itoa(int(streamRetry.Seconds()))}})
}

// stream is an answer that goes on.
type stream struct {
	server   *server
	listener *events.Listener
	after    int64
	// replays: what is kept behind after comes first.
	replays bool
	page    func(ctx context.Context, after, settled int64) ([]dbsqlc.Event, error)
	// terminal: the one transcode that it is about has ended, as far as is known; over says
	// whether no event of it is left behind an id.
	terminal bool
	over     func(ctx context.Context, after int64) (bool, error)

	w       http.ResponseWriter
	control *http.ResponseController
}

// run sends until the caller goes, or nothing more comes. A caller that is gone needs no
// word, and one that a write failed for comes again.
func (st *stream) run(ctx context.Context, w http.ResponseWriter) {
	st.w, st.control = w, http.NewResponseController(w)
	// The server's limits are those of short requests.
	if err := st.control.SetReadDeadline(time.Time{}); err != nil {
		st.server.cfg.Logger.WarnContext(ctx, "stream keeps its limits", "error", err)
	}
	w.Header().Set("Content-Type", streamType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	w.WriteHeader(http.StatusOK)
	if st.send(events.Hello()) != nil {
		return
	}
	if ended, err := st.replay(ctx); ended || err != nil {
		if err != nil && ctx.Err() == nil {
			st.server.cfg.Logger.WarnContext(ctx, "events not replayed", "error", err)
		}
		return
	}
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if st.send(events.Heartbeat) != nil {
				return
			}
		case <-st.listener.News():
			chunks, over := st.listener.Take()
			if st.after > st.listener.From() {
				for i := range chunks {
					chunks[i] = events.Behind(chunks[i], st.after)
				}
			}
			if over != "" {
				chunks = append(chunks, events.Last(over))
			}
			if st.send(chunks...) != nil || over != "" {
				return
			}
		}
	}
}

// replay sends what was before the listener listened. ended: nothing comes behind it.
func (st *stream) replay(ctx context.Context) (ended bool, err error) {
	if err := st.tellMissed(ctx); err != nil {
		return false, err
	}
	for st.replays {
		page, err := st.read(ctx)
		if err != nil {
			return false, err
		}
		var chunks [][]byte
		for i := range page {
			frame, err := events.Frame(new(view.EventOf(&page[i])))
			if err != nil {
				return false, err
			}
			chunks, st.after, st.terminal = append(chunks, frame), page[i].ID, events.Ends(&page[i])
		}
		if err := st.send(chunks...); err != nil {
			return true, nil //nolint:nilerr // the caller is gone
		}
		st.replays = len(page) == replayPage
	}
	if st.over == nil || !st.terminal {
		return false, nil
	}
	if ended, err = st.over(ctx, st.after); err == nil && ended {
		_ = st.send(events.Last(events.Ended)) // nothing follows
	}
	return ended, err
}

// tellMissed says so where older events than are kept were asked for, or where no event has had
// the id, as behind a backup that was restored: the stream begins with what comes then, and that
// of one transcode with all of it.
func (st *stream) tellMissed(ctx context.Context) error {
	if !st.replays || st.after == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	kept, err := dbsqlc.New().EventBounds(ctx, st.server.cfg.Transcodes.DB)
	if err != nil {
		return err
	}
	never := st.after > max(kept.Newest, st.listener.From())
	switch {
	case never && st.over != nil:
		st.after = 0 // all that there is of the one
	case never:
		st.after, st.replays = st.listener.From(), false
	case st.after >= kept.Oldest-1 || st.over != nil:
		return nil
	}
	return st.send(events.Missed())
}

func (st *stream) read(ctx context.Context) ([]dbsqlc.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return st.page(ctx, st.after, st.listener.From())
}

// send writes chunks at once.
func (st *stream) send(chunks ...[]byte) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	for _, chunk := range chunks {
		if _, err := st.w.Write(chunk); err != nil {
			return err
		}
	}
	return st.control.Flush()
}
