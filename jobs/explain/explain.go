package explain

import (
	"fmt"
	"time"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// admin is the operators' program.
const admin = "weir-admin "

// Of explains a transcode by its rows. Any rows give an explanation, also such as should
// not be.
func Of(r *Rows) Explanation {
	t := &r.Transcode
	e := Explanation{
		ID: t.ID, Tenant: t.Tenant, ExternalID: jobs.TaskOf(t), State: t.State, Run: t.Run, Attempt: t.Attempt, Host: t.HostID,
		Ratio: t.Ratio, Since: t.UpdatedAt, At: r.Now,
		Waits: []string{}, Evidence: []Evidence{}, Next: []Step{}, Actions: []Action{},
	}
	if !jobs.Terminal(t.State) {
		e.Stage = new(string(r.stage()))
	}
	e.Failure = failure(r)
	switch {
	case r.AcceptJob != nil:
		e.inbox(r)
	case t.State == jobs.StateQueued:
		e.queued(r)
	case t.State == jobs.StatePlaced:
		e.placed(r)
	case jobs.Terminal(t.State):
		e.ended(r)
	case r.stage() == jobs.StagePackage:
		e.packaging(r)
	case t.State == jobs.StateStoring:
		e.storing(r)
	case t.State == jobs.StateRunning:
		e.running(r)
	default:
		e.Says = fmt.Sprintf("Its state is %q, which this program does not know: a newer one wrote it.", t.State)
	}
	if !jobs.Terminal(t.State) && r.AcceptJob == nil {
		e.can("end it now", admin+"transcodes cancel "+t.ID.String())
	}
	e.can("see all that is known of it", admin+"transcodes show "+t.ID.String())
	e.newestFirst()
	return e
}

// failure is what the transcode's row says of why; of an end with what its attempt says
// beyond that.
func failure(r *Rows) *Failure {
	t := &r.Transcode
	if t.ErrorCode == nil || t.State == jobs.StateSucceeded {
		return nil
	}
	kind := jobs.KindOf(*t.ErrorCode)
	f := &Failure{
		Code: *t.ErrorCode, Stage: given(t.ErrorStage), Blame: string(kind.Blame), Retriable: kind.Retriable, Retry: kind.Retry(),
		Message: given(t.ErrorMessage),
	}
	if f.Message == "" {
		f.Message = kind.Words
	}
	if a := r.last(); a != nil && a.ErrorCode != nil && *a.ErrorCode == f.Code {
		f.Detail = a.ErrorDetail
	}
	for i := range r.Renditions {
		if d := &r.Renditions[i]; f.Detail == nil && d.ErrorCode != nil && *d.ErrorCode == f.Code {
			f.Detail = d.ErrorDetail
		}
	}
	return f
}

// noAttempt explains one on a host whose attempt is not in the rows.
func (e *Explanation) noAttempt(r *Rows, where string) {
	e.Says = fmt.Sprintf("Host %s %s, and its attempt has no row: report this as a defect.", given(r.Transcode.HostID), where)
	e.waits(fmt.Sprintf("the row of attempt %d, which is missing", r.Transcode.Attempt))
}

// nobodyLeads says so where it is so: nothing then goes on by itself.
func (e *Explanation) nobodyLeads(r *Rows) {
	if r.Leads > 0 {
		return
	}
	e.waits("no daemon leads: nobody accepts, places, takes from lost hosts or sends callbacks")
	e.can("start a daemon with WEIR_CONTROL=true, or see why none is up", "")
}

// pausedQueue says that somebody has paused a queue in River.
func (e *Explanation) pausedQueue(r *Rows, queue string) {
	if r.paused(queue) {
		e.waits(fmt.Sprintf("queue %s is paused in River: daemons that lead resume it within half a minute", queue))
	}
}

// job says how a job is that a row names, where it is not simply at work.
func (e *Explanation) job(r *Rows, id *int64, queue, what, mends string) {
	var j dbsqlc.RiverJobLookRow
	known := false
	if id != nil {
		j, known = r.Jobs[*id]
	}
	e.pausedQueue(r, queue)
	if !known {
		e.waits(what + " has no job: " + mends)
		return
	}
	switch j.State {
	case "running":
		e.saw(j.AttemptedAt, fmt.Sprintf("%s is in the hand of %s, job %d", what, line(j.Owner), j.ID))
	case "available":
		e.waits(fmt.Sprintf("%s waits for a free worker of queue %s, job %d", what, j.Queue, j.ID))
	case "retryable", "scheduled", "pending":
		e.waits(fmt.Sprintf("%s waits for its time, job %d", what, j.ID))
		e.next(&j.ScheduledAt, what+" is tried again")
	default:
		e.waits(fmt.Sprintf("%s is without a job, as job %d is %s: %s", what, j.ID, j.State, mends))
	}
	if j.LastError != "" {
		e.saw(j.AttemptedAt, fmt.Sprintf("%s met, in try %d: %s", what, j.Attempt, line(j.LastError)))
	}
}

// hostTrouble says what is wrong with the host that has it, and is true where that
// explains all the rest.
func (e *Explanation) hostTrouble(r *Rows) bool {
	name := given(r.Transcode.HostID)
	h := r.host()
	switch {
	case h == nil:
		e.waits("host " + name + " has no row any more")
		return true
	case !h.Host.LeaseUntil.After(r.Now) && !h.Host.Up:
		e.waits(fmt.Sprintf("host %s was stopped and did not come back: its lease ended %s ago", name, span(r.Now.Sub(h.Host.LeaseUntil))))
	case !h.Host.LeaseUntil.After(r.Now):
		e.waits(fmt.Sprintf("host %s is lost: its lease ended %s ago", name, span(r.Now.Sub(h.Host.LeaseUntil))))
	case !h.Host.Up:
		e.waits(fmt.Sprintf("host %s: its daemon was stopped, and what runs there waits for the next one", name))
		e.next(&h.Host.LeaseUntil, "without a daemon by then it goes to another host")
		e.can("start the daemon of "+name, "")
		return true
	default:
		if h.Host.MistSilentFrom != nil {
			e.waits(fmt.Sprintf("Mist on %s has answered nothing for %s", name, span(r.Now.Sub(*h.Host.MistSilentFrom))))
			e.can("look at MistController on "+name, "")
		}
		return false
	}
	e.next(nil, "a daemon that leads takes it from there within seconds, and it is tried on another host; that eats no attempt")
	e.nobodyLeads(r)
	return true
}

// attempts tells of those that have ended, the newest first.
func (e *Explanation) attempts(r *Rows) {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		a := &r.Attempts[i]
		if a.Outcome == nil || a.EndedAt == nil {
			continue
		}
		text := fmt.Sprintf("attempt %d on %s %s", a.Number, a.HostID, outcomeWord(*a.Outcome))
		if a.ErrorCode != nil {
			text += ": " + *a.ErrorCode + " at " + given(a.ErrorStage)
		}
		e.saw(a.EndedAt, text)
	}
}

func outcomeWord(outcome string) string {
	switch outcome {
	case jobs.OutcomeLost:
		return "was lost"
	case jobs.OutcomeCancelled:
		return "was cancelled"
	default:
		return outcome
	}
}

// event tells of the last trigger.
func (e *Explanation) event(r *Rows) {
	if v := r.Event; v != nil {
		text := fmt.Sprintf("Mist on %s told %s", v.HostID, v.Trigger)
		if v.Rendition != nil {
			text += " of " + *v.Rendition
		}
		text += ", " + v.Verdict
		if v.Note != "" {
			text += ": " + line(v.Note)
		}
		e.saw(&v.ReceivedAt, text)
	}
}

// later is the later of times, of which some may be nil.
func later(times ...*time.Time) (latest *time.Time) {
	for _, at := range times {
		if at != nil && (latest == nil || at.After(*latest)) {
			latest = at
		}
	}
	return latest
}
