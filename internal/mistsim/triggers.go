package mistsim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// Trigger names that a host fires.
const (
	liveTrackList = "LIVE_TRACK_LIST"
	pushEnd       = "PUSH_END"
	recordingEnd  = "RECORDING_END"
	inputAbort    = "INPUT_ABORT"
	streamEnd     = "STREAM_END"
)

const (
	// triggerAttempts is how often Mist tries before an event is lost.
	triggerAttempts = 5
	// maxAnswer bounds what is read of a sync handler's answer.
	maxAnswer = 1 << 20
)

// event is one trigger before it is addressed to handlers.
type event struct {
	name, stream, body string
	pid                int
	streamUUID         string // X-UUID, of processes that know the stream
	cookie             bool   // of the controller and what it started
}

// delivery is an event on its way to one handler.
type delivery struct {
	event
	handler handler
	id      string
}

// fire sends the event to every handler that matches. Async deliveries go
// their own way; fire waits for sync ones, as Mist's processes do. The answer
// ends when all are delivered or lost. The caller does not hold mu.
func (s *Server) fire(e event) (delivered func()) {
	s.mu.Lock()
	var all []delivery
	for _, h := range s.published[e.name] {
		if h.matches(e.stream) {
			all = append(all, delivery{event: e, handler: h, id: uuid.NewString()})
		}
	}
	s.note(logLine{kind: "INFO", message: "Executing " + e.name + " trigger", stream: e.stream, pid: e.pid})
	s.mu.Unlock()
	var sent sync.WaitGroup
	for _, d := range all {
		if d.handler.Sync {
			s.deliver(d)
			continue
		}
		s.send(d, &sent)
	}
	return sent.Wait
}

// handlerOf names the first handler of a trigger, for the logs of pushes.
func (s *Server) handlerOf(name, stream string) string {
	for _, h := range s.published[name] {
		if h.matches(stream) {
			return h.URL
		}
	}
	return ""
}

// send applies the faults and delivers in the background.
func (s *Server) send(d delivery, sent *sync.WaitGroup) {
	s.mu.Lock()
	f := s.faults
	if f.loses(d.name) {
		s.mu.Unlock()
		return
	}
	queue := []delivery{d}
	if f.ReorderTriggers {
		// Keep one back until the next comes, and send that one first. The last
		// of a run is sent by sessionPass.
		if s.held == nil {
			s.held = &d
			s.mu.Unlock()
			return
		}
		queue = append(queue, *s.held)
		s.held = nil
	}
	s.mu.Unlock()
	copies := 1
	if f.DoubleTriggers {
		copies = 2
	}
	sent.Add(1)
	started := s.run(func() {
		defer sent.Done()
		if !wait(s.ctx, time.Duration(f.DelayTriggersMS)*time.Millisecond) {
			return
		}
		for _, d := range queue {
			for range copies {
				s.deliver(d)
			}
		}
	})
	if !started {
		sent.Done()
	}
}

// release sends a trigger that reordering kept back.
func (s *Server) release() {
	s.mu.Lock()
	d := s.held
	s.held = nil
	s.mu.Unlock()
	if d != nil {
		s.run(func() { s.deliver(*d) })
	}
}

// deliver tries five times under one id; a refused connection burns all five
// at once. Then the event is lost.
func (s *Server) deliver(d delivery) {
	for attempt := 1; attempt <= triggerAttempts && s.ctx.Err() == nil; attempt++ {
		err := s.post(d, attempt)
		if err == nil {
			return
		}
		s.log.Debug("trigger not delivered", "trigger", d.name, "stream", d.stream, "attempt", attempt, "error", err)
	}
	s.log.Warn("trigger lost", "trigger", d.name, "stream", d.stream)
}

// post makes one attempt. An async one writes the request and closes the
// socket at once, without a look at the answer.
func (s *Server) post(d delivery, attempt int) error {
	target, err := url.Parse(d.handler.URL)
	if err != nil || target.Scheme != "http" {
		return fmt.Errorf("handler %q: only http:// is supported by mistsim", d.handler.URL)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timing.TriggerSilence)
	defer cancel()
	host := target.Host
	if target.Port() == "" {
		host = net.JoinHostPort(target.Hostname(), "80")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("connect %s: %w", host, err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := io.WriteString(conn, s.requestText(d, target, attempt)); err != nil {
		return fmt.Errorf("write to %s: %w", host, err)
	}
	if !d.handler.Sync {
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			return nil // answered or not, Mist does not ask again
		}
		return fmt.Errorf("read from %s: %w", host, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	return nil
}

// requestText is the request as the flavour writes it.
func (s *Server) requestText(d delivery, target *url.URL, attempt int) string {
	var b strings.Builder
	now := time.Now()
	header := func(name string, value any) { fmt.Fprintf(&b, "%s: %v\r\n", name, value) }
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\n", target.RequestURI())
	header("Host", target.Host)
	header("Accept", "*/*")
	header("Content-Length", len(d.body))
	header("Content-Type", "text/plain")
	if d.cookie && !s.upstream() {
		header("Cookie", "Host="+strings.ReplaceAll(s.addr, ":", "%3a")+"; User-Agent=mistsim")
	}
	header("User-Agent", "MistServer/"+s.version)
	header("X-Trigger", d.name)
	header("X-Trigger-UUID", d.id)
	header("X-Version", s.version)
	if s.upstream() {
		header("Date", now.UTC().Format(time.RFC1123Z))
		header("X-Attempt", attempt)
		header("X-Instance", s.iid)
		header("X-PID", d.pid)
		header("X-Trigger-UnixMillis", now.UnixMilli())
	} else if d.streamUUID != "" {
		header("X-UUID", d.streamUUID)
	}
	b.WriteString("\r\n")
	b.WriteString(d.body)
	return b.String()
}

// wait pauses and reports whether the context still lives.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
