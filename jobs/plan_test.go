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
	gone := Seen{At: now, EndedAt: now.Add(-pushGrace), ProgressAt: now}
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
		{"transcoded", running, attempt(AttemptTranscoded), nil, Seen{}, DoClean, ""},
		{"cleaned up", running, dbsqlc.Attempt{Number: 2, CleanedAt: &now}, nil, Seen{}, DoNothing, ""},
		{"cancelled", dbsqlc.Transcode{State: StateCancelled, Attempt: 2}, attempt(AttemptStarted), nil, alive, DoClean, ""},
		{"a newer attempt has it", dbsqlc.Transcode{State: StateRunning, Attempt: 3}, attempt(AttemptStarted), nil, alive, DoClean, ""},
		{"the attempt has failed", running, dbsqlc.Attempt{Number: 2, Stage: AttemptStarted, Outcome: &outcome}, nil, alive, DoClean, ""},

		{"no track yet", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, alive, DoWait, ""},
		{"a track", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, tracked)}, alive, DoPush, ""},
		{"pushing", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)}, with(alive, pushing), DoWait, ""},
		{"recorded, and the file is as large", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(alive, func(s *Seen) { pushing(s); s.FileBytes = map[string]int64{"a": 100} }), DoPushed, ""},
		{"recorded, but the file is smaller", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, recorded)},
			with(alive, func(s *Seen) { pushing(s); s.FileBytes = map[string]int64{"a": 99} }), DoWait, ""},
		{"no trigger, but the push is gone", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionPushing, tracked)},
			with(alive, func(s *Seen) { s.FileBytes = map[string]int64{"a": 7} }), DoPushed, ""},
		{"a forged end, and nobody has looked", running, attempt(AttemptStarted),
			[]dbsqlc.Rendition{rendition(RenditionPushing, func(r *dbsqlc.Rendition) { tracked(r); r.PushEndedAt = &now })}, Seen{}, DoWait, ""},
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
		{"past its time, though it moves", dbsqlc.Transcode{State: StateRunning, Attempt: 2, SourceDurationMs: &duration},
			dbsqlc.Attempt{Number: 2, Stage: AttemptStarted, ProcessStartedAt: &longAgo}, []dbsqlc.Rendition{rendition(RenditionExpected, nil)}, alive, DoFail, CodeDeadline},
		{"ok through an earlier attempt's stores", running, attempt(AttemptPlaced), []dbsqlc.Rendition{rendition(RenditionOK, nil)}, Seen{}, DoSettle, ""},
		{"standing still", running, attempt(AttemptStarted), []dbsqlc.Rendition{rendition(RenditionExpected, nil)},
			with(alive, func(s *Seen) { s.ProgressAt = now.Add(-noProgressAfter) }), DoFail, CodeNoProgress},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			action := plan(Rows{Transcode: test.transcode, Attempt: test.attempt, Renditions: test.renditions, Seen: test.seen}, now)
			require.Equal(t, test.do, action.Do)
			if test.code != "" {
				require.Equal(t, test.code, action.Failure.Code)
			}
		})
	}
}

func TestRatioOf(t *testing.T) {
	t.Parallel()
	duration := int64(20_000)
	transcode := dbsqlc.Transcode{SourceDurationMs: &duration}
	half := []dbsqlc.Rendition{{State: RenditionPushing, PushedMs: 10_000}, {State: RenditionPushing, PushedMs: 10_000}}
	require.Zero(t, ratioOf(&transcode, AttemptPlaced, half))
	require.InDelta(t, sharePrepared, ratioOf(&transcode, AttemptPrepared, []dbsqlc.Rendition{{State: RenditionExpected}}), 1e-9)
	require.InDelta(t, sharePrepared+sharePushed/2, ratioOf(&transcode, AttemptStarted, half), 1e-9)
	require.InDelta(t, 1-shareStored, ratioOf(&transcode, AttemptStarted, []dbsqlc.Rendition{{State: RenditionPushed}}), 1e-9)
	require.InDelta(t, 1, ratioOf(&transcode, AttemptStarted, []dbsqlc.Rendition{{State: RenditionOK}}), 1e-9)
}
