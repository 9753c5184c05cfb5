package control

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

func controlOf(b *jobstest.Bundle) *Control { return &Control{DB: b.Pool, Log: jobstest.Silent()} }

func TestReap(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mist-2", 4)
	lost := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &lost, "a"))
	_, err := b.Pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempted_by = ARRAY[$1] WHERE kind = 'transcode'`,
		jobstest.Host+"_deadboot")
	require.NoError(t, err)

	require.NoError(t, controlOf(b).reap(t.Context(), b.River, jobstest.Host))
	require.Equal(t, jobs.StateRunning, b.Get(t, lost.ID).State, "a host with a lease keeps its own")

	b.Dies(t, jobstest.Host)
	for range 2 { // two daemons, or one twice
		require.NoError(t, controlOf(b).reap(t.Context(), b.River, jobstest.Host))
	}
	again := b.Get(t, lost.ID)
	require.Equal(t, jobs.StateQueued, again.State)
	require.Equal(t, jobs.CodeHostLost, *again.ErrorCode)
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE state = 'running'"))
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: lost.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, jobs.OutcomeLost, *attempt.Outcome)

	// The next attempt does what is not ok, elsewhere.
	b.Place(t, lost.ID, "mist-2")
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, lost.ID)
	require.NoError(t, err)
	require.Equal(t, []string{jobs.RenditionOK, jobs.RenditionExpected}, []string{renditions[0].State, renditions[1].State})
}

// A store that a reaped host still finishes counts: the object is verified.
func TestStoreAfterReap(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	lost := b.Run(t, "a")
	b.Dies(t, jobstest.Host)
	require.NoError(t, controlOf(b).reap(t.Context(), b.River, jobstest.Host))
	require.NoError(t, b.Store(t.Context(), &lost, "a"))
	require.Equal(t, jobs.StateQueued, b.Get(t, lost.ID).State)
	b.Boot(t, jobstest.Host, 1)
	placed := b.Place(t, lost.ID, jobstest.Host)
	_, err := dbsqlc.New().TranscodeStart(t.Context(), b.Pool, dbsqlc.TranscodeStartParams{ID: lost.ID, Attempt: placed.Attempt})
	require.NoError(t, err)
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.Pool, lost.ID)
	require.NoError(t, err)
	action := jobs.Plan(jobs.Rows{Transcode: b.Get(t, lost.ID), Attempt: dbsqlc.Attempt{Number: placed.Attempt, Stage: jobs.AttemptPlaced}, Renditions: renditions}, time.Now())
	require.Equal(t, jobs.DoSettle, action.Do)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, lost.ID, placed.Attempt) })
	require.Equal(t, jobs.StateSucceeded, b.Get(t, lost.ID).State)
}

// A host that is alive and does not begin what it was given, as its queue is paused, loses
// it in time.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	late, begun, fresh := b.Accept(t, "a"), b.Accept(t, "a"), b.Accept(t, "a")
	b.Place(t, late.ID, jobstest.Host)
	b.Start(t, begun.ID)
	b.Exec(t, "UPDATE weir.transcodes SET placed_at = now() - interval '6 min' WHERE state <> 'queued'")
	b.Place(t, fresh.ID, jobstest.Host)
	for range 2 {
		require.NoError(t, controlOf(b).takeBack(t.Context(), b.River))
	}
	taken := b.Get(t, late.ID)
	require.Equal(t, jobs.StateQueued, taken.State)
	require.Equal(t, jobs.CodeNotTakenUp, *taken.ErrorCode)
	require.EqualValues(t, 3, taken.AttemptsLeft, "it is no fault of the transcode's")
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode' AND state = 'cancelled'"))
	require.Equal(t, jobs.StateRunning, b.Get(t, begun.ID).State)
	require.Equal(t, jobs.StatePlaced, b.Get(t, fresh.ID).State)
	// The host takes it up all the same: there is nothing to do but to clean up.
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: late.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, jobs.DoClean, jobs.Plan(jobs.Rows{Transcode: taken, Attempt: attempt}, time.Now()).Do)
}

func TestPatience(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := &patience{}
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	// Postgres may have come back a moment before the daemon started.
	require.False(t, p.over(at(0)))
	require.False(t, p.over(at(2)))
	require.False(t, p.over(at(4)))
	require.True(t, p.over(at(6)))
	require.True(t, p.over(at(8)))
	// Postgres was away for 30 s: hosts get a renewal's time.
	require.False(t, p.over(at(38)))
	require.False(t, p.over(at(40)))
	require.True(t, p.over(at(43)))
}

// A host whose clock is ahead has stopped softly.
func TestJobsAhead(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	_, err := b.Pool.Exec(t.Context(), "UPDATE weir.river_job SET scheduled_at = now() + interval '10 min' WHERE kind = 'transcode'")
	require.NoError(t, err)
	require.NoError(t, controlOf(b).dateJobs(t.Context()))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode' AND scheduled_at <= now()"))
}

func TestRepairCallbacks(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Run(t, "a")
	require.NoError(t, b.Store(t.Context(), &transcode, "a"))
	_, err := b.Pool.Exec(t.Context(), "DELETE FROM weir.river_job WHERE kind = 'callback'")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, controlOf(b).repairCallbacks(t.Context(), b.River, well()))
	}
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))

	// A daemon that leads has it in hand; that it works for no Mist, or that its Mist is
	// away, changes nothing. Then it dies.
	inHand := func(of string) {
		b.Exec(t, `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 min',
			attempted_by = ARRAY[$1] WHERE kind = 'callback' AND id = (SELECT job_id FROM weir.callbacks)`, of)
	}
	repaired := func() int {
		for range 2 {
			require.NoError(t, controlOf(b).repairCallbacks(t.Context(), b.River, well()))
		}
		return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'")
	}
	client := jobs.ClientID(jobstest.Host, uuid.New())
	require.NoError(t, dbsqlc.New().LeadRenew(t.Context(), b.Pool, dbsqlc.LeadRenewParams{ClientID: client, LeaseSeconds: 1000, KeptSeconds: 1}))
	inHand(client)
	b.Dies(t, jobstest.Host)
	require.Equal(t, 1, repaired())
	b.Exec(t, "UPDATE weir.leads SET lease_until = now() - interval '1 s'")
	require.Equal(t, 2, repaired())

	// One of a release that has no such row, and one whose row is gone.
	inHand("old_release")
	b.Exec(t, "UPDATE weir.river_job SET attempted_at = now() WHERE state = 'running'")
	require.Equal(t, 2, repaired())
	inHand("old_release")
	require.Equal(t, 3, repaired())
}

// A queue that somebody pauses in River goes on.
func TestResumeQueues(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, `INSERT INTO weir.river_queue (name, created_at, updated_at, paused_at)
		VALUES ('place', now(), now(), now()), ('host-mist-1', now(), now(), now()), ('callback', now(), now(), NULL)`)
	require.NoError(t, controlOf(b).resumeQueues(t.Context(), b.River))
	require.Zero(t, b.Count(t, "SELECT count(*) FROM weir.river_queue WHERE paused_at IS NOT NULL"))
}

// Somebody deleted the round's job: another comes where a transcode waits for it, and only there.
func TestRepairPlacement(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	rounds := func() int {
		require.NoError(t, controlOf(b).repairPlacement(t.Context(), b.River))
		return b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'place'")
	}
	require.Zero(t, rounds(), "nobody waits")
	b.Accept(t, "a")
	b.Exec(t, "DELETE FROM weir.river_job WHERE kind = 'place'")
	require.Equal(t, 1, rounds())
	require.Equal(t, 1, rounds(), "one is to come")
}
