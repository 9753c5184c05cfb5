package explain

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/studio"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	testNow = time.Date(2026, 1, 31, 3, 12, 0, 0, time.UTC)
	testID  = uuid.MustParse("0199c0de-0000-7000-8000-000000000001")
)

func ago(d time.Duration) *time.Time { return new(testNow.Add(-d)) }

// rows of a transcode in a state, on a fleet where all is well.
func rows(state string, changes ...func(*Rows)) *Rows {
	r := &Rows{
		Now: testNow, Leads: 2, Jobs: map[int64]dbsqlc.RiverJobLookRow{},
		Transcode: dbsqlc.Transcode{
			ID: testID, Tenant: "studio", ExternalID: new("task-1"), State: state, Run: 1, AttemptsLeft: 3, Priority: 5,
			CreatedAt: *ago(12 * time.Minute), RunAt: *ago(12 * time.Minute), NotBefore: *ago(12 * time.Minute), UpdatedAt: *ago(time.Minute),
			OutputURL: "s3://media/out",
		},
	}
	for _, name := range []string{"720p", "480p", "360p"} {
		r.Renditions = append(r.Renditions, dbsqlc.Rendition{TranscodeID: testID, Name: name, State: jobs.RenditionExpected})
	}
	host(r, "mist-1", func(h *dbsqlc.HostListRow) { h.Used = 4 })
	for _, change := range changes {
		change(r)
	}
	return r
}

func host(r *Rows, id string, changes ...func(*dbsqlc.HostListRow)) {
	h := dbsqlc.HostListRow{Host: dbsqlc.Host{ID: id, Slots: 4, LeaseUntil: testNow.Add(15 * time.Second), Up: true, SpoolRoomBytes: 1, SeenAt: testNow}}
	for _, change := range changes {
		change(&h)
	}
	r.Hosts = append(r.Hosts, h)
}

// waits has it stand in the queue.
func waits(own, everybodys int64, changes ...func(*dbsqlc.PlacementLookRow)) func(*Rows) {
	return func(r *Rows) {
		r.Position = &jobs.Position{Own: own, Everybodys: everybodys}
		r.Turn = &dbsqlc.PlacementLookRow{Weight: 1, Weights: 1, Queued: everybodys + 10}
		for _, change := range changes {
			change(r.Turn)
		}
	}
}

// on has it on mist-1, with the job of its attempt running there.
func on(stage string, changes ...func(*dbsqlc.Attempt)) func(*Rows) {
	return func(r *Rows) {
		t := &r.Transcode
		t.HostID, t.Attempt, t.AttemptsLeft, t.PlacedAt = new("mist-1"), t.Attempt+1, t.AttemptsLeft-1, ago(10*time.Minute)
		a := dbsqlc.Attempt{TranscodeID: testID, Number: t.Attempt, HostID: "mist-1", JobID: new(int64(7)), Stage: stage, CreatedAt: *ago(10 * time.Minute)}
		steps := []string{jobs.AttemptPlaced, jobs.AttemptFetched, jobs.AttemptPrepared, jobs.AttemptStarted, jobs.AttemptTranscoded, jobs.AttemptCleaned}
		for i, at := range []**time.Time{&a.StartedAt, &a.FetchedAt, &a.PreparedAt, &a.ProcessStartedAt, &a.TranscodedAt, &a.CleanedAt} {
			*at = ago(time.Duration(9-i) * time.Minute)
			if steps[i] == stage {
				break
			}
		}
		if stage != jobs.AttemptPlaced {
			a.SourceBytes = new(int64(12_300_000))
		}
		if stage == jobs.AttemptPrepared || stage == jobs.AttemptStarted {
			t.SourceDurationMs = new(int64(60_000))
		}
		for i := range r.Renditions {
			r.Renditions[i].Attempt = t.Attempt
		}
		for _, change := range changes {
			change(&a)
		}
		r.Attempts = append(r.Attempts, a)
		r.Jobs[7] = dbsqlc.RiverJobLookRow{ID: 7, Kind: "transcode", State: "running", Queue: "host-mist-1", Attempt: 1, AttemptedAt: ago(9 * time.Minute), Owner: "mist-1_boot"}
	}
}

