package fleet_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db"
	"weir/db/dbtest"
	"weir/internal/devstack/pooler"
	"weir/internal/fleet"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is for machines that build beside.
	patience = time.Minute
	// lookAgain costs a query each time.
	lookAgain = 100 * time.Millisecond
	// placedWithin is the placement's own poll (2 s), and what a busy machine takes.
	placedWithin = 10 * time.Second
)

// The loops of hosts, and of a daemon that leads, work through a PgBouncer in transaction
// mode that keeps no connection for anybody: requests whose source is gone are placed, taken
// up, end as failed, are called back and cleaned up. And nobody LISTENs.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	database := secret.Secret(dbtest.URL(t))
	dir, err := os.MkdirTemp("", "weir-pooler") //nolint:usetesting // postgres' user must reach it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	pgbouncer, err := pooler.Start(t.Context(), &pooler.Config{Dir: dir, Database: database, Servers: 3})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pgbouncer.Close()) })
	through, err := pgbouncer.URL(database)
	require.NoError(t, err)

	pool, err := db.OpenPooled(t.Context(), string(through), 4)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.ErrorIs(t, db.CheckBounds(t.Context(), pool), db.ErrUnbounded)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		_, err = pool.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %q SET %s = '15s'", pool.Config().ConnConfig.Database, name))
		require.NoError(t, err)
	}
	bounded, err := db.OpenPooled(t.Context(), string(database), 1)
	require.NoError(t, err)
	require.NoError(t, db.CheckBounds(t.Context(), bounded), "a connection that was made since")
	bounded.Close()

	told := make(chan struct{}, 100)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		if bytes.Contains(body.Bytes(), []byte(`"error"`)) {
			told <- struct{}{}
		}
	}))
	t.Cleanup(web.Close)
	sealer, err := secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	cfg := &fleet.Config{Database: through, Polls: true, Sealer: sealer, Dir: t.TempDir(), Slots: 2, Log: slog.New(slog.DiscardHandler)}
	lead, err := cfg.Lead(t.Context(), "lead")
	require.NoError(t, err)
	hosts := []*fleet.Daemon{}
	for i := range 3 {
		h, err := cfg.Host(t.Context(), fmt.Sprintf("fleet-%d", i))
		require.NoError(t, err)
		hosts = append(hosts, h)
	}

	inserter, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	transcodes := &jobs.Transcodes{DB: pool, River: inserter, Sealer: sealer}
	const requests = 12
	for i := range requests {
		req := jobstest.MakeRequest(fmt.Sprint(i), "a", "b")
		req.SourceURL, req.SourceShown = web.URL+"/gone.mp4", web.URL+"/gone.mp4"
		req.CallbackURL, req.CallbackShown = web.URL, web.URL
		_, _, err := transcodes.Accept(t.Context(), req)
		require.NoError(t, err)
	}
	var state string
	require.Eventually(t, func() bool {
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT string_agg(DISTINCT t.state::text || ' ' || COALESCE(c.state::text, '') || ' ' || COALESCE(a.stage::text, ''), ', ')
			FROM weir.transcodes t LEFT JOIN weir.callbacks c ON c.transcode_id = t.id LEFT JOIN weir.attempts a ON a.transcode_id = t.id`).Scan(&state))
		return state == "failed delivered cleaned"
	}, patience, lookAgain, "%s", &state)
	require.GreaterOrEqual(t, len(told), requests)

	var listens, servers int
	direct := open(t, database)
	require.NoError(t, direct.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE query ILIKE 'listen%'), count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&listens, &servers))
	require.Zero(t, listens)
	require.LessOrEqual(t, servers, 3)
	for _, d := range append(hosts, lead) {
		require.NoError(t, d.Stop(t.Context()))
	}
}

// Who has given up stays in the queue of a PgBouncer that has no connection left until they are
// told so: those that left would be served in their turn, and cost it a connection each.
func TestPoolerEndsWaits(t *testing.T) {
	t.Parallel()
	database := secret.Secret(dbtest.URL(t))
	dir, err := os.MkdirTemp("", "weir-pooler") //nolint:usetesting // postgres' user must reach it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	pgbouncer, err := pooler.Start(t.Context(), &pooler.Config{Dir: dir, Database: database, Servers: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pgbouncer.Close()) })
	through, err := pgbouncer.URL(database)
	require.NoError(t, err)
	pool, err := db.OpenPooled(t.Context(), string(through), 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SELECT 1"); err != nil {
			return err
		}
		given, up := context.WithTimeout(t.Context(), lookAgain)
		defer up()
		_, err := pool.Exec(given, "SELECT 1")
		require.ErrorContains(t, err, "query_wait_timeout")
		return nil
	}))
	_, err = pool.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
}

// River makes the job of a round available some seconds before it is due, and tells nobody:
// what had to pause before its next attempt is placed all the same soon after, or a dead
// host would cost more than 30 s.
func TestPlacedSoonAfterAPause(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 hour'")
	transcode := b.Accept(t, "a")
	cfg := &fleet.Config{Database: secret.Secret(b.Pool.Config().ConnString()), Sealer: b.Sealer, Log: slog.New(slog.DiscardHandler)}
	lead, err := cfg.Lead(t.Context(), "lead")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lead.Stop(context.WithoutCancel(t.Context()))) })
	rounds := func() (done int) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT count(*) FROM weir.river_job WHERE kind = 'place' AND state = 'completed'`).Scan(&done))
		return done
	}
	require.Eventually(t, func() bool { return rounds() > 0 }, patience, lookAgain)
	require.Equal(t, jobs.StateQueued, b.Get(t, transcode.ID).State)

	const pause = 2 * time.Second
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		inserted, err := b.River.InsertTx(ctx, tx, jobs.PlaceArgs{}, &river.InsertOpts{ScheduledAt: time.Now().Add(pause)})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE weir.river_job SET state = 'available' WHERE id = $1", inserted.Job.ID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE weir.hosts SET lease_until = now() + interval '1 hour'")
		return err
	})
	// The pause, and what docs/architecture.md says of a round that nobody is told of.
	require.Eventually(t, func() bool { return b.Get(t, transcode.ID).State == jobs.StatePlaced }, pause+placedWithin, lookAgain)
}

func open(t *testing.T, database secret.Secret) *pgxpool.Pool {
	t.Helper()
	pool, err := db.Open(t.Context(), string(database), 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
