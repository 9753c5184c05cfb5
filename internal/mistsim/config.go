package mistsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// configName is the saved config in the host's folder.
	configName = "config.json"
	// maxName is the longest stream name (lib/stream.cpp).
	maxName = 100
)

// object is a JSON object as a client sent it; fields are kept verbatim.
type object = map[string]any

// storage is what a controller saves: its config and its streams.
type storage struct {
	Config  object            `json:"config"`
	Streams map[string]object `json:"streams"`
}

// handler is one registration of a trigger.
type handler struct {
	URL     string
	Sync    bool
	Streams []string
	Default string
}

func (s *Server) loadConfig() error {
	s.storage = storage{Config: object{}, Streams: map[string]object{}}
	path := filepath.Join(s.cfg.Dir, configName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mistsim: read saved config: %w", err)
	}
	if err := json.Unmarshal(data, &s.storage); err != nil {
		// One that was killed while it saved leaves half a file. The real one reads nothing from
		// it, and starts with nothing (JSON::fromFile).
		s.log.Warn("saved config not read", "path", path, "error", err)
		s.storage = storage{Config: object{}, Streams: map[string]object{}}
	}
	s.publish()
	return nil
}

// saveConfig writes the config as a clean exit does.
func (s *Server) saveConfig() error {
	s.mu.Lock()
	data, err := json.Marshal(s.storage)
	s.dirty = time.Time{}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("mistsim: encode config: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, configName), data, 0o600); err != nil {
		return fmt.Errorf("mistsim: save config: %w", err)
	}
	return nil
}

// publish makes the configured triggers live. Real Mist recreates the pages
// that processes read at the end of a request, so a trigger set in a request is
// not yet seen by a push that the same request starts.
func (s *Server) publish() {
	s.published = map[string][]handler{}
	all, _ := s.storage.Config["triggers"].(object)
	for name, list := range all {
		entries, _ := list.([]any)
		for _, entry := range entries {
			o, _ := entry.(object)
			h := handler{}
			h.URL, _ = o["handler"].(string)
			h.Sync, _ = o["sync"].(bool)
			h.Default, _ = o["default"].(string)
			streams, _ := o["streams"].([]any)
			for _, v := range streams {
				if name, ok := v.(string); ok {
					h.Streams = append(h.Streams, name)
				}
			}
			if h.URL != "" {
				s.published[name] = append(s.published[name], h)
			}
		}
	}
}

// matches applies Mist's rule: the full name, or the part before the wildcard.
// "tr_rend_+" therefore never matches anything.
func (h *handler) matches(stream string) bool {
	if len(h.Streams) == 0 {
		return true
	}
	for _, name := range h.Streams {
		if name == stream || name == base(stream) {
			return true
		}
	}
	return false
}

// base is the part of a stream name that its config is looked up by.
func base(stream string) string {
	if i := strings.IndexAny(stream, "+ "); i >= 0 {
		return stream[:i]
	}
	return stream
}

// sanitize lower-cases the base of a stream name and keeps [a-z0-9_.-] of it;
// the wildcard part stays, up to a '?'.
func sanitize(name string) string {
	head := base(name)
	rest := name[len(head):]
	var b strings.Builder
	for _, c := range strings.ToLower(head) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' {
			b.WriteRune(c)
		}
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest = rest[:i]
	}
	return b.String() + rest
}

// config returns the stream's settings, by full name or wildcard base.
func (s *Server) streamConfig(stream string) (object, bool) {
	if o, ok := s.storage.Streams[stream]; ok && base(stream) == stream {
		return o, true
	}
	o, ok := s.storage.Streams[base(stream)]
	return o, ok
}

// touch notes a change, which is saved some time later.
func (s *Server) touch() {
	if s.dirty.IsZero() {
		s.dirty = time.Now()
	}
}