func told(p jobs.Progress) func(*Rows) {
	return func(r *Rows) {
		p.Attempt, p.At = r.Transcode.Attempt, *ago(3 * time.Second)
		r.Transcode.Progress, _ = json.Marshal(p)
	}
}

// failedAttempt is one that ended before.
func failedAttempt(code, stage string) func(*Rows) {
	return func(r *Rows) {
		t := &r.Transcode
		t.Attempt, t.AttemptsLeft, t.HostID = t.Attempt+1, t.AttemptsLeft-1, new("mist-1")
		kind := jobs.KindOf(code)
		t.ErrorCode, t.ErrorStage, t.ErrorMessage = &code, &stage, new(kind.Words)
		r.Attempts = append(r.Attempts, dbsqlc.Attempt{
			TranscodeID: testID, Number: t.Attempt, HostID: "mist-1", Stage: jobs.AttemptCleaned, Outcome: new(jobs.OutcomeFailed),
			ErrorCode: &code, ErrorStage: &stage, ErrorMessage: t.ErrorMessage, ErrorDetail: new("its log ends: no room"),
			CreatedAt: *ago(6 * time.Minute), EndedAt: ago(4 * time.Minute), CleanedAt: ago(4 * time.Minute),
		})
	}
}

func renditions(states ...string) func(*Rows) {
	return func(r *Rows) {
		for i, state := range states {
			d := &r.Renditions[i]
			d.State = state
			if state != jobs.RenditionExpected {
				d.TrackIndex = new(int32(i))
			}
			if state == jobs.RenditionPushed {
				d.PushedAt, d.JobID = ago(4*time.Minute), new(int64(100+i))
				r.Jobs[int64(100+i)] = dbsqlc.RiverJobLookRow{ID: int64(100 + i), Kind: "store", State: "running", Queue: "host-mist-1-store", Attempt: 1, AttemptedAt: ago(4 * time.Minute), Owner: "mist-1_boot"}
			}
		}
	}
}

func storageAway(r *Rows) {
	for i := range r.Renditions {
		d := &r.Renditions[i]
		if d.State != jobs.RenditionPushed {
			continue
		}
		d.ErrorCode, d.ErrorStage, d.ErrorMessage = new("s3_unavailable"), new("store"), new("The storage did not answer.")
		d.ErrorDetail = new("dial tcp 10.0.0.9:9000: connection refused")
		r.Transcode.ErrorCode, r.Transcode.ErrorStage, r.Transcode.ErrorMessage = d.ErrorCode, d.ErrorStage, d.ErrorMessage
		r.Jobs[*d.JobID] = dbsqlc.RiverJobLookRow{ID: *d.JobID, Kind: "store", State: "retryable", Queue: "host-mist-1-store", Attempt: 9,
			AttemptedAt: ago(20 * time.Second), ScheduledAt: testNow.Add(40 * time.Second), LastError: "store: connection refused\nmore"}
	}
}

func ended(code, stage string) func(*Rows) {
	return func(r *Rows) {
		t := &r.Transcode
		t.FinishedAt = ago(2 * time.Minute)
		if t.State == jobs.StateSucceeded {
			t.Ratio = 1
		}
		if code != "" {
			t.ErrorCode, t.ErrorStage, t.ErrorMessage = &code, &stage, new(jobs.KindOf(code).Words)
		}
		for i := range r.Attempts {
			if a := &r.Attempts[i]; a.Outcome == nil {
				a.Outcome, a.EndedAt, a.CleanedAt = &t.State, t.FinishedAt, t.FinishedAt
			}
		}
		callback(jobs.CallbackDelivered, func(c *dbsqlc.Callback) { c.Attempts, c.DeliveredAt = 1, ago(119*time.Second) })(r)
	}
}

