package jobs_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// Each run is counted on the day of its end, with what it made itself.
func TestUsage(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET slots = 100")
	used := func() []dbsqlc.UsageDay {
		t.Helper()
		day := time.Now().UTC().Truncate(24 * time.Hour)
		list, err := dbsqlc.New().UsageList(t.Context(), b.Pool, dbsqlc.UsageListParams{
			Tenant: "studio", FromDay: day.AddDate(0, 0, -1), ToDay: day.AddDate(0, 0, 2), PageSize: 100,
		})
		require.NoError(t, err)
		for i := range list {
			list[i].Day = time.Time{}
		}
		return list
	}
	require.Empty(t, used())

	// What jobstest stores: 600 frames of 640x360, 600 ms, 600 bytes; its sources last 20 s.
	whole := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &whole, "a"))
	require.Empty(t, used(), "it has not ended")
	require.NoError(t, b.Store(t.Context(), &whole, "b"))
	const pixels = 600 * 640 * 360
	want := dbsqlc.UsageDay{
		Tenant: "studio", Succeeded: 1, Attempts: 1, SourceMinutes: 20.0 / 60, OutputMinutes: 1200.0 / 60000, Pixels: 2 * pixels, Bytes: 1200,
	}
	require.Equal(t, []dbsqlc.UsageDay{want}, used())

	// One of two is stored, the other fails for good; the next run stores the other alone.
	half := b.Run(t, "a", "b")
	require.NoError(t, b.Store(t.Context(), &half, "a"))
	b.Fail(t, half.ID, half.Attempt, "b", jobs.Failed("s3_bucket_missing", jobs.StageStore, ""))
	want.Failed, want.Attempts, want.SourceMinutes, want.OutputMinutes = 1, 2, 40.0/60, 1800.0/60000
	want.Pixels, want.Bytes = 3*pixels, 1800
	require.Equal(t, []dbsqlc.UsageDay{want}, used())
	_, err := b.Transcodes.Retry(t.Context(), half.ID)
	require.NoError(t, err)
	again := b.Start(t, half.ID)
	_, err = dbsqlc.New().RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{TranscodeID: again.ID, Name: "b", Attempt: again.Attempt})
	require.NoError(t, err)
	require.NoError(t, b.Store(t.Context(), &again, "b"))
	want.Succeeded, want.Attempts, want.SourceMinutes, want.OutputMinutes = 2, 3, 1, 2400.0/60000
	want.Pixels, want.Bytes = 4*pixels, 2400
	require.Equal(t, []dbsqlc.UsageDay{want}, used())

	// One that never began, and another tenant's.
	_, err = b.Transcodes.Cancel(t.Context(), "studio", b.Accept(t, "a").ID)
	require.NoError(t, err)
	other := jobstest.MakeRequest("", "a")
	other.Tenant = "other"
	_, err = b.Transcodes.Cancel(t.Context(), "other", b.AcceptRequest(t, other).ID)
	require.NoError(t, err)
	want.Cancelled = 1
	require.Equal(t, []dbsqlc.UsageDay{want}, used())

	// It stays when the transcodes go.
	b.Exec(t, "DELETE FROM weir.transcodes")
	require.Equal(t, []dbsqlc.UsageDay{want}, used())
}

// An end is counted within its commit: until then another of the same tenant waits for nothing.
func TestUsageHoldsUpNoOtherEnd(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	// Of nine two are counted in one row at the least.
	const parts = 8
	ids := make([]string, parts+1)
	for i := range ids {
		ids[i] = b.Accept(t, "a").ID.String()
	}
	end := func(id string) pgx.Tx {
		t.Helper()
		tx, err := b.Pool.Begin(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
		_, err = tx.Exec(t.Context(), "SET LOCAL lock_timeout = '5s'")
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "UPDATE weir.transcodes SET state = 'cancelled', finished_at = now() WHERE id = $1", id)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "INSERT INTO weir.callbacks (id, transcode_id, run, url, body) VALUES (gen_random_uuid(), $1, 1, 'u', '{}')", id)
		require.NoError(t, err)
		return tx
	}
	ends := make([]pgx.Tx, len(ids))
	for i, id := range ids {
		ends[i] = end(id)
	}
	for _, tx := range ends {
		require.NoError(t, tx.Commit(t.Context()))
	}
	var cancelled int
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT cancelled FROM weir.v_usage").Scan(&cancelled))
	require.Equal(t, len(ids), cancelled)
}
