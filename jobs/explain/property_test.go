package explain

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// dice makes rows that the schema lets through, whether they make sense or not.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

func (d dice) at() time.Time {
	return testNow.Add(time.Duration(d.Int64N(int64(60*time.Hour))) - 50*time.Hour)
}

func maybe[T any](d dice, one func() T) *T {
	if d.IntN(2) == 0 {
		return nil
	}
	return new(one())
}

func (d dice) code() string {
	kinds := jobs.Kinds()
	if d.IntN(8) == 0 {
		return "of_a_newer_weir"
	}
	return kinds[d.IntN(len(kinds))].Code
}

func (d dice) text() string {
	return d.one("", "words", "two\nlines", "\x1b[31mred", strings.Repeat("long ", 200))
}
func (d dice) number() int64 {
	return []int64{0, 1, 2, 3, 1000, 1 << 40}[d.IntN(6)]
}
func (d dice) small() int32 { return int32(d.IntN(5)) }

func (d dice) transcode() dbsqlc.Transcode {
	t := dbsqlc.Transcode{
		ID: uuid.New(), Tenant: "studio", ExternalID: maybe(d, d.text), FormerExternalID: maybe(d, d.text), State: d.one(jobs.States()...),
		Run: 1 + d.small(), Attempt: d.small(), AttemptsLeft: d.small(), NotBefore: d.at(), CreatedAt: d.at(), RunAt: d.at(), UpdatedAt: d.at(),
		PlacedAt: maybe(d, d.at), StartedAt: maybe(d, d.at), FinishedAt: maybe(d, d.at), Ratio: d.Float64(), Priority: int16(d.IntN(10)),
		SourceDurationMs: maybe(d, d.number), ErrorCode: maybe(d, d.code), Packages: d.IntN(2) == 0, HostID: maybe(d, func() string { return d.one("mist-1", "mist-2", "gone") }),
		Progress: []byte(d.one("", "null", "{", `{"attempt": 1, "stage": "transcode", "done": 5, "of": 10, "unit": "ms", "speed": 1.5, "ends_at": "2026-01-31T03:13:00Z"}`,
			`{"attempt": 2, "stage": "fetch", "done": -5, "of": 10, "unit": "bytes"}`, `{"attempt": 3, "stage": "prepare", "of": 0}`)),
	}
	if t.ErrorCode != nil {
		t.ErrorStage, t.ErrorMessage = maybe(d, func() string { return "store" }), maybe(d, d.text)
	}
	return t
}

func (d dice) attempt(number int32) dbsqlc.Attempt {
	a := dbsqlc.Attempt{
		Number: number, HostID: d.one("mist-1", "mist-2"), JobID: maybe(d, d.number), PackageJobID: maybe(d, d.number),
		Stage:     d.one(jobs.AttemptPlaced, jobs.AttemptFetched, jobs.AttemptPrepared, jobs.AttemptStarted, jobs.AttemptTranscoded, jobs.AttemptCleaned),
		CreatedAt: d.at(), StartedAt: maybe(d, d.at), FetchedAt: maybe(d, d.at), PreparedAt: maybe(d, d.at), ProcessStartedAt: maybe(d, d.at),
		TranscodedAt: maybe(d, d.at), CleanedAt: maybe(d, d.at), PackageFrom: maybe(d, d.at), PublishFrom: maybe(d, d.at),
		HungStarts: d.small(), Reruns: d.small(), Broadcaster: maybe(d, d.text), SourceBytes: maybe(d, d.number), ErrorCode: maybe(d, d.code), ErrorDetail: maybe(d, d.text),
		Prepared: []byte(d.one("", "{", `{"segment_ms": 2000, "bytes": 5000000}`)),
	}
	if d.IntN(2) == 0 {
		a.Outcome, a.EndedAt = new(d.one(jobs.OutcomeSucceeded, jobs.OutcomeFailed, jobs.OutcomeCancelled, jobs.OutcomeLost)), new(d.at())
	}
	return a
}