func callback(state string, changes ...func(*dbsqlc.Callback)) func(*Rows) {
	return func(r *Rows) {
		r.Callback = &dbsqlc.Callback{
			ID: uuid.MustParse("0199c0de-0000-7000-8000-0000000000cb"), TranscodeID: testID, Run: 1, State: state,
			URL: "https://studio.example/hook", CreatedAt: *ago(2 * time.Minute), JobID: new(int64(9)),
		}
		for _, change := range changes {
			change(r.Callback)
		}
	}
}

// cases are of every state and stage, and of what may be in its way.
func cases() map[string]*Rows {
	fleet := func(r *Rows) {
		r.Hosts = nil
		for range 7 {
			host(r, "full", func(h *dbsqlc.HostListRow) { h.Used = 4 })
		}
		for range 3 {
			host(r, "mist-9", func(h *dbsqlc.HostListRow) {
				h.Host.Draining, h.Host.DrainedBy, h.Host.DrainReason = true, new("ann"), new("new disks")
			})
		}
		for range 2 {
			host(r, "short", func(h *dbsqlc.HostListRow) { h.Host.SpoolRoomBytes = 0 })
		}
		r.HoldSeconds = 180
	}
	room := func(r *Rows) { r.Hosts[0].Used = 0 }
	noLead := func(r *Rows) { r.Leads = 0 }
	away := func(change func(*dbsqlc.HostListRow)) func(*Rows) { return func(r *Rows) { change(&r.Hosts[0]) } }
	lost := away(func(h *dbsqlc.HostListRow) { h.Host.LeaseUntil = *ago(4 * time.Second) })
	stopped := away(func(h *dbsqlc.HostListRow) { h.Host.Up, h.Host.LeaseUntil = false, testNow.Add(40*time.Second) })
	silent := away(func(h *dbsqlc.HostListRow) { h.Host.MistSilentFrom = ago(12 * time.Second) })
	pending := func(changes ...func(*dbsqlc.Callback)) func(*Rows) {
		return func(r *Rows) {
			callback(jobs.CallbackPending, changes...)(r)
			r.Jobs[9] = dbsqlc.RiverJobLookRow{ID: 9, Kind: "callback", State: "scheduled", Queue: "callback", Attempt: 1, ScheduledAt: testNow.Add(4 * time.Minute)}
		}
	}
	return map[string]*Rows{
		"inbox": rows(jobs.StateQueued, func(r *Rows) {
			r.AcceptJob, r.Hosts = new(int64(3)), nil
			r.Jobs[3] = dbsqlc.RiverJobLookRow{ID: 3, Kind: "accept", State: "available", Queue: "accept"}
		}),
		"inbox_nobody":        rows(jobs.StateQueued, noLead, func(r *Rows) { r.AcceptJob = new(int64(3)) }),
		"queued_full":         rows(jobs.StateQueued, waits(41, 103, func(p *dbsqlc.PlacementLookRow) { p.Weights = 4 }), fleet),
		"queued_far":          rows(jobs.StateQueued, waits(0, 0), fleet),
		"queued_room":         rows(jobs.StateQueued, waits(1, 1), room),
		"queued_no_host":      rows(jobs.StateQueued, waits(1, 1), func(r *Rows) { r.Hosts = nil }),
		"queued_all_drain":    rows(jobs.StateQueued, waits(1, 1), func(r *Rows) { r.Hosts[0].Host.Draining = true }),
		"queued_nobody_leads": rows(jobs.StateQueued, waits(1, 1), room, noLead),
		"queued_pause":        rows(jobs.StateQueued, failedAttempt("gateway_full", "transcode"), waits(1, 1), room, func(r *Rows) { r.Transcode.NotBefore = testNow.Add(8 * time.Second) }),
		"queued_counted":      rows(jobs.StateQueued, failedAttempt("no_progress", "transcode"), waits(1, 1), room),
		"queued_queue_paused": rows(jobs.StateQueued, waits(1, 1, func(p *dbsqlc.PlacementLookRow) {
			p.PausedAt, p.PausedBy, p.PauseReason = ago(time.Hour), new("ann"), new("upgrade")
		}), room),
		"queued_tenant_paused": rows(jobs.StateQueued, waits(1, 1, func(p *dbsqlc.PlacementLookRow) {
			p.TenantPausedAt, p.TenantPausedBy, p.TenantPauseReason = ago(26*time.Hour), new("bob"), new("unpaid")
		}), room),
		"queued_tenant_most":  rows(jobs.StateQueued, waits(3, 9, func(p *dbsqlc.PlacementLookRow) { p.RunningMost, p.Held = new(int32(2)), 2 }), room, func(r *Rows) { r.HoldSeconds = 60 }),
		"queued_tenant_hosts": rows(jobs.StateQueued, waits(1, 1, func(p *dbsqlc.PlacementLookRow) { p.Hosts = []string{"mist-7"} }), room),
		"queued_urgent":       rows(jobs.StateQueued, waits(1, 1), func(r *Rows) { r.Hosts[0].Used, r.UrgentPercent = 3, 25 }),
		"queued_no_attempts":  rows(jobs.StateQueued, waits(1, 1), room, func(r *Rows) { r.Transcode.AttemptsLeft = 0 }),
		"queued_river_paused": rows(jobs.StateQueued, waits(1, 1), room, func(r *Rows) { r.PausedQueues = []string{"place"} }),
		"placed":              rows(jobs.StatePlaced, on(jobs.AttemptPlaced, func(a *dbsqlc.Attempt) { a.StartedAt = nil }), func(r *Rows) { j := r.Jobs[7]; j.State, j.AttemptedAt = "available", nil; r.Jobs[7] = j }),
		"placed_river_paused": rows(jobs.StatePlaced, on(jobs.AttemptPlaced, func(a *dbsqlc.Attempt) { a.StartedAt = nil }), func(r *Rows) { r.PausedQueues = []string{"host-mist-1"} }),
		"placed_no_job":       rows(jobs.StatePlaced, on(jobs.AttemptPlaced, func(a *dbsqlc.Attempt) { a.StartedAt = nil }), func(r *Rows) { clear(r.Jobs) }),
		"placed_lost":         rows(jobs.StatePlaced, on(jobs.AttemptPlaced), lost, noLead),
		"running_fetch":       rows(jobs.StateRunning, on(jobs.AttemptPlaced), told(jobs.Progress{Stage: jobs.StageFetch, Done: 5_000_000, Of: 12_300_000, Unit: jobs.UnitBytes})),
		"running_probe":       rows(jobs.StateRunning, on(jobs.AttemptFetched)),
		"running_prepare":     rows(jobs.StateRunning, on(jobs.AttemptFetched), told(jobs.Progress{Stage: jobs.StagePrepare, Done: 30_000, Of: 60_000, Unit: jobs.UnitMS, Speed: new(12.0)})),
		"running_start":       rows(jobs.StateRunning, on(jobs.AttemptPrepared)),
		"running_start_hung":  rows(jobs.StateRunning, on(jobs.AttemptPrepared, func(a *dbsqlc.Attempt) { a.HungStarts, a.ProcessStartedAt = 2, ago(20*time.Second) })),
		"running_rerun":       rows(jobs.StateRunning, on(jobs.AttemptPrepared, func(a *dbsqlc.Attempt) { a.Reruns, a.ProcessStartedAt = 1, ago(20*time.Second) }), renditions("pushed")),
		"running_nothing_yet": rows(jobs.StateRunning, on(jobs.AttemptStarted)),
		"running_hung_again":  rows(jobs.StateRunning, on(jobs.AttemptStarted, func(a *dbsqlc.Attempt) { a.HungStarts = 1 })),
		"running_transcode": rows(jobs.StateRunning, on(jobs.AttemptStarted, func(a *dbsqlc.Attempt) { a.Broadcaster = new("http://10.0.0.7:8935") }), renditions("pushed", "pushing"),
			told(jobs.Progress{Stage: jobs.StageTranscode, Done: 37_000, Of: 60_000, Unit: jobs.UnitMS, Speed: new(1.4), EndsAt: new(testNow.Add(20 * time.Second))}),
			func(r *Rows) {
				r.Transcode.Ratio = 0.55
				r.Event = &dbsqlc.MistEvent{HostID: "mist-1", Trigger: "LIVE_TRACK_LIST", Verdict: "applied", Note: "track 1 is rendition 1", ReceivedAt: *ago(50 * time.Second)}
			}),
		"running_silent":       rows(jobs.StateRunning, on(jobs.AttemptStarted), renditions("pushing", "pushing", "pushing"), silent),
		"running_stopped":      rows(jobs.StateRunning, on(jobs.AttemptStarted), renditions("pushing", "pushing", "pushing"), stopped),
		"running_lost":         rows(jobs.StateRunning, on(jobs.AttemptStarted), renditions("pushing", "pushing", "pushing"), lost),
		"running_forgotten":    rows(jobs.StateRunning, on(jobs.AttemptStarted), func(r *Rows) { r.Hosts = nil }),
		"running_transcoded":   rows(jobs.StateRunning, on(jobs.AttemptTranscoded), renditions("pushed", "pushed", "pushed")),
		"storing":              rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "pushed", "pushed"), func(r *Rows) { r.Transcode.Ratio = 0.93 }),
		"storing_away":         rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "pushed", "pushed"), storageAway),
		"storing_lost":         rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "pushed", "pushed"), lost),
		"storing_all":          rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "ok", "ok")),
		"packaging":            rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "ok", "ok"), packages(nil)),
		"packaging_away":       rows(jobs.StateStoring, on(jobs.AttemptTranscoded), renditions("ok", "ok", "ok"), packages(new("s3_unavailable"))),
		"succeeded":            rows(jobs.StateSucceeded, on(jobs.AttemptCleaned), renditions("ok", "ok", "ok"), ended("", "")),
		"failed_input":         rows(jobs.StateFailed, failedAttempt("source_truncated", "probe"), renditions("failed", "failed", "failed"), ended("source_truncated", "probe")),
		"failed_attempts":      rows(jobs.StateFailed, failedAttempt("no_progress", "transcode"), failedAttempt("no_progress", "transcode"), failedAttempt("no_progress", "transcode"), renditions("ok"), ended("no_progress", "transcode")),
		"failed_day":           rows(jobs.StateFailed, failedAttempt("gateway_full", "transcode"), ended("gateway_full", "transcode")),
		"failed_store_expired": rows(jobs.StateFailed, failedAttempt("store_expired", "store"), renditions("ok", "ok"), ended("store_expired", "store")),
		"failed_replaced":      rows(jobs.StateFailed, failedAttempt("no_progress", "transcode"), ended("no_progress", "transcode"), func(r *Rows) { r.Transcode.ExternalID, r.Transcode.FormerExternalID = nil, new("task of ann") }, callback(jobs.CallbackSuperseded)),
		"cancelled":            rows(jobs.StateCancelled, on(jobs.AttemptStarted), ended("cancelled", "transcode"), func(r *Rows) { r.Attempts[0].CleanedAt = nil }),
		"callback_pending": rows(jobs.StateSucceeded, renditions("ok", "ok", "ok"), ended("", ""), pending(func(c *dbsqlc.Callback) {
			c.Attempts, c.LastStatus, c.LastError, c.NextAttemptAt = 3, new(int32(503)), "answered 503", new(testNow.Add(4*time.Minute))
		})),
		"callback_first":        rows(jobs.StateSucceeded, renditions("ok", "ok", "ok"), ended("", ""), pending(), func(r *Rows) { j := r.Jobs[9]; j.State = "available"; r.Jobs[9] = j }),
		"callback_no_job":       rows(jobs.StateSucceeded, renditions("ok", "ok", "ok"), ended("", ""), callback(jobs.CallbackPending), noLead),
		"callback_refused":      rows(jobs.StateSucceeded, renditions("ok", "ok", "ok"), ended("", ""), callback(jobs.CallbackRefused, func(c *dbsqlc.Callback) { c.Attempts, c.LastStatus, c.LastError = 1, new(int32(404)), "answered 404" })),
		"callback_expired":      rows(jobs.StateFailed, failedAttempt("object_missing", "fetch"), ended("object_missing", "fetch"), callback(jobs.CallbackExpired, func(c *dbsqlc.Callback) { c.Attempts, c.LastError = 40, "dial tcp: connection refused" })),
		"callback_superseded":   rows(jobs.StateSucceeded, renditions("ok", "ok", "ok"), ended("", ""), callback(jobs.CallbackSuperseded)),
		"state_of_a_newer_weir": rows("dreaming"),
	}
}

