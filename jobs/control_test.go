package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

// dies ends a host's lease.
func (b *testBundle) dies(t *testing.T, host string) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "UPDATE weir.hosts SET lease_until = now() - interval '1 s' WHERE id = $1", host)
	require.NoError(t, err)
}

func (b *testBundle) control() *Control { return &Control{DB: b.pool, River: b.client, Log: silent()} }

func TestReap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.boot(t, "mist-2", 4)
	lost := b.run(t, "a", "b")
	require.NoError(t, b.store(t.Context(), &lost, "a"))
	_, err := b.pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempted_by = ARRAY[$1] WHERE kind = 'transcode'`,
		testHost+"_deadboot")
	require.NoError(t, err)

	require.NoError(t, b.control().reap(t.Context(), testHost))
	require.Equal(t, StateRunning, b.get(t, lost.ID).State, "a host with a lease keeps its own")

	b.dies(t, testHost)
	for range 2 { // two daemons, or one twice
		require.NoError(t, b.control().reap(t.Context(), testHost))
	}
	again := b.get(t, lost.ID)
	require.Equal(t, StateQueued, again.State)
	require.Equal(t, CodeHostLost, *again.ErrorCode)
	require.Zero(t, b.count(t, "SELECT count(*) FROM weir.river_job WHERE state = 'running'"))
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.pool, dbsqlc.AttemptGetParams{TranscodeID: lost.ID, Number: 1})
	require.NoError(t, err)
	require.Equal(t, OutcomeLost, *attempt.Outcome)

	// The next attempt does what is not ok, elsewhere.
	b.place(t, lost.ID, "mist-2")
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.pool, lost.ID)
	require.NoError(t, err)
	require.Equal(t, []string{RenditionOK, RenditionExpected}, []string{renditions[0].State, renditions[1].State})
}

// A store that a reaped host still finishes counts: the object is verified.
func TestStoreAfterReap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost := b.run(t, "a")
	b.dies(t, testHost)
	require.NoError(t, b.control().reap(t.Context(), testHost))
	require.NoError(t, b.store(t.Context(), &lost, "a"))
	require.Equal(t, StateQueued, b.get(t, lost.ID).State)
	b.boot(t, testHost, 1)
	placed := b.place(t, lost.ID, testHost)
	_, err := dbsqlc.New().TranscodeStart(t.Context(), b.pool, dbsqlc.TranscodeStartParams{ID: lost.ID, Attempt: placed.Attempt})
	require.NoError(t, err)
	renditions, err := dbsqlc.New().RenditionList(t.Context(), b.pool, lost.ID)
	require.NoError(t, err)
	action := plan(Rows{Transcode: b.get(t, lost.ID), Attempt: dbsqlc.Attempt{Number: placed.Attempt, Stage: AttemptPlaced}, Renditions: renditions}, time.Now())
	require.Equal(t, DoSettle, action.Do)
	b.tx(t, func(ctx context.Context, tx pgx.Tx) error { return settle(ctx, tx, b.client, lost.ID, placed.Attempt) })
	require.Equal(t, StateSucceeded, b.get(t, lost.ID).State)
}

func TestPatience(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := newPatience(start)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	require.True(t, p.hosts(at(2)))
	require.True(t, p.hosts(at(4)))
	// Postgres was away for 30 s: hosts get a renewal's time.
	require.False(t, p.hosts(at(34)))
	require.False(t, p.hosts(at(36)))
	require.True(t, p.hosts(at(39)))
}

// A host whose clock is ahead has stopped softly.
func TestJobsAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.place(t, b.accept(t, "a").ID, testHost)
	_, err := b.pool.Exec(t.Context(), "UPDATE weir.river_job SET scheduled_at = now() + interval '10 min' WHERE kind = 'transcode'")
	require.NoError(t, err)
	require.NoError(t, b.control().round(t.Context(), newPatience(time.Now())))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode' AND scheduled_at <= now()"))
}

func TestRepairCallbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	transcode := b.run(t, "a")
	require.NoError(t, b.store(t.Context(), &transcode, "a"))
	_, err := b.pool.Exec(t.Context(), "DELETE FROM weir.river_job WHERE kind = 'callback'")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, b.control().repairCallbacks(t.Context()))
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))

	// A host has it in hand, and dies.
	_, err = b.pool.Exec(t.Context(), `UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now(),
		attempted_by = ARRAY[$1] WHERE kind = 'callback'`, clientID(testHost, uuid.New()))
	require.NoError(t, err)
	require.NoError(t, b.control().repairCallbacks(t.Context()))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))
	b.dies(t, testHost)
	for range 2 {
		require.NoError(t, b.control().repairCallbacks(t.Context()))
	}
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"))
}

func TestSweepJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.place(t, b.accept(t, "a").ID, testHost)
	b.run(t, "a")
	_, err := b.pool.Exec(t.Context(), "DELETE FROM weir.river_job")
	require.NoError(t, err)
	host := &Host{ID: testHost, DB: b.pool, Log: silent()}
	for range 2 {
		require.NoError(t, host.sweepJobs(t.Context(), b.client))
	}
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'transcode'"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'store'"))
}