func (d dice) rows() *Rows {
	r := &Rows{
		Now: testNow, Leads: int64(d.IntN(2)), UrgentPercent: d.small() * 10, Transcode: d.transcode(), HoldSeconds: float64(d.number()),
		Jobs: map[int64]dbsqlc.RiverJobLookRow{},
	}
	if d.IntN(4) == 0 {
		r.PausedQueues = []string{"place", "accept", "callback", "host-mist-1", "host-mist-1-store"}
	}
	if r.Transcode.State == jobs.StateQueued {
		if d.IntN(4) == 0 {
			r.AcceptJob = new(d.number())
		}
		r.Position = maybe(d, func() jobs.Position { return jobs.Position{Own: d.number(), Everybodys: d.number()} })
		r.Turn = maybe(d, d.turn)
	}
	for i := range d.small() {
		r.Attempts = append(r.Attempts, d.attempt(i+1))
	}
	for i := range d.small() {
		r.Renditions = append(r.Renditions, dbsqlc.Rendition{
			Name: d.one("720p", "360p"), Attempt: i, TrackIndex: maybe(d, d.small), JobID: maybe(d, d.number), PushedAt: maybe(d, d.at),
			State:     d.one(jobs.RenditionExpected, jobs.RenditionPushing, jobs.RenditionPushed, jobs.RenditionOK, jobs.RenditionFailed),
			ErrorCode: maybe(d, d.code), ErrorStage: maybe(d, d.text), ErrorMessage: maybe(d, d.text), ErrorDetail: maybe(d, d.text),
		})
	}
	for range d.small() {
		r.Outputs = append(r.Outputs, dbsqlc.Output{
			Type: d.one(jobs.OutputTypes()...), State: d.one(jobs.OutputExpected, jobs.OutputOK, jobs.OutputFailed, jobs.OutputSkipped), URL: d.text(),
			ErrorCode: maybe(d, d.code), ErrorStage: maybe(d, d.text), ErrorMessage: maybe(d, d.text),
		})
	}
	r.Callback = maybe(d, func() dbsqlc.Callback {
		return dbsqlc.Callback{
			ID: uuid.New(), State: d.one(jobs.CallbackPending, jobs.CallbackDelivered, jobs.CallbackRefused, jobs.CallbackExpired, jobs.CallbackSuperseded),
			URL: d.text(), Attempts: d.small(), LastStatus: maybe(d, d.small), LastError: d.text(), NextAttemptAt: maybe(d, d.at), JobID: maybe(d, d.number),
			CreatedAt: d.at(), DeliveredAt: maybe(d, d.at),
		}
	})
	r.Event = maybe(d, func() dbsqlc.MistEvent {
		return dbsqlc.MistEvent{HostID: "mist-1", Trigger: d.text(), Rendition: maybe(d, d.text), Verdict: "applied", Note: d.text(), ReceivedAt: d.at()}
	})
	for range d.small() {
		n := d.number()
		r.Jobs[n] = dbsqlc.RiverJobLookRow{
			ID: n, State: d.one("available", "cancelled", "completed", "discarded", "pending", "retryable", "running", "scheduled"),
			Queue: d.text(), Attempt: d.small(), ScheduledAt: d.at(), AttemptedAt: maybe(d, d.at), Owner: d.text(), LastError: d.text(),
		}
	}
	for range d.small() {
		r.Hosts = append(r.Hosts, dbsqlc.HostListRow{
			Host: dbsqlc.Host{
				ID: d.one("mist-1", "mist-2"), Slots: 1 + d.small(), LeaseUntil: d.at(), Up: d.IntN(3) > 0, Draining: d.IntN(3) == 0,
				SpoolRoomBytes: d.number(), MistSilentFrom: maybe(d, d.at), DrainedBy: maybe(d, d.text), DrainReason: maybe(d, d.text),
			},
			Used: int64(d.small()),
		})
	}
	return r
}

func (d dice) turn() dbsqlc.PlacementLookRow {
	return dbsqlc.PlacementLookRow{
		PausedAt: maybe(d, d.at), PausedBy: maybe(d, d.text), PauseReason: maybe(d, d.text),
		TenantPausedAt: maybe(d, d.at), TenantPausedBy: maybe(d, d.text), TenantPauseReason: maybe(d, d.text),
		Weight: 1 + d.small(), RunningMost: maybe(d, d.small), Held: d.number(), UrgentHeld: d.number(), Weights: d.number(), Queued: d.number(),
		Hosts: [][]string{nil, {}, {"mist-1"}, {"elsewhere"}}[d.IntN(4)],
	}
}

// Whatever stands in the rows, there is an explanation: it says where the transcode is, what
// can be done, and what happens next or has happened; and its text moves no cursor.
func TestAnyRowsAreExplained(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3_000) {
		r := dice{rand.New(rand.NewPCG(seed, 1))}.rows()
		e := Of(r)
		require.NotEmpty(t, e.Says, "seed %d", seed)
		require.False(t, e.Since.IsZero(), "seed %d", seed)
		require.NotEmpty(t, e.Actions, "seed %d", seed)
		require.NotEmpty(t, len(e.Next)+len(e.Evidence)+len(e.Waits), "seed %d", seed)
		for _, step := range e.Next {
			require.NotEmpty(t, step.Says, "seed %d", seed)
		}
		for _, action := range e.Actions {
			require.NotEmpty(t, action.Says, "seed %d", seed)
			require.True(t, action.Command == "" || strings.HasPrefix(action.Command, admin), "seed %d: %q", seed, action.Command)
		}
		if !jobs.Terminal(r.Transcode.State) {
			require.NotNil(t, e.Stage, "seed %d", seed)
		}
		text := e.Text()
		require.False(t, strings.Contains(text, "\x1b") || strings.Contains(text, "%!"), "seed %d: %s", seed, text)
	}
}