func packages(code *string) func(*Rows) {
	return func(r *Rows) {
		r.Transcode.Packages = true
		a := &r.Attempts[0]
		a.PackageFrom, a.PackageJobID = ago(90*time.Second), new(int64(8))
		r.Jobs[8] = dbsqlc.RiverJobLookRow{ID: 8, Kind: "package", State: "running", Queue: "host-mist-1-store", Attempt: 1, AttemptedAt: ago(90 * time.Second), Owner: "mist-1_boot"}
		for _, kind := range []string{"hls", "thumbnails"} {
			o := dbsqlc.Output{TranscodeID: testID, Type: kind, URL: "s3://media/out", State: jobs.OutputExpected, Attempt: 1, ErrorCode: code}
			if code != nil {
				o.ErrorStage, o.ErrorMessage = new("package"), new("The storage did not answer.")
			}
			r.Outputs = append(r.Outputs, o)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	golden, err := filepath.Glob("testdata/*.golden")
	require.NoError(t, err)
	left := map[string]bool{}
	for _, path := range golden {
		left[path] = true
	}
	for name, r := range cases() {
		e := Of(r)
		text := e.Text()
		path := filepath.Join("testdata", name+".golden")
		delete(left, path)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			continue
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), text, name)
	}
	require.Empty(t, left, "golden files of no case")
}

