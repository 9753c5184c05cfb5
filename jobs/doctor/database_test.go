package doctor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/db/roles"
	"weir/storage/dial/dialtest"
)

// find runs one check of the database and returns its only finding.
func find(t *testing.T, d *database, code Code) Finding {
	t.Helper()
	checks := append(databaseChecks(d), Check{Codes: []Code{PostgresReach}, Look: d.reach}, Check{Codes: []Code{PostgresRights}, Look: d.rights})
	found, looked := Run(t.Context(), "h", Order{Only: Only{string(code)}}, checks...)
	require.Equal(t, []Code{code}, looked)
	require.Len(t, found, 1)
	return found[0]
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	_, err := pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Each check of the database says that all is well where it is, and finds what is not.
func TestDatabase(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	d := &database{pool, theLimits()}
	d.slow = time.Minute // the machine may be busy
	exec(t, pool, "INSERT INTO weir.river_leader (leader_id, elected_at, expires_at) VALUES ('leads', now(), now() + interval '1 hour')")
	for _, code := range []Code{
		PostgresReach, PostgresVersion, PostgresTransactions, PostgresDead, PostgresStatistics, PostgresRights, SchemaVersion, RiverLeader, RiverQueues, RiverStuck,
	} {
		f := find(t, d, code)
		require.Equal(t, OK, f.Verdict, "%s: %s", code, f.Evidence)
		require.Empty(t, f.Mend)
		require.NotEmpty(t, f.Evidence)
	}
	require.Equal(t, Database, find(t, d, RiverLeader).Daemon)
	require.Equal(t, "h", find(t, d, PostgresReach).Daemon)

	wrong := func(code Code, verdict Verdict, evidence, mend string) {
		t.Helper()
		f := find(t, d, code)
		require.Equal(t, verdict, f.Verdict, "%s: %s", code, f.Evidence)
		require.Contains(t, f.Evidence, evidence)
		require.Contains(t, f.Mend, mend)
	}
	exec(t, pool, "UPDATE weir.river_leader SET expires_at = now()")
	wrong(RiverLeader, Fail, "leads led, and is gone", "WEIR_CONTROL=true")
	exec(t, pool, "DELETE FROM weir.river_leader")
	wrong(RiverLeader, Fail, "no daemon leads", "WEIR_CONTROL=true")
	exec(t, pool, "INSERT INTO weir.river_queue (name, paused_at) VALUES ('place', now() - interval '3 minutes')")
	wrong(RiverQueues, Fail, "place for 3m", "UPDATE weir.river_queue")
	exec(t, pool, "INSERT INTO weir.river_job (args, kind, queue, scheduled_at) VALUES ('{}', 'transcode', 'host-gone', now() - interval '10 minutes')")
	wrong(RiverStuck, Warn, "1 jobs are due and not fetched, the first for 10m", "start the daemon")
	exec(t, pool, "UPDATE weir.river_job SET state = 'running', attempted_at = now() - interval '1 hour', attempted_by = '{gone_x}'")
	wrong(RiverStuck, Warn, "in the hands of a daemon that is gone", "start the daemon")
	require.Equal(t, "gone", find(t, d, RiverStuck).Subject)

	d.limits.connections = 0
	wrong(PostgresConnections, Warn, "by Weir", "max_connections")
	d.slow = 0
	wrong(PostgresReach, Warn, "a round trip takes", "closer together")
	held, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "SELECT 1")
	require.NoError(t, err)
	d.old = 0
	wrong(PostgresTransactions, Warn, "the oldest is open for", "pg_terminate_backend(")
	d.tooOld = 0
	wrong(PostgresTransactions, Fail, "idle in transaction", "pg_terminate_backend(")
	require.NoError(t, held.Rollback(t.Context()))

	exec(t, pool, "UPDATE weir.schema_migrations SET version = 20")
	wrong(SchemaVersion, Fail, "too old", "weir-admin db migrate")
	exec(t, pool, "UPDATE weir.schema_migrations SET dirty = true")
	wrong(SchemaVersion, Fail, "stopped half way", "by hand")
	exec(t, pool, "UPDATE weir.schema_migrations SET version = 9000, dirty = false")
	exec(t, pool, "UPDATE weir.schema_compat SET serves_from = 8000")
	wrong(SchemaVersion, Fail, "too new", "install the Weir")
}

// as is a pool of a login of this test alone, which is a member of a role.
func as(t *testing.T, pool *pgxpool.Pool, of string) *pgxpool.Pool {
	t.Helper()
	name, password := "weir_test_"+uuid.NewString(), uuid.NewString()
	exec(t, pool, fmt.Sprintf("CREATE ROLE %q LOGIN PASSWORD '%s'", name, password))
	dbtest.DropRole(t, pool, name)
	exec(t, pool, fmt.Sprintf("GRANT %s TO %q", of, name))
	config := pool.Config().Copy()
	config.ConnConfig.User, config.ConnConfig.Password = name, password
	other, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(other.Close)
	return other
}

