package explain

import (
	"slices"
	"time"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// Rows is all that is known of a transcode and of what is around it, at one moment.
type Rows struct {
	// Now is the database's time.
	Now time.Time
	// Leads are the daemons that lead and live, UrgentPercent what of all slots they keep
	// for the urgent.
	Leads         int64
	UrgentPercent int32
	// PausedQueues are River's, by their names.
	PausedQueues []string

	Transcode dbsqlc.Transcode
	// AcceptJob: it waits in the inbox, and this job is to accept it; nil: it is accepted.
	AcceptJob  *int64
	Attempts   []dbsqlc.Attempt // oldest first
	Renditions []dbsqlc.Rendition
	Outputs    []dbsqlc.Output
	Callback   *dbsqlc.Callback // of its run
	// Jobs are those that these rows name and that River has, by id.
	Jobs map[int64]dbsqlc.RiverJobLookRow
	// Event is the last thing that Mist told of it.
	Event *dbsqlc.MistEvent

	Hosts []dbsqlc.HostListRow
	// Position and Turn are nil unless it is queued.
	Position *jobs.Position
	Turn     *dbsqlc.PlacementLookRow
	// HoldSeconds is how long a slot was held lately, on average; 0: nobody knows.
	HoldSeconds float64
}

// attempt is the newest one; nil: there is none.
func (r *Rows) attempt() *dbsqlc.Attempt {
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Number == r.Transcode.Attempt {
			return a
		}
	}
	return nil
}

// last is the newest attempt that has ended; nil: none has.
func (r *Rows) last() *dbsqlc.Attempt {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if r.Attempts[i].EndedAt != nil {
			return &r.Attempts[i]
		}
	}
	return nil
}

// host is the row of the newest attempt's host; nil: there is none.
func (r *Rows) host() *dbsqlc.HostListRow {
	if r.Transcode.HostID == nil {
		return nil
	}
	for i := range r.Hosts {
		if r.Hosts[i].Host.ID == *r.Transcode.HostID {
			return &r.Hosts[i]
		}
	}
	return nil
}

func (r *Rows) paused(queue string) bool { return slices.Contains(r.PausedQueues, queue) }

// stage is what is being done: the state's word, refined by the last step that is done.
func (r *Rows) stage() jobs.Stage {
	a := r.attempt()
	switch {
	case a == nil || jobs.Terminal(r.Transcode.State) || r.Transcode.State == jobs.StateQueued:
		return jobs.StageQueue
	case a.PackageFrom != nil && a.Outcome == nil:
		return jobs.StagePackage
	}
	doing := jobs.StageAt(&r.Transcode, a.Stage)
	if told := jobs.ProgressOf(&r.Transcode); doing == jobs.StageProbe && told != nil && told.Stage == jobs.StagePrepare {
		return told.Stage // rows tell of the probe when both are done
	}
	return doing
}

// renditions counts those in a state.
func (r *Rows) renditions(states ...string) (n int) {
	for i := range r.Renditions {
		if slices.Contains(states, r.Renditions[i].State) {
			n++
		}
	}
	return n
}