// What a scheduler says of one that waits, in its words.
func TestQueueLine(t *testing.T) {
	t.Parallel()
	e := Of(cases()["queued_full"])
	require.Equal(t, "0 of 12 hosts: 7 full, 3 draining, 2 short of spool; 41st of its tenant, 103rd of all; about 12 min", e.Waits[0])

	// One that was stopped stays so behind its lease, in the words of every list.
	stopped := cases()["queued_full"]
	stopped.Hosts[0].Host.Up, stopped.Hosts[0].Host.LeaseUntil = false, testNow.Add(-time.Hour)
	require.Contains(t, Of(stopped).Waits[0], "1 stopped")
}

func TestPatienceIsTheDeliverys(t *testing.T) {
	t.Parallel()
	require.Equal(t, studio.GiveUpAfter, callbackPatience)
}

func TestWords(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 103: "103rd", 111: "111th", 1000: "1000th"} {
		require.Equal(t, want, ordinal(n))
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", time.Hour: "1 h", 3*time.Hour + 5*time.Minute: "3 h 5 min", 26 * time.Hour: "1 d 2 h",
	} {
		require.Equal(t, want, span(d))
	}
	require.Equal(t, "999 bytes", size(999))
	require.Equal(t, "12.3 MB", size(12_300_000))
	require.Equal(t, "'it'\\''s'", quoted("it's"))
	require.Equal(t, "a?b", printable("a\x1bb"))
	require.Equal(t, strings.Repeat("x", 200)+"...", line(strings.Repeat("x", 300)))
}
