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

// The loops of hosts, and of a daemon that leads, work through a PgBouncer in transaction mode
// that keeps no connection for anybody. It brings no bounds: those are the server's.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	database := secret.Secret(dbtest.URL(t))
	through, err := startPooler(t, database, 3).URL(database)
	require.NoError(t, err)
	pool, err := db.OpenPooled(t.Context(), string(through), 4)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.ErrorIs(t, db.CheckPooled(t.Context(), pool), db.ErrUnbounded)
	settle(t, database, bounds())
	bounded, err := db.OpenPooled(t.Context(), string(database), 1)
	require.NoError(t, err)
	require.NoError(t, db.CheckPooled(t.Context(), bounded), "a connection that was made since")
	bounded.Close()
	worksThrough(t, pool, database, through)
}

// TestKeptByPgBouncer: so they do with statements that it keeps prepared for them. One that
// keeps none is refused, before anything else is asked of it.
func TestKeptByPgBouncer(t *testing.T) {
	t.Parallel()
	database := secret.Secret(dbtest.URL(t))
	settle(t, database, bounds())
	settle(t, database, map[string]string{"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"})
	through, err := startPooler(t, database, 3).KeepingURL(database)
	require.NoError(t, err)
	pool, err := db.OpenPooled(t.Context(), string(through), 4)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	keeps, err := pooler.Keeps(t.Context())
	require.NoError(t, err)
	if !keeps {
		require.ErrorIs(t, db.CheckPooled(t.Context(), pool), db.ErrForgets)
		return
	}
	require.NoError(t, db.CheckPooled(t.Context(), pool))
	worksThrough(t, pool, database, through)
	var prepared int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'PGBOUNCER%'").Scan(&prepared))
	require.NotZero(t, prepared)
}

// startPooler is a PgBouncer before a database, with so many connections to it.
func startPooler(t *testing.T, database secret.Secret, servers int) *pooler.Pooler {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-pooler") //nolint:usetesting // postgres' user must reach it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	pgbouncer, err := pooler.Start(t.Context(), &pooler.Config{Dir: dir, Database: database, Servers: servers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pgbouncer.Close()) })
	return pgbouncer
}

func bounds() map[string]string {
	return map[string]string{"statement_timeout": "15s", "lock_timeout": "15s", "idle_in_transaction_session_timeout": "15s"}
}

// settle gives a database's new connections settings.
func settle(t *testing.T, database secret.Secret, settings map[string]string) {
	t.Helper()
	pool, err := db.Open(t.Context(), string(database), 1)
	require.NoError(t, err)
	defer pool.Close()
	for name, value := range settings {
		_, err := pool.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %q SET %s = '%s'", pool.Config().ConnConfig.Database, name, value))
		require.NoError(t, err)
	}
}

// worksThrough has requests whose source is gone placed, taken up, end as failed, called back and
// cleaned up. Nobody LISTENs meanwhile, and there are no more than three connections.
func worksThrough(t *testing.T, pool *pgxpool.Pool, database, through secret.Secret) {
	t.Helper()
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
	through, err := startPooler(t, database, 1).URL(database)
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
