package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	outcome, duration, longAgo := OutcomeFailed, int64(20_000), now.Add(-transcodeLimit(20_000))
	past := now.Add(-StageCeiling)
	track, bytes, reason := int32(0), int64(100), "WRITE_FAILURE"
	attempt := func(stage string) dbsqlc.Attempt { return dbsqlc.Attempt{Number: 2, Stage: stage} }
	running := dbsqlc.Transcode{State: StateRunning, Attempt: 2}
	rendition := func(state string, change func(*dbsqlc.Rendition)) dbsqlc.Rendition {
		r := dbsqlc.Rendition{Name: "a", State: state, Attempt: 2}
		if change != nil {
			change(&r)
		}
		return r
	}
	tracked := func(r *dbsqlc.Rendition) { r.TrackIndex = &track }
	recorded := func(r *dbsqlc.Rendition) { r.TrackIndex, r.RecordedBytes = &track, &bytes }
	alive := Seen{At: now, ProcessAlive: true, ProgressAt: now}
	gone := Seen{At: now, EndedAt: now.Add(-pushGrace), ProgressAt: now, Posted: true}
	began := func(ago time.Duration, change func(*dbsqlc.Attempt)) dbsqlc.Attempt {
		at := now.Add(-ago)
		a := dbsqlc.Attempt{Number: 2, Stage: AttemptStarted, ProcessStartedAt: &at, Prepared: []byte(`{"bytes":100000000}`)}
		if change != nil {
			change(&a)
		}
		return a
	}
	patience := startFloor + 100*startPerMB
	shmLost := "SHM_LOST"
	raced := func(r *dbsqlc.Rendition) { r.TrackIndex, r.RecordedBytes, r.RecordedReason = &track, &bytes, &shmLost }
	eof := wroteAll
	wrote := func(r *dbsqlc.Rendition) { raced(r); r.RecordedReason = &eof }
	killed := func(s *Seen) { s.Killed = true }
	hundred := func(s *Seen) { s.FileBytes = map[string]int64{"a": 100} }
	rerunsUsed := func(a *dbsqlc.Attempt) { a.Reruns = rerunsMost }
	with := func(seen Seen, change func(*Seen)) Seen { change(&seen); return seen }
	pushing := func(s *Seen) { s.Pushing = map[string]bool{"a": true} }

	for _, test := range []struct {
		name       string
		transcode  dbsqlc.Transcode
		attempt    dbsqlc.Attempt
		renditions []dbsqlc.Rendition
		seen       Seen
		do         Do
		code       string
	}{
		{"begin", running, attempt(AttemptPlaced), nil, Seen{}, DoFetch, ""},
		{"fetched", running, attempt(AttemptFetched), nil, Seen{}, DoPrepare, ""},
		{"prepared", running, attempt(AttemptPrepared), nil, Seen{}, DoStart, ""},
		{"prepared again, with one pushed", running, attempt(AttemptPrepared),
			[]dbsqlc.Rendition{rendition(RenditionPushed, nil), rendition(RenditionExpected, nil)}, Seen{}, DoStart, ""},
		{"given up between two starts, with one pushed", running, attempt(AttemptPrepared),
			[]dbsqlc.Rendition{rendition(RenditionPushed, nil), rendition(RenditionFailed, nil)}, Seen{}, DoFinish, ""},
		{"transcoded", running, attempt(AttemptTranscoded), nil, Seen{}, DoClean, ""},
		{"cleaned up", running, dbsqlc.Attempt{Number: 2, CleanedAt: &now}, nil, Seen{}, DoNothing, ""},
		{"cancelled", dbsqlc.Transcode{State: StateCancelled, Attempt: 2}, attempt(AttemptStarted), nil, alive, DoClean, ""},
		{"a newer attempt has it", dbsqlc.Transcode{State: StateRunning, Attempt: 3}, attempt(AttemptStarted), nil, alive, DoClean, ""},
		{"the attempt has failed", running, dbsqlc.Attempt{Number: 2, Stage: AttemptStarted, Outcome: &outcome}, nil, alive, DoClean, ""},

		{"no track yet", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, alive, DoWait, ""},
		{"a track", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)}, alive, DoPush, ""},
		{"pushing", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)}, with(alive, pushing), DoWait, ""},
		{"recorded, and the file is as large", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(alive, func(s *Seen) { pushing(s); hundred(s); s.Whole = map[string]bool{"a": true} }), DoPushed, ""},
		{"a forged end that names its size", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(alive, func(s *Seen) { pushing(s); hundred(s) }), DoWait, ""},
		{"recorded, but the file is smaller", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(alive, func(s *Seen) { pushing(s); s.FileBytes = map[string]int64{"a": 99} }), DoWait, ""},
		{"no trigger, but the push is gone", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)},
			with(alive, func(s *Seen) { s.FileBytes = map[string]int64{"a": 7} }), DoPushed, ""},
		{"a forged end, and nobody has looked", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushing, recorded)}, Seen{}, DoWait, ""},
		{"the push is gone and left no file", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushing, func(r *dbsqlc.Rendition) { tracked(r); r.RecordedReason = &reason })}, alive, DoFailRendition, CodePushFailed},
		{"all pushed", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushed, tracked), rendition(RenditionOK, tracked)}, alive, DoFinish, ""},
		{"ok since an earlier attempt", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionOK, func(r *dbsqlc.Rendition) { r.Attempt = 1 }), rendition(RenditionPushed, tracked)}, alive, DoFinish, ""},

		{"the process is gone, a moment ago", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, func(s *Seen) { s.EndedAt = now }), DoWait, ""},
		{"the process is gone, nothing came", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, gone, DoFail, CodeNothingReturned},
		{"the process is gone, one came", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushed, tracked), rendition(RenditionExpected, nil)}, gone, DoFail, CodeRenditionMissing},
		{"the process is gone, a push still writes", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushing, tracked), rendition(RenditionExpected, nil)}, with(gone, pushing), DoWait, ""},
		{"the push is gone, and its end may be on its way", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)},
			with(alive, func(s *Seen) { hundred(s); s.Gone = map[string]time.Time{"a": now.Add(-hintPatience / 2)} }), DoWait, ""},
		{"the push is gone for longer than that", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)},
			with(alive, func(s *Seen) { hundred(s); s.Gone = map[string]time.Time{"a": now.Add(-hintPatience)} }), DoPushed, ""},

		{"a start that says it hangs", running, began(0, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Hung = true }), DoStartAgain, ""},
		{"and is gone by itself", running, began(0, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, func(s *Seen) { s.Hung, s.Posted = true, false }), DoStartAgain, ""},
		{"a start that posts nothing", running, began(patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, alive, DoStartAgain, ""},
		{"a start that may still read", running, began(patience-1, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, alive, DoWait, ""},
		{"a start that reads, slowly", running, began(patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Reading = true }), DoWait, ""},
		{"a start that reads for ever", running, began(readingFactor*patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Reading = true }), DoStartAgain, ""},
		{"a start that has posted", running, began(patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Posted = true }), DoWait, ""},
		{"a session that fails later on", running, began(0, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Posted, s.Hung = true, true }), DoWait, ""},
		{"a start that found no Broadcaster", running, began(patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.GaveUp = true }), DoWait, ""},
		{"nobody has looked at the start", running, began(patience, nil), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, Seen{}, DoWait, ""},
		{"a start that hangs again and again", running, began(0, func(a *dbsqlc.Attempt) { a.HungStarts = hungStartsMost }),
			[]dbsqlc.Rendition{rendition(RenditionExpected, nil)}, with(alive, func(s *Seen) { s.Hung = true }), DoFail, CodeStartHung},

		{"the stream ended under a push", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, raced)},
			with(gone, hundred), DoStartAgain, ""},
		{"and the process is not through", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, raced)},
			with(alive, hundred), DoWait, ""},
		{"and another push still writes", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushing, raced), rendition(RenditionPushing, func(r *dbsqlc.Rendition) { tracked(r); r.Name = "b" })},
			with(gone, func(s *Seen) { hundred(s); s.Pushing = map[string]bool{"b": true} }), DoWait, ""},
		{"the process ended before the push had written", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)}, gone, DoStartAgain, ""},
		{"the process ended before the push was begun", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)}, gone, DoStartAgain, ""},
		{"a moment ago", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(gone, func(s *Seen) { s.EndedAt = now }), DoWait, ""},
		{"it gave up", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(gone, func(s *Seen) { s.GaveUp = true }), DoFail, CodeRenditionMissing},
		{"the last rerun lost it too, and the judge sees what is there", running, began(0, rerunsUsed), []dbsqlc.Rendition{rendition(RenditionPushing, raced)},
			with(gone, hundred), DoPushed, ""},
		{"the last rerun left nothing", running, began(0, rerunsUsed), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)}, gone, DoFailRendition, CodePushFailed},

		{"the process was killed, nothing had come", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, killed), DoStartAgain, ""},
		{"again and again", running, began(0, rerunsUsed), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, killed), DoFail, CodeNothingReturned},
		{"and a push has all that its stream had", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, wrote)},
			with(gone, func(s *Seen) { hundred(s); killed(s) }), DoStartAgain, ""},
		{"the process runs, and a push got nothing for too long", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, wrote)},
			with(alive, hundred), DoWait, ""},
		{"and later the process is through", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, wrote)},
			with(gone, func(s *Seen) { hundred(s); s.Gone = map[string]time.Time{"a": s.EndedAt.Add(-pushGrace)} }), DoStartAgain, ""},
		{"it was through, and a push has all that its stream had", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, wrote)},
			with(gone, hundred), DoPushed, ""},
		{"it was killed, and a push has all that it wanted", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(gone, func(s *Seen) { hundred(s); killed(s) }), DoPushed, ""},

		{"the gateway is full", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, func(s *Seen) { s.GaveUp, s.Full = true, true }), DoFail, CodeGatewayFull},
		{"the Broadcaster refuses all", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(gone, func(s *Seen) { s.Rejected = "422 Unprocessable Entity" }), DoFail, CodeSegmentRejected},

		{"past its time, though it moves", dbsqlc.Transcode{State: StateRunning, Attempt: 2, SourceDurationMs: &duration},
			dbsqlc.Attempt{Number: 2, Stage: AttemptStarted, ProcessStartedAt: &longAgo}, []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.Posted = true }), DoFail, CodeDeadline},
		{"ok through an earlier attempt's stores", running, attempt(AttemptPlaced), []dbsqlc.Rendition{rendition(RenditionOK, nil)}, Seen{}, DoSettle, ""},
		{"standing still", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.ProgressAt = now.Add(-progressPatience(&dbsqlc.Attempt{})) }), DoFail, CodeNoProgress},

		{"Mist is silent", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(alive, func(s *Seen) { s.SilentFrom = now.Add(1 - mistPatience) }), DoWait, ""},
		{"for too long", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(alive, func(s *Seen) { s.SilentFrom = now.Add(-mistPatience) }), DoFail, CodeMistUnavailable},
		{"the lease was lost", running, attempt(AttemptFetched), nil, Seen{LetGo: true}, DoFail, CodeHostLost},
		{"but all is ok", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionOK, nil)}, Seen{LetGo: true}, DoSettle, ""},
		{"the daemon stops", running, attempt(AttemptPlaced), nil, Seen{StopFrom: now}, DoLeave, ""},
		{"the daemon stops, nothing is begun that can't wait", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)},
			with(alive, func(s *Seen) { pushing(s); s.StopFrom = now }), DoLeave, ""},
		{"the daemon stops, a push is to come", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(alive, func(s *Seen) { s.StopFrom = now }), DoPush, ""},
		{"the daemon stops, and it does not come", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.StopFrom = now.Add(-stopHold) }), DoLeave, ""},
		{"Mist takes no push", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(alive, func(s *Seen) { s.Refused = map[string]bool{"a": true} }), DoPush, ""},
		{"and the last rerun is over", running, began(0, rerunsUsed), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)},
			with(gone, func(s *Seen) { s.Refused = map[string]bool{"a": true} }), DoFailRendition, CodePushFailed},
		{"a fetch that has had its time", running, dbsqlc.Attempt{Number: 2, Stage: AttemptPlaced, StartedAt: &past}, nil, Seen{}, DoFail, CodeFetchSlow},
		{"and a preparation", running, dbsqlc.Attempt{Number: 2, Stage: AttemptFetched, FetchedAt: &past}, nil, Seen{}, DoFail, CodePrepareSlow},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			action := Plan(Rows{Transcode: test.transcode, Attempt: test.attempt, Renditions: test.renditions, Seen: test.seen}, now)
			require.Equal(t, test.do, action.Do)
			if test.code != "" {
				require.Equal(t, test.code, action.Failure.Code)
			}
		})
	}
}

