package mistsim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/mistsim/shm"
)

// maxPushLogs is how many lines push_list shows of a push.
const maxPushLogs = 10

// push is a MistOutHTTPTS: a process of its own that writes a track to a file.
type push struct {
	pid            int
	stream, target string
	cmd            *exec.Cmd
	logs           []logLine
	status         object // nil before the first update
	exited         bool
	ended          bool   // PUSH_END is being sent
	doom           string // how a fault makes it lose what it has not written
	done           chan struct{}
}

// startPush starts a push process and tells nothing, whatever comes of it. The
// caller holds mu.
func (s *Server) startPush(stream, target string) {
	path, parameters := cutParameters(target)
	if s.faults.IgnorePushes || !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, ".ts") {
		return // no output matches
	}
	for _, p := range s.pushes {
		if p.stream == stream && p.target == target && !p.exited {
			return
		}
	}
	if b := s.sinks[stream]; !s.upstream() && (b == nil || !b.online()) && s.inputs[stream] == nil {
		return
	}
	if s.upstream() && s.sinks[stream] == nil && s.inputs[stream] == nil {
		s.run(func() { s.kickoff(stream) })
	}
	stopMS, _ := strconv.ParseInt(parameters.Get("recstop"), 10, 64) // none is 0
	doom := s.dooms(stopMS)
	if s.resumeMode(stream) != wipes {
		doom = ""
	}
	if doom == LostUnstarted {
		return
	}
	cmd := exec.CommandContext(s.ctx, s.cfg.PushCommand[0], slices.Concat(s.cfg.PushCommand[1:], []string{s.socket()})...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.note(logLine{kind: "FAIL", message: "Could not start push: " + err.Error(), stream: stream})
		s.log.Error("start push process", "stream", stream, "error", err)
		return
	}
	p := &push{pid: cmd.Process.Pid, stream: stream, target: target, cmd: cmd, doom: doom, done: make(chan struct{})}
	s.pushes[p.pid] = p
	if s.upstream() {
		p.status = object{"active_ms": 0, "active_seconds": 0, "current_target": "", "media_tx": 0, "mediatime": 0}
	}
	if b := s.sinks[stream]; b != nil {
		b.pushed++
	}
	s.run(func() {
		_ = p.cmd.Wait() // how it ended is in its files and triggers
		s.mu.Lock()
		p.exited = true
		s.mu.Unlock()
		close(p.done)
	})
}

func (s *Server) socket() string { return filepath.Join(s.cfg.Dir, shm.SocketName) }

// cutParameters splits a target at its last '?'.
func cutParameters(target string) (string, url.Values) {
	i := strings.LastIndexByte(target, '?')
	if i < 0 {
		return target, url.Values{}
	}
	values, err := url.ParseQuery(target[i+1:])
	if err != nil {
		values = url.Values{}
	}
	return target[:i], values
}

// pushPass notices ended pushes and sends their PUSH_END.
func (s *Server) pushPass(time.Time) {
	s.mu.Lock()
	var over []*push
	for _, pid := range slices.Sorted(maps.Keys(s.pushes)) {
		if p := s.pushes[pid]; p.exited && !p.ended {
			p.ended = true
			over = append(over, p)
			delete(s.pushes, pid)
		}
	}
	s.mu.Unlock()
	for _, p := range over {
		body := joined(p.pid, p.stream, p.target, p.target, compact(tuples(p.logs, s.upstream())), compact(p.status))
		e := event{name: pushEnd, stream: p.stream, pid: os.Getpid(), cookie: true, body: body}
		if s.holdsAPI(e) {
			s.apiMu.Lock()
			s.fire(e)
			s.apiMu.Unlock()
			continue
		}
		s.fire(e)
	}
}

// holdsAPI reports a sync handler, for which the controller waits with its
// config locked.
func (s *Server) holdsAPI(e event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.published[e.name], func(h handler) bool { return h.Sync && h.matches(e.stream) })
}

