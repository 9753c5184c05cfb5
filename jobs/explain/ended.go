package explain

import (
	"fmt"
	"time"

	"weir/jobs"
)

// ended explains one that has come to its end: why, whether asking again can help, and what
// has become of its callback.
func (e *Explanation) ended(r *Rows) {
	t := &r.Transcode
	if t.FinishedAt != nil {
		e.Since = *t.FinishedAt
	}
	ok, all := r.renditions(jobs.RenditionOK), many(len(r.Renditions), "rendition")
	switch t.State {
	case jobs.StateSucceeded:
		e.Says = fmt.Sprintf("It succeeded: %s stored and verified.", are(ok))
		if n := len(r.Outputs); n > 0 {
			e.Says = fmt.Sprintf("It succeeded: %s and %s stored and verified.", many(ok, "rendition"), many(n, "output"))
		}
	case jobs.StateCancelled:
		e.Says = fmt.Sprintf("It was cancelled; %d of %s were stored.", ok, all)
		e.next(nil, "nothing: a cancelled transcode stays so")
		e.can("ask for it anew: the same request, with another external_id", "")
	default:
		e.failed(r, ok, all)
	}
	if t.FormerExternalID != nil {
		e.saw(nil, "a newer transcode has its external_id "+line(*t.FormerExternalID))
		e.can("see the one that took its place", admin+"transcodes list --tenant "+t.Tenant+" --external-id "+quoted(*t.FormerExternalID))
	}
	e.callback(r)
	e.residue(r)
	e.trouble(r)
	e.attempts(r)
}

func are(n int) string {
	if n == 1 {
		return "1 rendition is"
	}
	return fmt.Sprintf("%d renditions are", n)
}

// failed says why, who can mend it, and whether a retry helps.
func (e *Explanation) failed(r *Rows, ok int, all string) {
	t, f := &r.Transcode, e.Failure
	if f == nil {
		e.Says = "It failed, and its row does not say why: report this as a defect."
		return
	}
	e.Says = fmt.Sprintf("It failed with %s at %s, which %s can mend: %s", f.Code, f.Stage, who(jobs.Blame(f.Blame)), line(f.Message))
	switch {
	case t.FormerExternalID != nil:
		e.next(nil, "nothing: a newer transcode has taken its place, and that one can be retried")
	case f.Code == jobs.CodeStoreExpired || f.Code == jobs.CodeSecretUnreadable:
		e.next(nil, "nothing by itself")
		e.can("retry it once what was wrong is mended", admin+"transcodes retry "+t.ID.String())
	case f.Retriable:
		e.next(nil, fmt.Sprintf("nothing by itself: %s, and another run may go well", tried(f.Retry)))
		e.can(fmt.Sprintf("retry it: the %d of %s that are stored stay", ok, all), admin+"transcodes retry "+t.ID.String())
	default:
		e.next(nil, "nothing by itself: a retry of the same meets the same")
		e.can("retry it where what it needs was mended in place, as a source uploaded anew or a right that was given", admin+"transcodes retry "+t.ID.String())
	}
	e.kin(r)
}

// kinDay is as far back as failures are grouped where nothing is said.
const kinDay = 24 * time.Hour

// kin points to others that failed so, by what those who can mend it have in common.
func (e *Explanation) kin(r *Rows) {
	by := "host"
	switch jobs.Blame(e.Failure.Blame) {
	case jobs.BlameLivepeer:
		by = "broadcaster"
	case jobs.BlameInput, jobs.BlameStudio, jobs.BlameStorage:
		by = "tenant"
	case jobs.BlameNetwork, jobs.BlameHost, jobs.BlameWeir:
	}
	command := admin + "failures list --by " + by + " --filter " + quoted("code:"+e.Failure.Code)
	if ago := r.Now.Sub(e.Since); ago >= kinDay {
		command += fmt.Sprintf(" --since %dd", int(ago/kinDay)+1)
	}
	e.can("see what else failed so, by "+by, command)
}

func tried(retry string) string {
	switch retry {
	case "for a day":
		return "it was tried for a day"
	default:
		return "its three attempts are used"
	}
}

// who can mend a failure.
func who(blame jobs.Blame) string {
	switch blame {
	case jobs.BlameInput:
		return "whoever sent the request"
	case jobs.BlameStorage:
		return "whoever runs the storage"
	case jobs.BlameNetwork:
		return "whoever runs the network between the host and the storage"
	case jobs.BlameHost:
		return "whoever runs the host"
	case jobs.BlameLivepeer:
		return "whoever runs the Broadcasters"
	case jobs.BlameStudio:
		return "whoever asked for it"
	default:
		return "whoever makes Weir"
	}
}

// residue tells of hosts that have still to clean up.
func (e *Explanation) residue(r *Rows) {
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.CleanedAt == nil {
			e.next(nil, fmt.Sprintf("%s cleans up behind attempt %d when it looks next", a.HostID, a.Number))
		}
	}
}
