package jobs

import (
	"fmt"
	"slices"
	"time"

	"weir/db/dbsqlc"
)

const (
	// pushGrace is how long after the process's end, with the rest at hand, a push or a
	// track may still come: Mist tells of both within a second.
	pushGrace = 3 * time.Second
	// hintPatience is how long after a push is gone its RECORDING_END may still be on its
	// way into the rows: Mist posts it before the push ends.
	hintPatience = time.Second
)

// lostReasons are those of a push that had not got all when the stream under it ended.
var lostReasons = []string{"SHM_LOST", "UNKNOWN"}

// wroteAll is the reason of a push that has written all that its stream had, or got nothing
// more for 25 s (output.cpp). That is not all if the process was killed, or ran on.
const wroteAll = "CLEAN_EOF"

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
	// Killed: a signal ended it, and it is known.
	Killed bool
	// Hung, Reading, Posted, GaveUp, Full and Rejected are what the process's log and
	// Mist's report say of how it goes: its start hangs; it reads its source; a segment
	// went out; it gave up posting; on a Broadcaster that has no room; the status of a
	// segment that was refused.
	Hung, Reading, Posted, GaveUp, Full bool
	Rejected                            string
	// MediaMS is media sent and received; it grows while all is well.
	MediaMS int64
	// Pushing holds the renditions whose push Mist lists, Gone since when one that was
	// is not any more.
	Pushing map[string]bool
	Gone    map[string]time.Time
	// FileBytes holds the sizes of the renditions' files; one without a file is not in it.
	FileBytes map[string]int64
	// Whole holds the renditions whose file has the source's last picture.
	Whole map[string]bool
	// ProgressAt is when any of this last changed.
	ProgressAt time.Time
	// SilentFrom is since when Mist answers nothing; zero: it answers. The rest is then of
	// the last time that it did.
	SilentFrom time.Time
	// Refused holds the renditions whose push Mist did not take.
	Refused map[string]bool
	// LetGo: what ran was stopped, because this host's lease was about to end.
	LetGo bool
	// StopFrom is since when the daemon stops softly; zero: it does not.
	StopFrom time.Time
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
	// DoStartAgain stops the process, for another one to start in the same attempt: its
	// start hung, or (Rerun) it was killed, or ended before all that it returned was pushed.
	DoStartAgain Do = "start again"
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
	// DoLeave: the daemon stops; what runs is left to the next boot.
	DoLeave Do = "leave"
	// DoNothing: the attempt is cleaned up; the supervisor ends.
	DoNothing Do = "nothing"
)

// Action is the next step of a supervisor.
type Action struct {
	Do        Do
	Rendition *dbsqlc.Rendition
	Failure   *Failure
	// Rerun says why it starts again.
	Rerun bool
	// Within is how long it may take; 0: there is no bound but its own. Failure is what the
	// attempt fails with where it takes longer.
	Within time.Duration
}

// Plan decides what a supervisor does next. It is pure: the same rows at the same
// time give the same action, on any host, after any restart. Every action moves a
// row, so that the next plan is another one.
func Plan(rows Rows, now time.Time) Action {
	a := rows.Attempt
	switch {
	case a.CleanedAt != nil:
		return Action{Do: DoNothing}
	case !rows.Seen.StopFrom.IsZero() && !holds(rows, now):
		return Action{Do: DoLeave}
	case Terminal(rows.Transcode.State), rows.Transcode.Attempt != a.Number, a.Outcome != nil:
		// Ended, cancelled, or a newer attempt has it: this one may only clean up.
		return Action{Do: DoClean}
	case allOK(rows.Renditions) && a.PackageFrom == nil:
		// The stores of an attempt before this one came through after all.
		return Action{Do: DoSettle}
	case allOK(rows.Renditions) && a.Stage != AttemptTranscoded:
		return Action{Do: DoFinish} // its package job needs neither Mist nor the slot
	case rows.Seen.LetGo && !nothingOpen(rows):
		return Action{Do: DoFail, Failure: Failed(CodeHostLost, StageTranscode, "it could not renew its lease")}
	}
	switch a.Stage {
	case AttemptPlaced:
		return bounded(DoFetch, a.StartedAt, StageCeiling, CodeFetchSlow, StageFetch, now)
	case AttemptFetched:
		return bounded(DoPrepare, a.FetchedAt, StageCeiling, CodePrepareSlow, StagePrepare, now)
	case AttemptPrepared:
		if nothingOpen(rows) {
			return Action{Do: DoFinish} // given up between two starts; stores still work on the rest
		}
		return bounded(DoStart, nil, startLimit, CodeMistUnavailable, StageTranscode, now)
	case AttemptStarted:
		return planStarted(rows, now)
	default:
		return Action{Do: DoClean}
	}
}

