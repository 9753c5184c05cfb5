package explain

import (
	"fmt"

	"weir/jobs"
)

// callbackPatience is how long a callback is tried: studio.GiveUpAfter, of which operators'
// programs know nothing. A test holds them together.
const callbackPatience = day

// callback says what Studio has been told.
func (e *Explanation) callback(r *Rows) {
	c := r.Callback
	if c == nil {
		e.saw(nil, "its callback has no row, which should not be of one that has ended: report this as a defect")
		return
	}
	redeliver := admin + "callbacks redeliver " + c.ID.String()
	answer := "no answer came"
	if c.LastStatus != nil {
		answer = fmt.Sprintf("the answer was %d", *c.LastStatus)
	}
	if c.LastError != "" {
		answer += " (" + line(c.LastError) + ")"
	}
	switch c.State {
	case jobs.CallbackDelivered:
		e.saw(c.DeliveredAt, fmt.Sprintf("its callback was delivered, in try %d", max(c.Attempts, 1)))
	case jobs.CallbackPending:
		e.pending(r, answer)
		if c.Attempts > 0 {
			e.can("send the callback now", redeliver)
		}
	case jobs.CallbackRefused:
		e.saw(nil, fmt.Sprintf("its callback was refused for good by %s: %s", line(c.URL), answer))
		e.can("send the callback again, once its receiver takes it", redeliver)
	case jobs.CallbackExpired:
		e.saw(nil, fmt.Sprintf("its callback was given up after a day and %s: %s", many(int(c.Attempts), "try"), answer))
		e.can("send the callback again, once its receiver answers", redeliver)
	case jobs.CallbackSuperseded:
		e.saw(nil, "its callback goes out no more: a newer one tells of what became of it")
	default:
		e.saw(nil, fmt.Sprintf("its callback is %q, which this program does not know", c.State))
	}
}

func (e *Explanation) pending(r *Rows, answer string) {
	c := r.Callback
	if c.Attempts == 0 {
		e.waits("its callback is on its way to " + line(c.URL))
	} else {
		e.waits(fmt.Sprintf("its receiver %s to take the callback: it was sent %s, and the last time %s", line(c.URL), times(c.Attempts), answer))
	}
	e.nobodyLeads(r)
	steps := len(e.Next)
	e.job(r, c.JobID, jobs.CallbackQueue, "its callback", "daemons that lead give it one within seconds")
	if c.NextAttemptAt != nil && len(e.Next) == steps {
		e.next(c.NextAttemptAt, "its callback is sent again")
	}
	e.next(new(c.CreatedAt.Add(callbackPatience)), "a callback that nobody has taken by then is given up; the outcome stays what it is")
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