// TestTransactionsOfOthers: the roles that look after Postgres see who has a transaction open
// whoever it is, and no statement of theirs; where that can't be seen, it is said.
func TestTransactionsOfOthers(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	held, err := as(t, pool, roles.Readonly).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "SELECT 'PLANTED'")
	require.NoError(t, err)
	role := held.Conn().Config().User
	daemon := as(t, pool, roles.Daemon)
	for _, by := range []*pgxpool.Pool{daemon, as(t, pool, roles.Admin)} {
		d := &database{by, theLimits()}
		d.old = 0
		f := find(t, d, PostgresTransactions)
		require.Equal(t, Warn, f.Verdict, f.Evidence)
		require.Contains(t, f.Evidence, "role "+role+", ")
		require.Contains(t, f.Evidence, "idle in transaction")
		d.limits.connections = 0
		require.NotContains(t, find(t, d, PostgresConnections).Evidence, " 0 by Weir")
		var shown int
		require.NoError(t, by.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%PLANTED%' AND pid <> pg_backend_pid()").Scan(&shown))
		require.Zero(t, shown, "no text of a statement")
	}
	var oldest float64
	require.NoError(t, daemon.QueryRow(t.Context(), "SELECT weir.oldest_transaction_seconds()").Scan(&oldest))
	require.Positive(t, oldest, "/metrics")
	_, err = as(t, pool, roles.Readonly).Exec(t.Context(), "SELECT pid FROM weir.open_transactions()")
	require.ErrorContains(t, err, "permission denied")

	// An owner that may see no others: then it is unknown, until db roles has let it.
	owner := "weir_test_" + uuid.NewString()
	exec(t, pool, fmt.Sprintf("CREATE ROLE %q", owner))
	dbtest.DropRole(t, pool, owner)
	for _, name := range []string{"open_transactions", "sees_all_sessions"} {
		exec(t, pool, fmt.Sprintf("ALTER FUNCTION weir.%s OWNER TO %q", name, owner))
		t.Cleanup(func() {
			_, err := pool.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("ALTER FUNCTION weir.%s OWNER TO CURRENT_USER", name))
			require.NoError(t, err)
		})
	}
	f := find(t, &database{daemon, theLimits()}, PostgresTransactions)
	require.Equal(t, Unknown, f.Verdict, f.Evidence)
	require.Contains(t, f.Mend, "GRANT pg_read_all_stats TO")
	done, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	require.True(t, done.Changed)
	f = find(t, &database{daemon, theLimits()}, PostgresTransactions)
	require.Equal(t, OK, f.Verdict, f.Evidence)
	require.Contains(t, f.Evidence, role)
	require.NoError(t, held.Rollback(t.Context()))

	exec(t, pool, "DROP FUNCTION weir.client_connections")
	require.Equal(t, SchemaVersion.Mend(), find(t, &database{pool, theLimits()}, PostgresConnections).Mend)
	exec(t, pool, "REVOKE EXECUTE ON FUNCTION weir.open_transactions FROM "+roles.Daemon)
	require.Equal(t, PostgresRights.Mend(), find(t, &database{daemon, theLimits()}, PostgresTransactions).Mend)
}

func TestDeadRows(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	d := &database{pool, theLimits()}
	d.limits.dead = 0
	exec(t, pool, "ALTER TABLE weir.hosts SET (autovacuum_enabled = false)")
	exec(t, pool, "INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('h', gen_random_uuid(), 1, now())")
	for range 3 {
		exec(t, pool, "UPDATE weir.hosts SET slots = slots + 1")
	}
	exec(t, pool, "DELETE FROM weir.hosts")
	require.Eventually(t, func() bool {
		exec(t, pool, "SELECT pg_stat_force_next_flush()")
		f := find(t, d, PostgresDead)
		return f.Verdict == Warn && f.Mend == "VACUUM (ANALYZE) weir.hosts"
	}, patience, lookAgain)
}

// TestStatistics: a table that has grown and was never analyzed is found, by the daemon's role as
// well, and by no other sign than that: an index that is built counts the rows, too.
func TestStatistics(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	_, err := roles.Make(t.Context(), pool)
	require.NoError(t, err)
	exec(t, pool, "ALTER TABLE weir.hosts SET (autovacuum_enabled = false)")
	exec(t, pool, "INSERT INTO weir.hosts (id, boot_id, slots, lease_until) SELECT 'h-' || n, gen_random_uuid(), 1, now() FROM generate_series(1, 1000) n")
	exec(t, pool, "REINDEX TABLE weir.hosts")
	d := &database{as(t, pool, roles.Daemon), theLimits()}
	require.Equal(t, OK, find(t, d, PostgresStatistics).Verdict, "small as it is")
	d.small = 0
	f := find(t, d, PostgresStatistics)
	require.Equal(t, Warn, f.Verdict, f.Evidence)
	require.Contains(t, f.Evidence, "hosts has")
	require.Equal(t, PostgresStatistics.Mend(), f.Mend)
	exec(t, pool, "INSERT INTO weir.web_sessions (id_hash, user_name, setting, expires_at) VALUES ('x', 'jo', '', now())")
	exec(t, pool, "ANALYZE")
	require.Equal(t, OK, find(t, d, PostgresStatistics).Verdict)
	d = &database{as(t, pool, roles.Admin), theLimits()}
	d.small = 0
	require.Equal(t, OK, find(t, d, PostgresStatistics).Verdict, "what it may not read is not taken for unknown")
}

