package mistsim

import (
	"slices"
	"strconv"
	"time"

	"weir/internal/mistsim/shm"
)

// process is a MistProcLivepeer that attached itself.
type process struct {
	pid          int
	source, sink string
	stats        *shm.Stats // nil until the first update
	detached     bool
}

// attach notes a process. Its sink's buffer starts now, with its source set
// explicitly, so the stream need not be configured.
func (s *Server) attach(a *shm.Attach) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[a.PID] = &process{pid: a.PID, source: a.Source, sink: a.Sink}
	if in := s.inputs[a.Source]; in != nil {
		if a.Sink != "" {
			in.everUsed++
		}
		in.users[a.PID] = true
	}
	if a.Sink == "" {
		return // still waiting for its source
	}
	s.log.Info("process attached", "pid", a.PID, "sink", a.Sink)
	if old := s.sinks[a.Sink]; old != nil {
		if old.lingers && s.resumes(a.Sink) {
			old.pid, old.detached, old.lingers = a.PID, false, false
			return
		}
		s.endSink(old, goneEnd)
	}
	s.sinks[a.Sink] = &sink{name: a.Sink, uuid: newUUID(), pid: a.PID, changed: make(chan struct{})}
	delete(s.ended, a.Sink)
}

// detach ends what a process did. killed says that it did not say goodbye.
func (s *Server) detach(pid int, killed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.processes[pid]
	if p == nil || p.detached {
		return
	}
	p.detached = true
	if in := s.inputs[p.source]; in != nil {
		delete(in.users, pid)
		in.idleSince = time.Now()
	}
	if b := s.sinks[p.sink]; b != nil && b.pid == pid && !b.detached {
		s.detachSink(b, killed)
	}
	if p.stats == nil {
		delete(s.processes, pid) // it lived too short to be listed
	}
}

// detachSink leaves a sink without its source. The caller holds the lock.
func (s *Server) detachSink(b *sink, killed bool) {
	b.detached, b.killed, b.endAt = true, killed, time.Now()
	b.lingers = s.resumeMode(b.name) != wipes
	if killed && s.upstream() && !b.lingers {
		b.endAt = b.endAt.Add(s.cfg.Timing.KilledSource)
	}
}

// update stores a status update; a process shows in proc_list from the first on.
func (s *Server) update(stats *shm.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.processes[stats.PID]; p != nil {
		p.stats = stats
	}
}

// listProcesses answers proc_list. A process that is gone shows once more, as
// terminated. The caller holds mu.
func (s *Server) listProcesses(stream string) any {
	out := object{}
	for pid, p := range s.processes {
		if p.stats == nil || stream != "" && stream != p.source {
			continue
		}
		entry := object{
			"process": "Livepeer", "source": p.source, "sink": p.sink, "active_seconds": p.stats.ActiveSeconds,
			"source_tracks": p.stats.SourceTracks, "sink_tracks": p.stats.SinkTracks, "ainfo": p.stats.Info,
			"logs": nil, // a process that Weir starts logs to its own stderr
		}
		if !isActive(pid) {
			entry["terminated"] = true
			delete(s.processes, pid)
		}
		out[strconv.Itoa(pid)] = entry
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// logOf adds a line to the log of the process or push it came from.
func (s *Server) logOf(l *shm.Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := logLine{at: time.Now(), kind: l.Kind, message: l.Message, stream: l.Stream, pid: l.PID, exe: "MistOutHTTPTS"}
	s.note(line)
	if p := s.pushes[l.PID]; p != nil {
		p.logs = append(p.logs, line)
		p.logs = slices.Clone(p.logs[max(0, len(p.logs)-maxPushLogs):])
	}
}
