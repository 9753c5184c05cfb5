package mistsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"weir/internal/mistsim/shm"
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

	// LosePushes of the next OfPushes pushes (default: all of as many) lose the race
	// against the end of the process, spread evenly: they write the first half of what
	// they see and wait for the end. OfPushes counts pushes whose recstop is not above
	// ShortClipMS; 0 counts all. A stream with resume can't lose them.
	LosePushes  int `json:"lose_pushes,omitempty"`
	OfPushes    int `json:"of_pushes,omitempty"`
	ShortClipMS int `json:"short_clip_ms,omitempty"`
	// LosePushesAs is how: LostShm, LostUnknown or LostUnstarted; empty means each in turn.
	LosePushesAs string `json:"lose_pushes_as,omitempty"`
	// HangStarts makes so many of the next starts of MistProcLivepeer hang with nothing
	// posted, for HangStartMS (default 45,000), and then end by SIGSEGV.
	HangStarts  int `json:"hang_starts,omitempty"`
	HangStartMS int `json:"hang_start_ms,omitempty"`
	// HangStartAs is what the log says: "session" (default of Upstream) or "boot"
	// (default of Livepeer); "buffer" does not hang but ends at once, with exit code 0.
	HangStartAs string `json:"hang_start_as,omitempty"`
}

// The ways in which a push is lost.
const (
	// LostShm: RECORDING_END says SHM_LOST.
	LostShm = "shm_lost"
	// LostUnknown: RECORDING_END says UNKNOWN.
	LostUnknown = "unknown"
	// LostUnstarted: push_start did nothing.
	LostUnstarted = "unstarted"
)

// check says what is wrong with the faults.
func (f *Faults) check() error {
	switch {
	case f.LosePushesAs != "" && !slices.Contains(losses, f.LosePushesAs):
		return fmt.Errorf("faults: lose_pushes_as %q: want one of %q", f.LosePushesAs, losses)
	case f.HangStartAs != "" && !slices.Contains(hangs, f.HangStartAs):
		return fmt.Errorf("faults: hang_start_as %q: want one of %q", f.HangStartAs, hangs)
	case f.OfPushes > 0 && f.LosePushes > f.OfPushes:
		return fmt.Errorf("faults: lose_pushes %d of of_pushes %d: can't lose more than all", f.LosePushes, f.OfPushes)
	}
	return nil
}

// hangs are the forms of a start of which nothing comes.
var hangs = []string{shm.HangSession, shm.HangBoot, shm.HangBuffer}

// losses are the ways in turn.
var losses = []string{LostShm, LostUnknown, LostUnstarted}

// counted is how far the faults with a number have got since they were set.
type counted struct{ pushes, lost, hung int }

// dooms says how a push is to be lost, if it is. The caller holds mu.
func (s *Server) dooms(stopMS int64) string {
	f, of := s.faults, s.faults.OfPushes
	if of == 0 {
		of = f.LosePushes
	}
	short := f.ShortClipMS == 0 || stopMS > 0 && stopMS <= int64(f.ShortClipMS)
	if !short || s.counted.pushes >= of {
		return ""
	}
	n := s.counted.pushes
	s.counted.pushes++
	if (n+1)*f.LosePushes/of == n*f.LosePushes/of {
		return ""
	}
	as := f.LosePushesAs
	if as == "" {
		as = losses[s.counted.lost%len(losses)]
	}
	s.counted.lost++
	return as
}

// hangStart is how long a hanging start takes at most before it crashes, and its
// step before the source thread is missed.
const (
	hangStart = 45 * time.Second
	bootWait  = 5 * time.Second
)

// begin is a process's start: a kickoff, and the faults of starts.
func (s *Server) begin(stream string) shm.Source {
	answer := s.kickoff(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults
	if answer.State != shm.Ready || s.counted.hung >= f.HangStarts {
		return answer
	}
	s.counted.hung++
	hang := &shm.Hang{As: f.HangStartAs, For: time.Duration(f.HangStartMS) * time.Millisecond}
	if hang.For == 0 {
		hang.For = hangStart
	}
	hang.Boot = min(bootWait, hang.For/2) //nolint:mnd // within it
	if hang.As == "" {
		hang.As = shm.HangBoot
		if s.upstream() {
			hang.As = shm.HangSession
		}
	}
	answer.Hang = hang
	return answer
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

// SetFaults replaces the faults and begins their counts anew; the zero value heals
// the host.
func (s *Server) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	s.faults, s.counted = f, counted{}
	s.mu.Unlock()
	if !f.ReorderTriggers {
		s.release()
	}
	return nil
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
		if err := s.SetFaults(f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
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
