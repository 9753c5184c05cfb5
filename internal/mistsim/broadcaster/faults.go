package broadcaster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Modes of misbehaviour.
const (
	// ModeRefuse answers 422, as for a segment that no orchestrator can decode.
	ModeRefuse = "refuse"
	// ModeError answers 500.
	ModeError = "error"
	// ModeContentType answers 200 with something that is not multipart.
	ModeContentType = "content_type"
	// ModeSlow waits DelayMS before the gateway takes the segment.
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
	// ModeThroughput needs Factor times a segment's length for each, one at a time
	// per manifest: the orchestrator is at work meanwhile, unlike with ModeSlow.
	ModeThroughput = "throughput"
	// ModeForbid answers 403, as where the authentication webhook says no.
	ModeForbid = "forbid"
	// ModeAttempts answers 422, as where three orchestrators failed.
	ModeAttempts = "attempts"
	// ModeFull answers 503, as where no orchestrator has room.
	ModeFull = "full"
)

var modes = []string{
	"", ModeRefuse, ModeError, ModeContentType, ModeSlow, ModeHang, ModeClose, ModeGarbage, ModeTruncate, ModeFewer,
	ModeThroughput, ModeForbid, ModeAttempts, ModeFull,
}

// Faults is how the Broadcaster misbehaves; the zero value is none.
type Faults struct {
	// Mode is one of the Mode constants.
	Mode string `json:"mode"`
	// DelayMS is for ModeSlow.
	DelayMS int `json:"delay_ms,omitempty"`
	// Factor is for ModeThroughput: 0.5 is twice as fast as the source plays.
	Factor float64 `json:"factor,omitempty"`
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

// before misbehaves instead of transcoding; nil means that all goes on.
func (f Faults) before(r *http.Request, p *post) error {
	switch f.Mode {
	case ModeRefuse:
		return p.refuseSegment(reasonVideo)
	case ModeAttempts:
		return p.refuseSegment(reasonAttempts)
	case ModeError:
		return p.failed(http.StatusInternalServerError, "out of order")
	case ModeForbid:
		return p.forbid()
	case ModeFull:
		return noSessions()
	case ModeHang:
		<-r.Context().Done()
		return errDropped
	case ModeClose:
		return errDropped
	case ModeSlow:
		return wait(r.Context(), time.Duration(f.DelayMS)*time.Millisecond)
	}
	return nil
}

// pace is called when an orchestrator takes a segment up; what it returns waits
// until the orchestrator is as slow as it should be.
func (f Faults) pace(length time.Duration) func(context.Context) error {
	if f.Mode != ModeThroughput {
		return func(context.Context) error { return nil }
	}
	over := time.Now().Add(time.Duration(f.Factor * float64(length)))
	return func(ctx context.Context) error { return wait(ctx, time.Until(over)) }
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errDropped, ctx.Err())
	}
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
