package explain_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/audit"
	"weir/jobs/explain"
	"weir/jobs/jobstest"
)

func of(t *testing.T, b *jobstest.Bundle, id uuid.UUID) explain.Explanation {
	t.Helper()
	r, err := explain.Read(t.Context(), b.Pool, id)
	require.NoError(t, err)
	return explain.Of(r)
}

// One transcode, from its acceptance to its end, as rows tell of it.
func TestRead(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := b.Accept(t, "a", "b").ID
	e := of(t, b, id)
	require.Equal(t, "No daemon that leads is up: nobody places.", e.Says)
	require.NoError(t, dbsqlc.New().LeadRenew(t.Context(), b.Pool, dbsqlc.LeadRenewParams{ClientID: "c", LeaseSeconds: 1000, KeptSeconds: 1, UrgentPercent: 50}))
	e = of(t, b, id)
	require.Equal(t, []string{"1 of 1 host; 1st of its tenant, 1st of all; less than a minute"}, e.Waits)
	require.Equal(t, jobs.StateQueued, e.State)

	// Half of the slots stay for the urgent, and the rest is taken.
	b.Exec(t, "UPDATE weir.hosts SET slots = 2")
	other := b.Place(t, b.Accept(t, "a").ID, jobstest.Host)
	require.Equal(t, "What is free of the slots stays for urgent transcodes.", of(t, b, id).Says)
	require.Contains(t, of(t, b, other.ID).Says, "has it and has not begun")
	b.Exec(t, "UPDATE weir.hosts SET slots = 1")
	require.Equal(t, "It waits for a slot.", of(t, b, id).Says)
	require.Contains(t, of(t, b, id).Waits[0], "0 of 1 host: 1 full; 1st of its tenant")

	b.Start(t, id)
	require.Contains(t, of(t, b, id).Says, "Its source is fetched")
	_, err := b.Transcodes.Cancel(t.Context(), "", id)
	require.NoError(t, err)
	e = of(t, b, id)
	require.Contains(t, e.Says, "It was cancelled")
	require.Contains(t, e.Waits[0], "its callback is on its way")

	_, err = explain.Read(t.Context(), b.Pool, uuid.New())
	require.ErrorIs(t, err, jobs.ErrNotFound)
}

// A request by SQL is explained before anybody has accepted it.
func TestReadInbox(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "INSERT INTO weir.speakers (role, tenant) VALUES (session_user, 'studio')")
	var id uuid.UUID
	require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT weir.enqueue_transcode('{"source": {"url": "s3://media/in.mp4"}, "output": {"url": "s3://media/out"},
		"callback_url": "https://studio.example/hook"}')`).Scan(&id))
	e := of(t, b, id)
	require.Contains(t, e.Says, "inbox")
	require.Contains(t, e.Waits[1], "waits for a free worker of queue accept")
	b.Exec(t, "DELETE FROM weir.river_job")
	require.Contains(t, of(t, b, id).Waits[1], "has no job")
}

// Within a transaction it is explained as it would be, so that a dry run tells what becomes of it.
func TestReadWithin(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := b.Accept(t, "a").ID
	require.NoError(t, audit.Do(t.Context(), b.Pool, &audit.Action{Who: "jo", Via: audit.CLI, What: "transcodes cancel", Target: id.String(), Reason: "r"}, true, func(tx pgx.Tx) error {
		if _, err := (&jobs.Transcodes{DB: tx, River: b.River}).Cancel(t.Context(), "", id); err != nil {
			return err
		}
		return within(t.Context(), tx, id, t)
	}))
	require.Equal(t, jobs.StateQueued, of(t, b, id).State)
}

func within(ctx context.Context, tx pgx.Tx, id uuid.UUID, t *testing.T) error {
	t.Helper()
	r, err := explain.Read(ctx, tx, id)
	if err == nil {
		require.Contains(t, explain.Of(r).Says, "It was cancelled")
	}
	return err
}
