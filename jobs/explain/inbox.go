package explain

import (
	"weir/jobs"
)

// inbox explains a request by SQL that nobody has accepted.
func (e *Explanation) inbox(r *Rows) {
	e.Since = r.Transcode.CreatedAt
	e.Says = "It waits in the inbox of requests by SQL: no daemon has accepted it yet."
	e.nobodyLeads(r)
	e.job(r, r.AcceptJob, jobs.AcceptQueue, "its acceptance", "daemons that lead give it one within half a minute")
	e.saw(&r.Transcode.CreatedAt, "its transaction was committed")
	e.next(nil, "a daemon that leads accepts it, within a second where one has time: it is queued then, or failed where its request can't be accepted")
}
