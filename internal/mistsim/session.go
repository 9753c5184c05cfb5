package mistsim

import (
	"maps"
	"slices"
	"time"
)

const (
	// streamEndRepeats is how often Mist repeats STREAM_END, with zeros, while
	// the sessions of the stream time out.
	streamEndRepeats = 4
)

// sessionTotals is what STREAM_END reports.
type sessionTotals struct {
	up      int64
	inputs  int
	outputs int
}

// ended is a stream whose sessions have not timed out yet.
type ended struct {
	at      time.Time
	told    bool
	repeats int
	totals  func() sessionTotals
}

// sessionPass is the controller's statistics loop: it tells of ended streams
// and looks after what is idle.
func (s *Server) sessionPass(now time.Time) {
	s.release()
	s.mu.Lock()
	events := s.idleInputs(now)
	for _, name := range slices.Sorted(maps.Keys(s.ended)) {
		e := s.ended[name]
		if s.upstream() {
			if now.Sub(e.at) > s.cfg.Timing.Offline {
				delete(s.ended, name)
			}
			continue // no STREAM_END in its recordings
		}
		if now.Sub(e.at) < s.cfg.Timing.SessionTick/2 {
			continue // at least a little late
		}
		totals := sessionTotals{}
		if !e.told {
			e.told, totals = true, e.totals()
		} else if e.repeats--; e.repeats < 0 {
			delete(s.ended, name)
			continue
		}
		events = append(events, event{
			name: streamEnd, stream: name, cookie: true,
			body: name + "\n" + joined(0, totals.up, 0, totals.inputs, totals.outputs, 0),
		})
	}
	save := !s.dirty.IsZero() && now.Sub(s.dirty) > s.cfg.Timing.ConfigSave
	s.mu.Unlock()
	for _, e := range events {
		s.fire(e)
	}
	if save {
		if err := s.saveConfig(); err != nil {
			s.log.Error("save config", "error", err)
		}
	}
}
