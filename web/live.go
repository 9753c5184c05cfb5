package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"weir/api/events"
)

const (
	// streamsMost bounds what open pages cost a daemon.
	streamsMost = 200
	// streamWrite is how long a browser may take for what is sent.
	streamWrite = 10 * time.Second
	// streamBeat shows the stream alive, and looks whether its session is.
	streamBeat = 15 * time.Second
	streamType = "text/event-stream"
	// overviewEvery is how old an open overview gets.
	overviewEvery = 5 * time.Second
)

// live is a stream of parts of a page, each with an id that the page has too.
type live struct {
	pages *Pages
	r     *http.Request
	w     http.ResponseWriter
	ctl   *http.ResponseController
	name  string
	last  string
}

// stream begins one; nil: it can't, and has said so.
func (p *Pages) stream(w http.ResponseWriter, r *http.Request, name string) (*live, func()) {
	select {
	case p.streams <- struct{}{}:
	default:
		w.Header().Set("Retry-After", "30")
		p.problem(w, r, http.StatusServiceUnavailable, fmt.Errorf("%d pages are kept up to date, which is the most: close some", streamsMost))
		return nil, nil
	}
	l := &live{pages: p, r: r, w: w, ctl: http.NewResponseController(w), name: name}
	if err := l.ctl.SetReadDeadline(time.Time{}); err != nil {
		p.warn(r.Context(), "stream keeps its limits", err)
	}
	w.Header().Set("Content-Type", streamType)
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	w.WriteHeader(http.StatusOK)
	return l, func() { <-p.streams }
}

var errGone = errors.New("the browser is gone")

// send writes an event at once.
func (l *live) send(event, data string) error {
	if err := l.ctl.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return errGone
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(&out, "data: %s\n", line)
	}
	out.WriteString("\n")
	if _, err := l.w.Write(out.Bytes()); err != nil {
		return errGone
	}
	if l.ctl.Flush() != nil {
		return errGone
	}
	return nil
}

// tell sends the parts anew where they have changed.
func (l *live) tell(data any) error {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, l.name, data); err != nil {
		return fmt.Errorf("make the parts of %s: %w", l.name, err)
	}
	if out.String() == l.last {
		return nil
	}
	l.last = out.String()
	return l.send("parts", l.last)
}

// beat says that the stream is alive; an error: it is not to be, its session has ended.
func (l *live) beat() error {
	user, err := l.pages.user(l.r)
	if err == nil && user == nil {
		_ = l.send("logout", "")
		return errGone
	}
	return l.send("beat", "")
}

// every looks again and again, until the browser goes or the daemon stops.
func (l *live) every(ctx context.Context, interval time.Duration, look func(context.Context) (any, error)) {
	tick, beat := time.NewTicker(interval), time.NewTicker(streamBeat)
	defer tick.Stop()
	defer beat.Stop()
	for {
		data, err := look(ctx)
		if err == nil {
			err = l.tell(data)
		}
		if errors.Is(err, errGone) {
			return
		}
		if err != nil {
			l.pages.warn(ctx, "page not kept up to date", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-beat.C:
			if l.beat() != nil {
				return
			}
		}
	}
}

// follow looks whenever something happens in a scope. It ends where look says that nothing
// more comes, too.
func (l *live) follow(ctx context.Context, listener *events.Listener, look func(context.Context) (data any, more bool, err error)) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		data, more, err := look(ctx)
		if err == nil {
			err = l.tell(data)
		}
		if errors.Is(err, errGone) {
			return
		}
		if err != nil {
			l.pages.warn(ctx, "page not kept up to date", err)
		} else if !more {
			_ = l.send("end", "")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C: // and a look: what follows an end is no event
			if l.beat() != nil {
				return
			}
		case <-listener.News():
			if _, over := listener.Take(); over != "" && over != events.Ended {
				return // the browser comes again
			}
		}
	}
}