// What a server would say that can't be had here.
func TestSettings(t *testing.T) {
	t.Parallel()
	good := dbsqlc.DatabaseSettingsRow{VersionNum: 180001, Version: "18.1", Fsync: "on", FullPageWrites: "on", Autovacuum: "on", TrackCounts: "on", SynchronousCommit: "on"}
	for name, test := range map[string]struct {
		change   func(*dbsqlc.DatabaseSettingsRow)
		code     Code
		verdict  Verdict
		evidence string
		mend     string
	}{
		"old":     {func(r *dbsqlc.DatabaseSettingsRow) { r.VersionNum, r.Version = 140009, "14.9" }, PostgresVersion, Fail, "14.9", "15 or newer"},
		"standby": {func(r *dbsqlc.DatabaseSettingsRow) { r.Standby = true }, PostgresVersion, Fail, "standby", "primary"},
		"fsync":   {func(r *dbsqlc.DatabaseSettingsRow) { r.Fsync = "off" }, PostgresSettings, Fail, "may lose", "postgresql.conf"},
		"vacuum":  {func(r *dbsqlc.DatabaseSettingsRow) { r.Autovacuum = "off" }, PostgresSettings, Warn, "autovacuum off", "set autovacuum to on"},
		"good":    {func(*dbsqlc.DatabaseSettingsRow) {}, PostgresSettings, OK, "on", ""},
	} {
		row := good
		test.change(&row)
		found := judged(&row)
		require.Len(t, found, 2, name)
		for _, f := range found {
			if f.Code == test.code {
				require.Equal(t, test.verdict, f.Verdict, name)
				require.Contains(t, f.Evidence, test.evidence, name)
				require.Contains(t, f.Mend, test.mend, name)
			} else {
				require.Equal(t, OK, f.Verdict, name)
			}
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := db.Open(t.Context(), url, 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	const role = "weir_test_doctor"
	dbtest.DropRole(t, pool, role)
	exec(t, pool, "CREATE ROLE "+role+" LOGIN")
	exec(t, pool, "GRANT USAGE ON SCHEMA weir TO "+role)
	t.Cleanup(func() {
		_, _ = pool.Exec(context.WithoutCancel(t.Context()), "REVOKE USAGE ON SCHEMA weir FROM "+role)
	})
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "SET LOCAL ROLE "+role)
	require.NoError(t, err)
	rows, err := tx.Query(t.Context(), rightsSQL)
	require.NoError(t, err)
	lacks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[right])
	require.NoError(t, err)
	f := rightsOf(role, lacks)
	require.Equal(t, Fail, f.Verdict)
	require.Contains(t, f.Evidence, role+" may not DELETE weir.admin_actions")
	require.Equal(t, "run `weir-admin db roles` as the schema's owner", f.Mend)
}

// No database: what is said names no password.
func TestReach(t *testing.T) {
	t.Parallel()
	pool, err := db.Open(t.Context(), "postgres://u:PLANTED@"+dialtest.Nobody(t)+"/weir", 2)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	found, _ := Run(t.Context(), "h", Order{}, append(ConnectionChecks(pool), DatabaseChecks(pool)...)...)
	require.Len(t, found, 13)
	require.Equal(t, PostgresReach, found[0].Code)
	require.Equal(t, Fail, found[0].Verdict)
	require.Contains(t, found[0].Mend, "start Postgres, or correct its address")
	for i := range found {
		require.NotContains(t, found[i].Evidence, "PLANTED")
		if i > 0 {
			require.Equal(t, Unknown, found[i].Verdict, found[i].Code)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for _, test := range []struct {
		off      time.Duration
		verdict  Verdict
		evidence string
	}{
		{0, OK, ""}, {10 * time.Second, Warn, "ahead of the database"}, {-10 * time.Second, Warn, "behind the database"},
		{time.Hour, Fail, "ahead of the database"}, {-time.Hour, Fail, "behind the database"},
	} {
		found := Clock(t.Context(), pool, func() time.Time { return time.Now().Add(test.off) })
		require.Len(t, found, 1)
		require.Equal(t, test.verdict, found[0].Verdict, found[0].Evidence)
		require.Contains(t, found[0].Evidence, test.evidence)
		if test.verdict != OK {
			require.Equal(t, "on the host: timedatectl set-ntp true, then timedatectl timesync-status", found[0].Mend)
		}
	}
}
