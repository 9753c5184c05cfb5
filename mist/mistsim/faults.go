package mistsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// FaultsPath is where a host's faults are read (GET) and replaced as a whole
// (POST, JSON as in Faults). ForgePath takes a Forgery and sends it to the
// handlers registered for its trigger. Both are outside of Mist's API and need
// no login.
const (
	FaultsPath = "/mistsim/faults"
	ForgePath  = "/mistsim/forge"
)

// Faults are the ways in which a host misbehaves on demand.
type Faults struct {
	// LoseTriggers names triggers that are never sent; "*" means all.
	LoseTriggers []string `json:"lose_triggers,omitempty"`
	// DoubleTriggers sends every trigger twice under one UUID.
	DoubleTriggers bool `json:"double_triggers,omitempty"`
	// DelayTriggersMS holds every trigger back for so many milliseconds.
	DelayTriggersMS int `json:"delay_triggers_ms,omitempty"`
	// ReorderTriggers swaps triggers pairwise.
	ReorderTriggers bool `json:"reorder_triggers,omitempty"`
	// DelayAPIMS makes every API answer so many milliseconds late.
	DelayAPIMS int `json:"delay_api_ms,omitempty"`
	// RefuseAPI closes API connections without an answer.
	RefuseAPI bool `json:"refuse_api,omitempty"`
	// IgnorePushes makes push_start do nothing, silently.
	IgnorePushes bool `json:"ignore_pushes,omitempty"`
}

func (f *Faults) loses(trigger string) bool {
	return slices.Contains(f.LoseTriggers, "*") || slices.Contains(f.LoseTriggers, trigger)
}

// Forgery is a trigger that Mist never fired.
type Forgery struct {
	Trigger string `json:"trigger"`
	Stream  string `json:"stream"`
	Body    string `json:"body"`
}

// SetFaults replaces the faults; the zero value heals the host.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	s.faults = f
	s.mu.Unlock()
	if !f.ReorderTriggers {
		s.release()
	}
}

// Forge sends a trigger for which nothing happened.
func (s *Server) Forge(f Forgery) {
	s.fire(event{name: f.Trigger, stream: f.Stream, body: f.Body})
}

func (s *Server) currentFaults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (s *Server) serveFaults(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var f Faults
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&f); err != nil {
			http.Error(w, fmt.Sprintf("faults: %v", err), http.StatusBadRequest)
			return
		}
		s.SetFaults(f)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.currentFaults())
}

func (s *Server) serveForge(w http.ResponseWriter, r *http.Request) {
	var f Forgery
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&f); err != nil || f.Trigger == "" {
		http.Error(w, "forge: want {\"trigger\":…,\"stream\":…,\"body\":…}", http.StatusBadRequest)
		return
	}
	s.Forge(f)
	w.WriteHeader(http.StatusNoContent)
}

// misbehave applies the faults of the API and says whether to answer at all.
func (s *Server) misbehave(r *http.Request) bool {
	f := s.currentFaults()
	return wait(r.Context(), time.Duration(f.DelayAPIMS)*time.Millisecond) && !f.RefuseAPI
}
