package jobs

import (
	"slices"
	"time"

	"weir/db/dbsqlc"
)

const (
	// noProgressAfter is how long a started process may show nothing new. Mist's own
	// report comes every 5 s, a Broadcaster may take its segment's length plus 2 s,
	// twice, five times over; a garbage source hangs for ever.
	noProgressAfter = 60 * time.Second
	// pushGrace is how long after the process's end, with the rest at hand, a push or a
	// track may still come: Mist tells of both within a second.
	pushGrace = 3 * time.Second
)

// Rows is all that a supervisor knows when it decides: rows, and what it saw of
// Mist and the spool just now.
type Rows struct {
	Transcode  dbsqlc.Transcode
	Attempt    dbsqlc.Attempt
	Renditions []dbsqlc.Rendition
	Seen       Seen
}

// Seen is what Mist and the spool say at one moment: evidence that no trigger is
// needed for.
type Seen struct {
	// At is when; zero: nobody has looked yet.
	At time.Time
	// ProcessAlive is whether MistProcLivepeer runs; EndedAt is when it was first
	// seen gone.
	ProcessAlive bool
	EndedAt      time.Time
	// ProcessText says how it ended, for people: exit codes prove nothing.
	ProcessText string
	// Pushing holds the renditions whose push Mist lists.
	Pushing map[string]bool
	// FileBytes holds the sizes of the renditions' files; one without a file is not in it.
	FileBytes map[string]int64
	// ProgressAt is when any of this last changed.
	ProgressAt time.Time
}

// Do is what a supervisor does next.
type Do string

// What a supervisor can do.
const (
	// DoFetch brings the source into the spool.
	DoFetch Do = "fetch"
	// DoPrepare probes it and makes the padded file.
	DoPrepare Do = "prepare"
	// DoStart adds the streams and starts MistProcLivepeer.
	DoStart Do = "start"
	// DoPush starts the pushes of all renditions whose track is there.
	DoPush Do = "push"
	// DoPushed hands Rendition's file to its store job.
	DoPushed Do = "pushed"
	// DoFailRendition gives Rendition up for Failure.
	DoFailRendition Do = "fail rendition"
	// DoFail gives all that is not pushed up for Failure.
	DoFail Do = "fail"
	// DoSettle: nothing is left to do, and nobody has settled it.
	DoSettle Do = "settle"
	// DoFinish: Mist is done; the slot can go.
	DoFinish Do = "finish"
	// DoClean removes what the attempt left in Mist, and its process.
	DoClean Do = "clean"
	// DoWait waits for a wake-up, a poll at the most.
	DoWait Do = "wait"
	// DoNothing: the attempt is cleaned up; the supervisor ends.
	DoNothing Do = "nothing"
)

// Action is the next step of a supervisor.
type Action struct {
	Do        Do
	Rendition *dbsqlc.Rendition
	Failure   *Failure
}

// plan decides what a supervisor does next. It is pure: the same rows at the same
// time give the same action, on any host, after any restart. Every action moves a
// row, so that the next plan is another one.
func plan(rows Rows, now time.Time) Action {
	a := rows.Attempt
	switch {
	case a.CleanedAt != nil:
		return Action{Do: DoNothing}
	case terminal(rows.Transcode.State), rows.Transcode.Attempt != a.Number, a.Outcome != nil:
		// Ended, cancelled, or a newer attempt has it: this one may only clean up.
		return Action{Do: DoClean}
	case allOK(rows.Renditions):
		// The stores of an attempt before this one came through after all.
		return Action{Do: DoSettle}
	}
	switch a.Stage {
	case AttemptPlaced:
		return Action{Do: DoFetch}
	case AttemptFetched:
		return Action{Do: DoPrepare}
	case AttemptPrepared:
		return Action{Do: DoStart}
	case AttemptStarted:
		return planStarted(rows, now)
	default:
		return Action{Do: DoClean}
	}
}

func allOK(renditions []dbsqlc.Rendition) bool {
	return len(renditions) > 0 && !slices.ContainsFunc(renditions, func(r dbsqlc.Rendition) bool { return r.State != RenditionOK })
}

func planStarted(rows Rows, now time.Time) Action {
	open := 0
	track := false // a rendition waits for its push
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		if r.Attempt != rows.Attempt.Number {
			continue // ok since an earlier attempt
		}
		switch r.State {
		case RenditionExpected:
			open++
			track = track || pushable(r, rows.Attempt.Number)
		case RenditionPushing:
			open++
			if action := planPushing(r, rows.Seen); action.Do != DoWait {
				return action
			}
		}
	}
	looked := !rows.Seen.At.IsZero()
	switch {
	case open == 0:
		return Action{Do: DoFinish}
	case looked && late(rows, now):
		return Action{Do: DoFail, Failure: failed(CodeDeadline, StageTranscode, rows.Seen.ProcessText)}
	case looked && now.Sub(rows.Seen.ProgressAt) >= noProgressAfter:
		return Action{Do: DoFail, Failure: failed(CodeNoProgress, StageTranscode, rows.Seen.ProcessText)}
	case track:
		// Behind the watchdogs: Mist may not take it, again and again.
		return Action{Do: DoPush}
	case looked && !rows.Seen.ProcessAlive && now.Sub(rows.Seen.EndedAt) >= pushGrace && len(rows.Seen.Pushing) == 0:
		return Action{Do: DoFail, Failure: endedEarly(rows)}
	}
	return Action{Do: DoWait}
}

// pushable says whether an attempt can start a rendition's push.
func pushable(r *dbsqlc.Rendition, attempt int32) bool {
	return r.Attempt == attempt && r.State == RenditionExpected && r.TrackIndex != nil
}

// late says whether the process has had its time.
func late(rows Rows, now time.Time) bool {
	started, duration := rows.Attempt.ProcessStartedAt, rows.Transcode.SourceDurationMs
	return started != nil && duration != nil && now.Sub(*started) >= transcodeLimit(*duration)
}

// planPushing tells whether a push is over. RECORDING_END comes a second before
// PUSH_END, and is believed where the file is as large as it says; else Mist's own
// list decides. Whether the file is whole is judged by what is in it, later.
func planPushing(r *dbsqlc.Rendition, seen Seen) Action {
	bytes := seen.FileBytes[r.Name]
	if r.RecordedBytes != nil && *r.RecordedBytes > 0 && bytes == *r.RecordedBytes {
		return Action{Do: DoPushed, Rendition: r}
	}
	if seen.At.IsZero() || seen.Pushing[r.Name] {
		return Action{Do: DoWait}
	}
	if bytes > 0 {
		return Action{Do: DoPushed, Rendition: r}
	}
	reason := "no file"
	if r.RecordedReason != nil {
		reason = *r.RecordedReason
	}
	return Action{Do: DoFailRendition, Rendition: r, Failure: failed(CodePushFailed, StagePush, reason)}
}

// endedEarly says why a process is gone with renditions still open.
func endedEarly(rows Rows) *Failure {
	returned := 0
	for _, r := range rows.Renditions {
		if r.State == RenditionOK || r.Attempt == rows.Attempt.Number && r.TrackIndex != nil {
			returned++
		}
	}
	if returned > 0 {
		return failed(CodeRenditionMissing, StageTranscode, rows.Seen.ProcessText)
	}
	return failed(CodeNothingReturned, StageTranscode, rows.Seen.ProcessText)
}
