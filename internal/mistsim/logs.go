package mistsim

import "time"

// maxLog is how many lines a controller shows.
const maxLog = 100

// logLine is one log tuple.
type logLine struct {
	at      time.Time
	kind    string
	message string
	stream  string
	pid     int
	exe     string
}

// tuple is the line as the API shows it: four fields, on Upstream seven.
func (l *logLine) tuple(upstream bool) []any {
	t := []any{l.at.Unix(), l.kind, l.message, l.stream}
	if upstream {
		// The last field is a place in Mist's source, which a stand-in has not.
		t = append(t, l.pid, l.exe, "mistsim")
	}
	return t
}

func tuples(lines []logLine, upstream bool) any {
	if len(lines) == 0 {
		return nil
	}
	out := make([]any, len(lines))
	for i := range lines {
		out[i] = lines[i].tuple(upstream)
	}
	return out
}

// note adds a line to the controller's log. The caller holds mu.
func (s *Server) note(l logLine) {
	l.at = time.Now()
	s.logs = append(s.logs, l)
	if len(s.logs) > maxLog {
		s.logs = s.logs[len(s.logs)-maxLog:]
	}
}
