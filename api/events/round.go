package events

import (
	"github.com/google/uuid"
)

// round is what all listeners are told at once: for each scope one chunk, which all
// listeners of the scope share.
type round struct {
	transcodes map[uuid.UUID]*chunk
	tenants    map[string]*chunk
	everybody  chunk
}

type chunk struct {
	bytes []byte
	// ends: the transcode has reached its end with it.
	ends bool
}

func newRound() *round {
	return &round{transcodes: map[uuid.UUID]*chunk{}, tenants: map[string]*chunk{}}
}

// add adds a frame.
func (r *round) add(transcode uuid.UUID, tenant string, frame []byte, ends bool) {
	one := r.transcodes[transcode]
	if one == nil {
		one = &chunk{}
		r.transcodes[transcode] = one
	}
	one.bytes, one.ends = append(one.bytes, frame...), ends
	whole := r.tenants[tenant]
	if whole == nil {
		whole = &chunk{}
		r.tenants[tenant] = whole
	}
	whole.bytes = append(whole.bytes, frame...)
	r.everybody.bytes = append(r.everybody.bytes, frame...)
}

// send gives each listener but some what is for it. The lock is held.
func (h *Hub) send(r *round, but set) {
	for transcode, listeners := range h.transcodes {
		if c := r.transcodes[transcode]; c != nil {
			over := Reason("")
			if c.ends {
				over = Ended
			}
			for l := range listeners {
				h.give(l, c.bytes, over, but)
			}
		}
	}
	for tenant, listeners := range h.tenants {
		if c := r.tenants[tenant]; c != nil {
			for l := range listeners {
				h.give(l, c.bytes, "", but)
			}
		}
	}
	if len(r.everybody.bytes) > 0 {
		for l := range h.everybody {
			h.give(l, r.everybody.bytes, "", but)
		}
	}
}

// give gives a listener a chunk, unless it has no place to listen from yet.
func (h *Hub) give(l *Listener, bytes []byte, over Reason, but set) {
	_, waits := h.waiting[l]
	if _, left := but[l]; !waits && !left {
		l.push(bytes, over)
	}
}

// of is what a round has for a scope.
func (r *round) of(s Scope) []byte {
	switch {
	case s.Transcode != uuid.Nil:
		if c := r.transcodes[s.Transcode]; c != nil {
			return c.bytes
		}
	case s.Tenant != "":
		if c := r.tenants[s.Tenant]; c != nil {
			return c.bytes
		}
	default:
		return r.everybody.bytes
	}
	return nil
}
