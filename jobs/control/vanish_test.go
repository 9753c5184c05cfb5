package control

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertest"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// vanishBound ends the transaction of one that vanished. What is looked at before that has to be
// done by then, also on a machine that builds beside.
const vanishBound = 5 * time.Second

// vanish begins a transaction of another daemon, does f in it, and lets that daemon's
// machine vanish.
func vanish(t *testing.T, b *jobstest.Bundle, f func(ctx context.Context, tx pgx.Tx) error) {
	t.Helper()
	wire := dbtest.NewWire(t, dbtest.With(t, b.Pool.Config().ConnString(), map[string]string{
		"idle_in_transaction_session_timeout": fmt.Sprint(vanishBound.Milliseconds()),
	}))
	pool, err := db.Open(t.Context(), wire.URL, 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Conn().PgConn().Conn().Close() // a goodbye would wait for an answer
		conn.Release()
	})
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, f(t.Context(), tx))
	wire.Cut()
}

// placeRound is that of a daemon's River client.
func placeRound(t *testing.T, b *jobstest.Bundle) error {
	t.Helper()
	inserted, err := b.River.Insert(t.Context(), jobs.PlaceArgs{}, nil)
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_at = now() WHERE id = $1", inserted.Job.ID)
	inserted.Job.State = rivertype.JobStateRunning
	worker := &placeWorker{db: b.Pool, log: jobstest.Silent()}
	ctx, cancel := context.WithTimeout(t.Context(), worker.Timeout(nil))
	defer cancel()
	return worker.Work(rivertest.WorkContext(ctx, b.River), &river.Job[jobs.PlaceArgs]{JobRow: inserted.Job})
}

// well has seen Postgres well for long enough.
func well() *patience {
	return &patience{last: time.Now(), since: time.Now().Add(-jobs.RenewEvery)}
}

// once does each part of a control's work once.
func once(t *testing.T, b *jobstest.Bundle) error {
	t.Helper()
	var errs []error
	for _, part := range controlOf(b).parts(b.River, well(), well()) {
		errs = append(errs, part.do(t.Context()))
	}
	return errors.Join(errs...)
}

func TestPlaceAfterAnotherVanished(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	transcode := b.Accept(t, "a")
	vanish(t, b, func(ctx context.Context, tx pgx.Tx) error { return dbsqlc.New().PlaceLock(ctx, tx) })
	require.NoError(t, placeRound(t, b))
	require.Equal(t, jobs.StatePlaced, b.Get(t, transcode.ID).State)
}

// A daemon vanished in a transaction on a transcode: the reaper comes to the others at
// once, and to this one when Postgres has ended that transaction.
func TestReapAfterAnotherVanished(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mist-2", 4)
	locked, other := b.Run(t, "a"), b.Accept(t, "a")
	b.Place(t, other.ID, "mist-2")
	lock := func(ctx context.Context, tx pgx.Tx) error {
		_, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, locked.ID)
		return err
	}
	vanish(t, b, lock)
	b.Dies(t, jobstest.Host)
	b.Dies(t, "mist-2")
	require.NoError(t, once(t, b))
	require.Equal(t, jobs.StateRunning, b.Get(t, locked.ID).State)
	require.Equal(t, jobs.StateQueued, b.Get(t, other.ID).State)

	b.Tx(t, lock) // waits for it
	require.NoError(t, once(t, b))
	require.Equal(t, jobs.StateQueued, b.Get(t, locked.ID).State)
}

// What can't be done holds up nothing but itself.
func TestRoundsGoOnAfterErrors(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mist-2", 4)
	ended := b.Run(t, "a")
	require.NoError(t, b.Store(t.Context(), &ended, "a"))
	cursed, second, third := b.Run(t, "a"), b.Run(t, "a"), b.Accept(t, "a")
	b.Place(t, third.ID, "mist-2")
	b.Dies(t, jobstest.Host)
	b.Dies(t, "mist-2")
	b.Exec(t, "DELETE FROM weir.river_job WHERE kind = 'callback'")
	b.Exec(t, `CREATE FUNCTION weir.curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cursed'; END $$`)
	b.Exec(t, `CREATE TRIGGER curse BEFORE UPDATE ON weir.transcodes FOR EACH ROW WHEN (OLD.id = '`+cursed.ID.String()+`') EXECUTE FUNCTION weir.curse()`)

	require.ErrorContains(t, once(t, b), cursed.ID.String())
	require.Equal(t, jobs.StateRunning, b.Get(t, cursed.ID).State)
	for _, id := range []uuid.UUID{second.ID, third.ID} {
		require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
	}
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'callback'"), "callbacks are looked after too")
}