// bounded is a step that fails the attempt when it is not done within limit from a time; nil:
// from now.
func bounded(do Do, from *time.Time, limit time.Duration, code string, stage Stage, now time.Time) Action {
	late := Failed(code, stage, fmt.Sprintf("it was given %s", limit)).Telling(fmt.Sprintf("more than %s", limit))
	left := limit
	if from != nil {
		left -= max(0, now.Sub(*from))
	}
	if left <= 0 {
		return Action{Do: DoFail, Failure: late}
	}
	return Action{Do: do, Failure: late, Within: left}
}

// holds says whether a soft stop has to wait. Mist keeps no rendition for the next boot
// once its process has ended: pushes that have begun run on without us, others never
// begin.
func holds(rows Rows, now time.Time) bool {
	return rows.Attempt.Stage == AttemptStarted && rows.Attempt.Outcome == nil && now.Sub(rows.Seen.StopFrom) < stopHold &&
		slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool {
			return r.State == RenditionExpected && r.Attempt == rows.Attempt.Number
		})
}

func allOK(renditions []dbsqlc.Rendition) bool {
	return len(renditions) > 0 && !slices.ContainsFunc(renditions, func(r dbsqlc.Rendition) bool { return r.State != RenditionOK })
}

// nothingOpen says whether the attempt has no rendition left for Mist to do.
func nothingOpen(rows Rows) bool {
	return len(rows.Renditions) > 0 && !slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool {
		return r.Attempt == rows.Attempt.Number && (r.State == RenditionExpected || r.State == RenditionPushing)
	})
}

func planStarted(rows Rows, now time.Time) Action {
	if silent := rows.Seen.SilentFrom; !silent.IsZero() && !nothingOpen(rows) {
		if now.Sub(silent) >= mistPatience {
			return Action{Do: DoFail, Failure: Failed(CodeMistUnavailable, StageTranscode, rows.Seen.ProcessText)}
		}
		return Action{Do: DoWait}
	}
	open := 0
	track := false // a rendition waits for its push
	var refused *dbsqlc.Rendition
	lost := false // a rendition came back, and its push did not get it
	seen := rows.Seen
	looked := !seen.At.IsZero()
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		if r.Attempt != rows.Attempt.Number {
			continue // ok since an earlier attempt
		}
		switch r.State {
		case RenditionExpected:
			open++
			if Pushable(r, rows.Attempt.Number) {
				track = true
				if seen.Refused[r.Name] {
					refused = r
				}
			}
		case RenditionPushing:
			open++
			action := planPushing(rows, r, now)
			switch action.Do {
			case DoWait:
			case DoStartAgain:
				lost = true
			default:
				return action
			}
		}
	}
	ended := looked && !seen.ProcessAlive
	switch {
	case open == 0:
		return Action{Do: DoFinish}
	case looked && startHangs(rows, now):
		if rows.Attempt.HungStarts < hungStartsMost {
			return Action{Do: DoStartAgain}
		}
		return Action{Do: DoFail, Failure: Failed(CodeStartHung, StageTranscode, seen.ProcessText)}
	case looked && late(rows, now):
		return Action{Do: DoFail, Failure: Failed(CodeDeadline, StageTranscode, seen.ProcessText)}
	case looked && now.Sub(seen.ProgressAt) >= progressPatience(&rows.Attempt):
		return Action{Do: DoFail, Failure: Failed(CodeNoProgress, StageTranscode, seen.ProcessText)}
	case refused != nil && ended && rows.Attempt.Reruns >= rerunsMost:
		return Action{Do: DoFailRendition, Rendition: refused, Failure: Failed(CodePushFailed, StagePush, "Mist took no push of its track")}
	case track && (!ended || rows.Attempt.Reruns >= rerunsMost):
		// Behind the watchdogs: Mist may not take it, again and again.
		return Action{Do: DoPush}
	case ended && now.Sub(seen.EndedAt) >= pushGrace && len(seen.Pushing) == 0:
		if (lost || track || seen.Killed) && !seen.GaveUp && rows.Attempt.Reruns < rerunsMost {
			return Action{Do: DoStartAgain, Rerun: true}
		}
		return Action{Do: DoFail, Failure: endedEarly(rows)}
	}
	return Action{Do: DoWait}
}

