package explain

import (
	"fmt"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// running explains one that its host works on.
func (e *Explanation) running(r *Rows) {
	t, a := &r.Transcode, r.attempt()
	name := given(t.HostID)
	if a == nil {
		e.noAttempt(r, "works on it")
		return
	}
	patience := jobs.PatienceWith(t, a)
	e.Since = a.CreatedAt
	gone := e.hostTrouble(r)
	next := e.Next
	switch a.Stage {
	case jobs.AttemptPlaced:
		e.fetching(r, a)
	case jobs.AttemptFetched:
		e.preparing(r, a)
	case jobs.AttemptPrepared:
		e.starting(r, a, &patience)
	case jobs.AttemptStarted:
		e.transcoding(r, a, &patience)
	default:
		if at := later(a.TranscodedAt, a.CleanedAt); at != nil {
			e.Since = *at
		}
		e.Says = fmt.Sprintf("Mist on %s is done with it, and its slot is about to be free.", name)
		e.next(nil, "what is pushed is stored")
	}
	if gone { // nothing of the above happens there
		e.Says = fmt.Sprintf("Host %s worked on it, at stage %s, and is not there.", name, r.stage())
		e.Next = next
	}
	e.job(r, a.JobID, jobs.HostQueue(name), "its supervisor", "the host gives it another at its next look, within seconds")
	e.trouble(r)
	e.told(r)
	e.event(r)
	e.steps(a)
	e.attempts(r)
	if patience.Until != nil && !gone {
		e.next(patience.Until, fmt.Sprintf("if it has not come further by then the attempt fails with %s", patience.Code))
	}
	e.can("follow it", admin+"transcodes watch "+t.ID.String())
	e.can("see what else the host does", admin+"hosts show "+name)
}

func (e *Explanation) fetching(r *Rows, a *dbsqlc.Attempt) {
	if a.StartedAt != nil {
		e.Since = *a.StartedAt
	}
	e.Says = "Its source is fetched into the spool of " + a.HostID + measured(r, jobs.StageFetch) + "."
	e.next(nil, "the source is probed and made ready; what is wrong with it shows then")
}

func (e *Explanation) preparing(r *Rows, a *dbsqlc.Attempt) {
	if a.FetchedAt != nil {
		e.Since = *a.FetchedAt
	}
	if r.stage() == jobs.StageProbe {
		e.Says = "Its source is probed on " + a.HostID + measured(r, jobs.StageProbe) + "."
	} else {
		e.Says = "Its source is made ready for Mist on " + a.HostID + measured(r, jobs.StagePrepare) + "."
	}
	e.next(nil, "the streams are added to Mist and MistProcLivepeer is started")
}

func (e *Explanation) starting(r *Rows, a *dbsqlc.Attempt, patience *jobs.Patience) {
	if at := later(a.PreparedAt, a.ProcessStartedAt); at != nil {
		e.Since = *at
	}
	e.next(nil, "MistProcLivepeer is started, within half a minute, and renditions come back by segments")
	switch {
	case a.HungStarts > 0:
		e.Says = "Its start hung, and it is started again."
		e.hung(a, patience)
	case a.Reruns > 0:
		e.Says = "Its process ended before all that came back was pushed, and it is started again."
		e.saw(a.ProcessStartedAt, reruns(a, patience))
	default:
		e.Says = "Its source is ready, and MistProcLivepeer is about to be started on " + a.HostID + "."
	}
	if n := r.renditions(jobs.RenditionPushed, jobs.RenditionOK); n > 0 {
		e.saw(nil, fmt.Sprintf("pushed or stored already, and not made again: %d of %s", n, many(len(r.Renditions), "rendition")))
	}
}

func (e *Explanation) hung(a *dbsqlc.Attempt, patience *jobs.Patience) {
	e.saw(a.ProcessStartedAt, fmt.Sprintf("%s within this attempt; behind %d the attempt fails with %s, which eats none",
		many(int(a.HungStarts), "hung start"), patience.HungStarts, jobs.CodeStartHung))
}

func reruns(a *dbsqlc.Attempt, patience *jobs.Patience) string {
	return fmt.Sprintf("%s of its process within this attempt, of %d at the most", many(int(a.Reruns), "rerun"), patience.Reruns)
}

func (e *Explanation) transcoding(r *Rows, a *dbsqlc.Attempt, patience *jobs.Patience) {
	if a.ProcessStartedAt != nil {
		e.Since = *a.ProcessStartedAt
	}
	pushing, came := r.renditions(jobs.RenditionPushing), false
	for i := range r.Renditions {
		came = came || r.Renditions[i].TrackIndex != nil || r.Renditions[i].State != jobs.RenditionExpected
	}
	switch {
	case !came && a.HungStarts > 0:
		e.Says = "MistProcLivepeer was started again on " + a.HostID + ", and nothing has come back yet."
	case !came:
		e.Says = "MistProcLivepeer was started on " + a.HostID + ", and nothing has come back yet."
		e.next(nil, "a start that shows nothing for some ten seconds, more for a large source, counts as hung and is tried again")
	default:
		e.Says = "It is transcoded on " + a.HostID + measured(r, jobs.StageTranscode) + "."
	}
	if a.HungStarts > 0 {
		e.hung(a, patience)
	}
	if a.Reruns > 0 {
		e.saw(a.ProcessStartedAt, reruns(a, patience))
	}
	if came {
		e.saw(nil, fmt.Sprintf("of %s: %d pushed or stored, %d being pushed, %d awaited, %d failed", many(len(r.Renditions), "rendition"),
			r.renditions(jobs.RenditionPushed, jobs.RenditionOK), pushing, r.renditions(jobs.RenditionExpected), r.renditions(jobs.RenditionFailed)))
	}
	if a.Broadcaster != nil {
		e.saw(nil, "its Broadcaster is "+line(*a.Broadcaster))
	}
	e.next(nil, fmt.Sprintf("each rendition is stored when its push ends; nothing new for %s fails the attempt with %s, a Mist that is silent for %s with %s",
		span(patience.Still), jobs.CodeNoProgress, span(patience.Silent), jobs.CodeMistUnavailable))
}

// measured is how far a stage is, as the host told it.
func measured(r *Rows, stage jobs.Stage) string {
	p := jobs.ProgressOf(&r.Transcode)
	if p == nil || p.Stage != stage {
		return ""
	}
	text := ""
	switch {
	case p.Of > 0 && p.Unit == jobs.UnitBytes:
		text = fmt.Sprintf(": %d%% of %s", done(p), size(p.Of))
	case p.Of > 0:
		text = fmt.Sprintf(": %d%%", done(p))
	}
	if p.Speed != nil {
		text += fmt.Sprintf(", at %.1fx", *p.Speed)
	}
	if eta := p.ETA(r.Now); eta != nil {
		text += fmt.Sprintf(", about %s to its end", span(seconds(*eta)))
	}
	return text
}

func done(p *jobs.Progress) int64 { return min(max(p.Done, 0)*percent/p.Of, percent) }

// told is when the host last said how far it is.
func (e *Explanation) told(r *Rows) {
	if p := jobs.ProgressOf(&r.Transcode); p != nil {
		e.saw(&p.At, fmt.Sprintf("%s told how far it is, at %s", given(r.Transcode.HostID), p.Stage))
	}
}

// steps tells of what the attempt has done, the last first.
func (e *Explanation) steps(a *dbsqlc.Attempt) {
	for _, step := range []Evidence{
		{a.CleanedAt, "Mist was cleaned up"},
		{a.TranscodedAt, "Mist was done with it"},
		{a.ProcessStartedAt, "MistProcLivepeer was started"},
		{a.PreparedAt, "its source was ready"},
		{a.FetchedAt, "its source was in the spool" + ofBytes(a.SourceBytes)},
		{a.StartedAt, a.HostID + " took attempt " + fmt.Sprint(a.Number) + " up"},
	} {
		if step.At != nil {
			e.saw(step.At, step.Says)
		}
	}
}

func ofBytes(n *int64) string {
	if n == nil {
		return ""
	}
	return ", " + size(*n)
}

// trouble tells what is in the way of its renditions and outputs.
func (e *Explanation) trouble(r *Rows) {
	for i := range r.Renditions {
		d := &r.Renditions[i]
		if d.ErrorCode != nil && d.State != jobs.RenditionOK {
			e.saw(nil, fmt.Sprintf("rendition %s is %s, with %s at %s: %s", d.Name, d.State, *d.ErrorCode, given(d.ErrorStage), line(given(d.ErrorMessage))))
		}
	}
	for i := range r.Outputs {
		o := &r.Outputs[i]
		if o.ErrorCode != nil && o.State != jobs.OutputOK {
			e.saw(nil, fmt.Sprintf("output %s is %s, with %s at %s: %s", o.Type, o.State, *o.ErrorCode, given(o.ErrorStage), line(given(o.ErrorMessage))))
		}
	}
}
