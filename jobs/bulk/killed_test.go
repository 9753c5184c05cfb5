package bulk_test

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/bulk"
)

// A daemon is killed in the middle of an item, and behind others: another goes on, and each
// was retried once.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 8)

	// The worker gets as far as the third from the end, whose row is held here.
	held, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = held.Rollback(t.Context()) }()
	_, err = held.Exec(t.Context(), "SELECT FROM weir.transcodes WHERE id = $1 FOR UPDATE", ids[5])
	require.NoError(t, err)

	op := b.start(t, bulk.Retry, "state:failed", bulk.MaxRate)
	worker := exec.CommandContext(t.Context(), os.Args[0])
	worker.Env = append(os.Environ(), asWorker+"="+b.Pool.Config().ConnString())
	worker.Stderr = os.Stderr
	require.NoError(t, worker.Start())
	b.until(t, func() bool {
		return b.Count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
	})
	require.NoError(t, worker.Process.Signal(syscall.SIGKILL))
	_ = worker.Wait()
	require.NoError(t, held.Rollback(t.Context()))
	b.until(t, func() bool { // Postgres has noticed
		return b.Count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()") == 0
	})

	half, err := b.ops.Get(t.Context(), op.ID)
	require.NoError(t, err)
	require.Equal(t, []any{bulk.StateRunning, int64(2)}, []any{half.State, half.Done})
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.transcodes WHERE run = 2"))

	// Its job is still the dead daemon's. The next round of those that lead makes another.
	b.Exec(t, "UPDATE weir.bulk_operations SET updated_at = now()") // as if it had died just now
	require.NoError(t, b.ops.Repair(t.Context()))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk'"), "it is not silent for long enough")
	b.Exec(t, "UPDATE weir.bulk_operations SET updated_at = now() - interval '1 minute'")
	require.NoError(t, b.ops.Repair(t.Context()))
	require.NoError(t, b.ops.Repair(t.Context()))
	require.Equal(t, 2, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'bulk'"), "one is enough")
	b.work(t)
	ended := b.ends(t, op.ID)
	require.Equal(t, []int64{8, 0, 0}, []int64{ended.Done, ended.Skipped, ended.Failed})
	for _, id := range ids {
		require.Equal(t, int32(2), b.Get(t, id).Run)
		require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
	}
}

// Two jobs of one operation do nothing twice.
func TestTwoJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.failed(t, 20)
	op := b.start(t, bulk.Retry, "state:failed", bulk.MaxRate)
	for range 2 {
		b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
			_, err := b.River.InsertTx(ctx, tx, bulk.Args{ID: op.ID}, nil)
			return err
		})
	}
	b.work(t)
	ended := b.ends(t, op.ID)
	require.Equal(t, []int64{20, 0, 0}, []int64{ended.Done, ended.Skipped, ended.Failed})
	for _, id := range ids {
		require.Equal(t, int32(2), b.Get(t, id).Run)
	}
}
