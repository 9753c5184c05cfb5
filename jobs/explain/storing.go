package explain

import (
	"fmt"
	"slices"
	"time"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// storing explains one that Mist is done with.
func (e *Explanation) storing(r *Rows) {
	t, a := &r.Transcode, r.attempt()
	name := given(t.HostID)
	ok, all := r.renditions(jobs.RenditionOK), len(r.Renditions)
	e.Says = fmt.Sprintf("Mist is done with it; %d of %s are stored, and %s finishes, judges and uploads the rest.", ok, many(all, "rendition"), name)
	if a == nil {
		e.noAttempt(r, "stores it")
		return
	}
	if a.TranscodedAt != nil {
		e.Since = *a.TranscodedAt
	}
	if trouble := away(r); trouble != nil {
		e.Says = fmt.Sprintf("Its storage does not take it: %d of %s are stored, and the rest is tried again and again.", ok, many(all, "rendition"))
		if !storageBlame(*trouble.ErrorCode) {
			e.Says = fmt.Sprintf("Something is in the way of its stores: %d of %s are stored, and the rest is tried again and again.", ok, many(all, "rendition"))
		}
		e.waits(fmt.Sprintf("%s at %s: %s", *trouble.ErrorCode, given(trouble.ErrorStage), line(given(trouble.ErrorMessage))))
		e.can("see that its storage answers, and takes what is put there: "+line(t.OutputURL), "")
	}
	gone := e.hostTrouble(r)
	if gone {
		e.Says = fmt.Sprintf("Host %s has what is not stored on its spool, and is not there.", name)
	}
	var first *time.Time
	for i := range r.Renditions {
		d := &r.Renditions[i]
		if d.State != jobs.RenditionPushed {
			continue
		}
		e.job(r, d.JobID, jobs.StoreQueue(name), "the store of "+d.Name, "the host gives it another at its next look, within seconds")
		if d.PushedAt != nil && (first == nil || d.PushedAt.Before(*first)) {
			first = d.PushedAt
		}
	}
	e.trouble(r)
	e.told(r)
	e.event(r)
	e.steps(a)
	e.attempts(r)
	switch {
	case ok == all && all > 0:
		e.next(nil, "all is stored: its end is decided at once")
	case t.Packages:
		e.next(nil, "its outputs are made when all renditions are stored")
	default:
		e.next(nil, "it succeeds when all renditions are stored, and its callback is due then")
	}
	if first != nil && !gone {
		e.next(new(first.Add(jobs.StorePatience)), fmt.Sprintf("what is not stored by then fails with %s", jobs.CodeStoreExpired))
	}
	e.can("see what else the host does", admin+"hosts show "+name)
}

// away is a rendition that waits for its storage, and what is in its way.
func away(r *Rows) *dbsqlc.Rendition {
	i := slices.IndexFunc(r.Renditions, func(d dbsqlc.Rendition) bool { return d.State == jobs.RenditionPushed && d.ErrorCode != nil })
	if i < 0 {
		return nil
	}
	return &r.Renditions[i]
}

// storageBlame says whether a failure is the storage's, or of the way there.
func storageBlame(code string) bool {
	blame := jobs.KindOf(code).Blame
	return blame == jobs.BlameStorage || blame == jobs.BlameNetwork
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