// startHangs says whether nothing will ever come of a process: it says so itself, or has
// posted nothing for too long. One that gave up posting does not hang.
func startHangs(rows Rows, now time.Time) bool {
	seen := rows.Seen
	if seen.Posted || seen.GaveUp || slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool {
		return r.Attempt == rows.Attempt.Number && r.State == RenditionExpected && r.TrackIndex != nil || r.State == RenditionPushing
	}) {
		return false
	}
	if seen.Hung {
		return true
	}
	started := rows.Attempt.ProcessStartedAt
	return seen.ProcessAlive && started != nil && now.Sub(*started) >= startPatience(&rows.Attempt, seen.Reading)
}

// Pushable says whether an attempt can start a rendition's push.
func Pushable(r *dbsqlc.Rendition, attempt int32) bool {
	return r.Attempt == attempt && r.State == RenditionExpected && r.TrackIndex != nil
}

// late says whether the process has had its time.
func late(rows Rows, now time.Time) bool {
	started, duration := rows.Attempt.ProcessStartedAt, rows.Transcode.SourceDurationMs
	return started != nil && duration != nil && now.Sub(*started) >= transcodeLimit(*duration)
}

// cutShort says whether a push ended for another reason than its process's own end.
func (s *Seen) cutShort(name string) bool {
	gone, known := s.Gone[name]
	return s.Killed || s.ProcessAlive || known && s.EndedAt.Sub(gone) >= pushGrace
}

// planPushing tells whether a push is over. RECORDING_END comes a second before
// PUSH_END, and is believed where the file is as large as it says and has the source's
// last picture: anybody may post one. Else Mist's own list decides. Whether the file is whole is judged by what is in it, later; but one
// whose stream ended under it is pushed again, from another run of the process, as
// long as there may be one ([DoStartAgain]).
func planPushing(rows Rows, r *dbsqlc.Rendition, now time.Time) Action {
	seen := rows.Seen
	bytes := seen.FileBytes[r.Name]
	again := rows.Attempt.Reruns < rerunsMost && !seen.GaveUp
	lost := r.RecordedReason != nil && (slices.Contains(lostReasons, *r.RecordedReason) ||
		*r.RecordedReason == wroteAll && seen.cutShort(r.Name))
	if !lost && r.RecordedBytes != nil && *r.RecordedBytes > 0 && bytes == *r.RecordedBytes && (seen.Whole[r.Name] || !seen.Pushing[r.Name]) {
		return Action{Do: DoPushed, Rendition: r}
	}
	switch {
	case seen.At.IsZero(), seen.Pushing[r.Name]:
		return Action{Do: DoWait}
	case bytes == 0 && (lost || !seen.ProcessAlive) && again, bytes > 0 && lost && again:
		return Action{Do: DoStartAgain, Rendition: r}
	case bytes > 0 && r.RecordedReason == nil && now.Sub(seen.Gone[r.Name]) < hintPatience:
		return Action{Do: DoWait}
	case bytes > 0:
		return Action{Do: DoPushed, Rendition: r}
	}
	reason := "no file"
	if r.RecordedReason != nil {
		reason = *r.RecordedReason
	}
	return Action{Do: DoFailRendition, Rendition: r, Failure: Failed(CodePushFailed, StagePush, reason)}
}

// endedEarly says why a process is gone with renditions still open.
func endedEarly(rows Rows) *Failure {
	seen, returned := rows.Seen, 0
	for _, r := range rows.Renditions {
		if r.State == RenditionOK || r.Attempt == rows.Attempt.Number && r.TrackIndex != nil {
			returned++
		}
	}
	switch {
	case seen.Full:
		return Failed(CodeGatewayFull, StageTranscode, seen.ProcessText)
	case seen.Rejected != "":
		return Failed(CodeSegmentRejected, StageTranscode, seen.ProcessText).Telling(seen.Rejected)
	case returned > 0:
		return Failed(CodeRenditionMissing, StageTranscode, seen.ProcessText)
	default:
		return Failed(CodeNothingReturned, StageTranscode, seen.ProcessText)
	}
}