// A segment may take its length and two seconds, twice, five times over.
func TestProgressPatience(t *testing.T) {
	t.Parallel()
	require.Equal(t, time.Minute, progressPatience(&dbsqlc.Attempt{}))
	require.Equal(t, time.Minute, progressPatience(&dbsqlc.Attempt{Prepared: []byte(`{"segment_ms":2000}`)}))
	require.Equal(t, 140*time.Second, progressPatience(&dbsqlc.Attempt{Prepared: []byte(`{"segment_ms":10000}`)}))
}

func TestRatioOf(t *testing.T) {
	t.Parallel()
	duration := int64(20_000)
	transcode := dbsqlc.Transcode{SourceDurationMs: &duration}
	half := []dbsqlc.Rendition{{State: RenditionPushing, PushedMs: 10_000}, {State: RenditionPushing, PushedMs: 10_000}}
	require.Zero(t, RatioOf(&transcode, AttemptPlaced, half, nil))
	require.InDelta(t, SharePrepared, RatioOf(&transcode, AttemptPrepared, []dbsqlc.Rendition{{State: RenditionExpected}}, nil), 1e-9)
	require.InDelta(t, SharePrepared+sharePushed/2, RatioOf(&transcode, AttemptStarted, half, nil), 1e-9)
	require.InDelta(t, 1-shareStored, RatioOf(&transcode, AttemptStarted, []dbsqlc.Rendition{{State: RenditionPushed}}, nil), 1e-9)
	require.InDelta(t, 1, RatioOf(&transcode, AttemptStarted, []dbsqlc.Rendition{{State: RenditionOK}}, nil), 1e-9)
}