func compact(v any) string {
	if o, ok := v.(object); v == nil || ok && o == nil {
		return "null"
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// listPushes answers push_list: four entries at first, five with logs, six with
// a status. The caller holds mu.
func (s *Server) listPushes() any {
	var out []any
	for _, pid := range slices.Sorted(maps.Keys(s.pushes)) {
		p := s.pushes[pid]
		if p.exited {
			continue
		}
		entry := []any{p.pid, p.stream, p.target, p.target}
		if len(p.logs) > 0 || p.status != nil {
			entry = append(entry, tuples(p.logs, s.upstream()))
		}
		if p.status != nil && len(p.logs) > 0 {
			entry = append(entry, p.status)
		}
		out = append(out, entry)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// signalPushes answers push_stop: an id, a list of them, or on Upstream a
// stream. The caller holds mu.
func (s *Server) signalPushes(v any) {
	all, ok := v.([]any)
	if !ok {
		all = []any{v}
	}
	for _, one := range all {
		if pid, ok := number(one); ok {
			if p := s.pushes[pid]; p != nil && !p.exited {
				s.terminate(pid)
			}
			continue
		}
		for _, p := range s.pushes {
			if name, _ := one.(string); s.upstream() && name == p.stream && !p.exited {
				s.terminate(p.pid)
			}
		}
	}
}

// stopPushes ends all pushes as a clean shutdown does.
func (s *Server) stopPushes() {
	s.mu.Lock()
	var all []*push
	for _, p := range s.pushes {
		p.ended = true
		if !p.exited {
			s.terminate(p.pid)
			all = append(all, p)
		}
	}
	s.mu.Unlock()
	patience := time.NewTimer(closeWait)
	defer patience.Stop()
	for _, p := range all {
		select {
		case <-p.done:
		case <-patience.C:
			return // what is left dies with the host's socket
		}
	}
}

// pushed stores a push's status update.
func (s *Server) pushed(u *shm.PushStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pushes[u.PID]
	if p == nil {
		return
	}
	p.status = u.Status
}

// servePush streams a push's media to it: an order, then frame by frame what
// the track holds and gets, then the reason for the end.
func (s *Server) servePush(w http.ResponseWriter, r *http.Request) {
	var ask shm.Attach
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	p := s.pushes[ask.PID]
	s.mu.Unlock()
	if p == nil {
		http.Error(w, fmt.Sprintf("no push has pid %d", ask.PID), http.StatusNotFound)
		return
	}
	path, parameters := cutParameters(p.target)
	out := json.NewEncoder(w)
	b, k := s.selectTrack(r, p.stream, parameters)
	order := shm.PushOrder{
		Stream: p.stream, Target: p.target, Path: path, Track: -1, Upstream: s.upstream(),
		Stats: s.cfg.Timing.Stats, Tick: s.cfg.Timing.Stats,
	}
	s.mu.Lock()
	order.Handler = s.handlerOf(recordingEnd, p.stream)
	s.mu.Unlock()
	if s.upstream() {
		order.Tick = s.cfg.Timing.FirstStats
	}
	next := 0
	if k != nil && s.hold(b) {
		defer s.leave(b)
		s.mu.Lock()
		next = startFrame(k, parameters.Get("recstart"))
		order.Track, order.StartMS = k.idx, k.frames[next].ms
		s.mu.Unlock()
		order.AskedMS = order.StartMS
		if v, err := strconv.ParseInt(parameters.Get("recstart"), 10, 64); err == nil {
			order.AskedMS = v
		}
		if v, err := strconv.ParseInt(parameters.Get("recstop"), 10, 64); err == nil {
			order.StopMS = v
		}
	}
	_ = out.Encode(order)
	if order.Track < 0 {
		return // the push sees no track and ends by itself
	}
	s.feed(r.Context(), w, &reading{sink: b, track: k, next: next, stop: order.StopMS, doom: p.doom})
}

// hold keeps a buffer's tracks open for a push, if they still are.
func (s *Server) hold(b *sink) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.gone != "" && b.readers == 0 {
		return false
	}
	b.readers++
	return true
}

// leave ends a push's hold on a buffer; the last one closes it.
func (s *Server) leave(b *sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.readers--
	b.closeUnused()
}

// reading is a push's way through a track.
type reading struct {
	sink  *sink
	track *track
	next  int    // index of the next frame
	stop  int64  // recstop
	doom  string // how the push is lost, if it is
}

// feed sends a track's frames. It keeps one frame back, because a frame's end
// is only known when the next one is there: the last one of a stream that ends
// is never written. When the stream ends, what is not written by then is lost.
func (s *Server) feed(ctx context.Context, w http.ResponseWriter, r *reading) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	idle := time.NewTimer(s.cfg.Timing.DataWait)
	defer idle.Stop()
	s.mu.Lock()
	limit := len(r.track.frames)
	s.mu.Unlock()
	if r.doom != "" {
		limit = r.next + max(1, (limit-r.next)/2) //nolint:mnd // half
	}
	var packets []byte
	for {
		s.mu.Lock()
		frames, gone, changed := r.track.frames, r.sink.gone, r.sink.changed
		s.mu.Unlock()
		if end := r.end(frames, gone, s.cfg.AwaitPushes); end != nil {
			_ = json.NewEncoder(w).Encode(end)
			flush()
			return
		}
		if r.next+1 < len(frames) && (r.doom == "" || r.next < limit) {
			f := frames[r.next]
			packets = slices.Grow(packets[:0], f.length)[:f.length]
			if err := s.sendFrame(w, r, f, frames[len(frames)-1].ms, packets); err != nil {
				return
			}
			r.next++
			idle.Reset(s.cfg.Timing.DataWait)
			continue
		}
		flush()
		select {
		case <-changed:
		case <-idle.C:
			if r.doom != "" {
				continue // it is not data that it waits for
			}
			_ = json.NewEncoder(w).Encode(shm.PushChunk{End: "CLEAN_EOF", Text: goneEnd})
			flush()
			return
		case <-ctx.Done():
			return
		}
	}
}

// end says how the push ends now, if it does. patient lets it have all that a stream
// which is gone has left.
func (r *reading) end(frames []buffered, gone string, patient bool) *shm.PushChunk {
	left := r.next+1 < len(frames)
	switch {
	case r.doom == LostShm && gone != "":
		return &lostShm
	case r.doom != "" && gone != "":
		return &shm.PushChunk{End: "UNKNOWN", Text: "set inactive"}
	case r.doom != "":
		return nil
	case left && patient || gone == "":
		if left && r.stop > 0 && r.stop <= frames[r.next].ms {
			return &shm.PushChunk{End: "CLEAN_INTENDED_STOP", Text: "planned stopping point reached", LastMS: frames[r.next].ms}
		}
		return nil
	case gone == goneNuked:
		return &shm.PushChunk{End: "CLEAN_SIGNAL", Text: fmt.Sprintf("signal Terminated (15) from process %d", os.Getpid())}
	case left:
		return &lostShm
	}
	return &shm.PushChunk{End: "CLEAN_EOF", Text: gone}
}

// lostShm is the end of a push whose tracks went while it wrote them.
var lostShm = shm.PushChunk{End: "SHM_LOST", Text: "lost internal connection to stream data"}

// sendFrame announces and sends one frame; an error means that the push is gone, or
// the buffer.
func (s *Server) sendFrame(w http.ResponseWriter, r *reading, f buffered, edge int64, packets []byte) error {
	if _, err := r.track.file.ReadAt(packets, f.off); err != nil {
		s.log.Error("read stream buffer", "stream", r.sink.name, "error", err)
		return err
	}
	if err := json.NewEncoder(w).Encode(shm.PushChunk{MS: f.ms, Bytes: f.length, LastMS: edge}); err != nil {
		return err
	}
	if _, err := w.Write(packets); err != nil {
		return err
	}
	s.mu.Lock()
	r.sink.sent += int64(f.length)
	s.mu.Unlock()
	return nil
}

// liveEdge is how far behind the newest keyframe's time a push begins that does
// not ask for the past (recstart).
const liveEdge = 5000

// startFrame is the index of the first frame to write: the earliest for
// recstart=-1, the keyframe at or before another recstart, else the newest
// keyframe that is at least five seconds old.
func startFrame(k *track, recstart string) int {
	edge := k.lastMS() - liveEdge
	if v, err := strconv.ParseInt(recstart, 10, 64); err == nil {
		edge = v
	}
	start := 0
	for i, f := range k.frames {
		if f.key && f.ms <= edge {
			start = i
		}
	}
	return start
}

// selectTrack waits until the stream has as many tracks as the push wants (two
// unless waittrackcount says otherwise), then picks one. nil means none.
func (s *Server) selectTrack(r *http.Request, stream string, parameters url.Values) (*sink, *track) {
	want := 2
	if n, err := strconv.Atoi(parameters.Get("waittrackcount")); err == nil {
		want = n
	}
	patience := time.NewTimer(s.cfg.Timing.SelectWait)
	defer patience.Stop()
	var b *sink
	for {
		s.mu.Lock()
		if now := s.sinks[stream]; now != nil {
			b = now
		}
		var k *track
		enough, over := false, false
		changed := make(<-chan struct{})
		if b != nil {
			k, enough, changed = pick(b, parameters.Get("video")), len(b.tracks) >= want, b.changed
			over = b.gone != ""
		}
		s.mu.Unlock()
		if k != nil && (enough && !over || over && s.cfg.AwaitPushes) {
			return b, k
		}
		if over {
			return nil, nil // too late: its tracks are gone
		}
		select {
		case <-changed:
		case <-patience.C:
			return b, k
		case <-r.Context().Done():
			return nil, nil
		}
	}
}

// pick applies a video selector: an index, maxbps (the default) or minbps.
func pick(b *sink, selector string) *track {
	var best *track
	for _, k := range b.tracks {
		if !k.valid || len(k.frames) == 0 {
			continue
		}
		if n, err := strconv.Atoi(selector); err == nil {
			if n == k.idx {
				return k
			}
			continue
		}
		switch {
		case selector == "none":
		case best == nil, selector == "minbps" && k.media < best.media, selector != "minbps" && k.media > best.media:
			best = k
		}
	}
	return best
}
