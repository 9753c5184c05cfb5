package broadcaster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Modes of misbehaviour.
const (
	// ModeRefuse answers 422, as for a segment that no orchestrator takes.
	ModeRefuse = "refuse"
	// ModeError answers 500.
	ModeError = "error"
	// ModeContentType answers 200 with something that is not multipart.
	ModeContentType = "content_type"
	// ModeSlow waits DelayMS before it transcodes.
	ModeSlow = "slow"
	// ModeHang never answers.
	ModeHang = "hang"
	// ModeClose closes the connection without an answer.
	ModeClose = "close"
	// ModeGarbage answers in the right form with bytes that are no media.
	ModeGarbage = "garbage"
	// ModeTruncate answers with half of each rendition.
	ModeTruncate = "truncate"
	// ModeFewer leaves the last rendition out of the answer.
	ModeFewer = "fewer"
)

var modes = []string{"", ModeRefuse, ModeError, ModeContentType, ModeSlow, ModeHang, ModeClose, ModeGarbage, ModeTruncate, ModeFewer}

// Faults is how the Broadcaster misbehaves; the zero value is none.
type Faults struct {
	// Mode is one of the Mode constants.
	Mode string `json:"mode"`
	// DelayMS is for ModeSlow.
	DelayMS int `json:"delay_ms,omitempty"`
	// Segments limits the fault to so many segments; 0 means no limit.
	Segments int `json:"segments,omitempty"`
	// Match limits it to segments whose "id/n.ts" contains this.
	Match string `json:"match,omitempty"`
}

// SetFaults replaces the faults.
func (b *Broadcaster) SetFaults(f Faults) error {
	if !slices.Contains(modes, f.Mode) {
		return fmt.Errorf("unknown mode %q: use one of %q", f.Mode, modes[1:])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
	return nil
}

func (b *Broadcaster) serveFaults(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var f Faults
		err := json.NewDecoder(r.Body).Decode(&f)
		if err == nil {
			err = b.SetFaults(f)
		}
		if err != nil {
			http.Error(w, fmt.Sprintf("faults: %v", err), http.StatusBadRequest)
			return
		}
	}
	b.mu.Lock()
	f := b.faults
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(f)
}

// nextFault is the fault for this segment, if any, counted down.
func (b *Broadcaster) nextFault(segment string) Faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.faults
	if !strings.Contains(segment, f.Match) {
		return Faults{}
	}
	if f.Segments > 0 {
		if b.faults.Segments--; b.faults.Segments == 0 {
			b.faults = Faults{}
		}
	}
	return f
}

// before misbehaves instead of transcoding and says whether it did.
func (f Faults) before(w http.ResponseWriter, r *http.Request) bool {
	switch f.Mode {
	case ModeRefuse:
		http.Error(w, "segment refused", http.StatusUnprocessableEntity)
	case ModeError:
		http.Error(w, "out of order", http.StatusInternalServerError)
	case ModeHang:
		<-r.Context().Done()
	case ModeClose:
		panic(http.ErrAbortHandler)
	case ModeSlow:
		t := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
			return false
		case <-r.Context().Done():
		}
	default:
		return false
	}
	return true
}

// spoil damages what was transcoded.
func (f Faults) spoil(renditions [][]byte) {
	for i, data := range renditions {
		switch f.Mode {
		case ModeGarbage:
			renditions[i] = []byte(strings.Repeat("no media ", len(data)/len("no media ")))
		case ModeTruncate:
			renditions[i] = data[:len(data)/2]
		}
	}
}
