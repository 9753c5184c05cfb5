package explain

import (
	"fmt"

	"weir/jobs"
)

// placed explains one that has a host, and that its host has not begun.
func (e *Explanation) placed(r *Rows) {
	t := &r.Transcode
	name := given(t.HostID)
	if t.PlacedAt != nil {
		e.Since = *t.PlacedAt
	}
	e.Says = fmt.Sprintf("Host %s has it and has not begun.", name)
	a := r.attempt()
	if a == nil {
		e.noAttempt(r, "has it")
		return
	}
	gone := e.hostTrouble(r)
	if gone {
		e.Says = fmt.Sprintf("Host %s has it, has not begun, and is not there.", name)
	}
	e.job(r, a.JobID, jobs.HostQueue(name), "its attempt", "the host gives it another at its next look, within seconds")
	e.saw(&a.CreatedAt, fmt.Sprintf("attempt %d was given to %s", a.Number, name))
	e.attempts(r)
	if !gone {
		e.next(nil, fmt.Sprintf("%s takes it up, usually within a second, and fetches the source", name))
		e.next(new(a.CreatedAt.Add(jobs.TakeUpPatience)), "if it has not begun by then it is taken from the host, and tried again; that eats no attempt")
	}
	e.can("see whether the host is well", admin+"hosts show "+name)
}
