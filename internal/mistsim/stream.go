package mistsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
)

func newUUID() string { return uuid.NewString() }

// joined puts each value on a line of its own; no newline at the end.
func joined(values ...any) string {
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = fmt.Sprint(v)
	}
	return strings.Join(text, "\n")
}

// activeStreams answers the three forms of the question: a list of fields, an
// object with streams and fields, or anything else for the names alone.
func (s *Server) activeStreams(q any) any {
	var wanted, fields []string
	longform := false
	switch q := q.(type) {
	case []any:
		fields = names(q)
	case object:
		wanted, fields = names(q["streams"]), names(q["fields"])
		longform, _ = q["longform"].(bool)
	}
	all := map[string]object{}
	for name, in := range s.inputs {
		all[name] = object{
			"status": "Online", "lastms": in.lastMS, "tracks": len(in.source.Tracks), "inputs": 1,
			"source": in.path, "firstms": 0, "outputs": 0, "viewers": 0,
		}
	}
	for name, b := range s.sinks {
		if b.online() {
			all[name] = object{
				"status": b.status(), "lastms": b.lastMS(), "tracks": len(b.tracks), "inputs": 1,
				"source": "push://INTERNAL_PUSH:Livepeer", "firstms": 0, "outputs": 0, "viewers": 0,
			}
		}
	}
	for name, e := range s.ended {
		if _, on := all[name]; !on && !e.told {
			all[name] = object{"status": "Offline", "lastms": nil, "tracks": nil, "inputs": 1, "outputs": 0, "viewers": 0}
		}
	}
	out := object{}
	for name, facts := range all {
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool {
			return w == name || strings.HasSuffix(w, "+") && strings.HasPrefix(name, w)
		}) {
			continue
		}
		row, entry := make([]any, len(fields)), object{}
		for i, f := range fields {
			row[i], entry[f] = facts[f], facts[f]
		}
		if longform {
			out[name] = entry
		} else {
			out[name] = row
		}
	}
	switch {
	case len(out) == 0:
		return nil
	case len(fields) == 0:
		return slices.Sorted(maps.Keys(out))
	}
	return out
}

// nuke is MistUtilNuke: it signals the stream's input, then all that uses the
// stream. The caller holds mu.
func (s *Server) nuke(stream string) {
	var events []event
	in := s.inputs[stream]
	if in == nil {
		in = s.booting[stream]
		delete(s.booting, stream)
	} else {
		events = s.endInput(in)
	}
	s.wipe(stream, in)
	if b := s.sinks[stream]; b != nil {
		s.endSink(b, goneNuked)
		s.terminate(b.pid)
	}
	for _, e := range events {
		s.run(func() { s.fire(e) })
	}
}

// terminate sends SIGTERM to a process of the host.
func (s *Server) terminate(pid int) {
	if pid > 0 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}

// isActive is Mist's test of a process: a zombie still counts as alive.
func isActive(pid int) bool { return syscall.Kill(pid, 0) == nil }
