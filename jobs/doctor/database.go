package doctor

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db"
	"weir/db/dbsqlc"
)

const (
	// oldestPostgres is what Weir supports, as in server_version_num.
	oldestPostgres = 150000
	// slowReach is long for a round trip within a data centre: each of a transcode's
	// transactions takes several.
	slowReach = 100 * time.Millisecond
	// oldTransaction is long beside Weir's own, which end within seconds, and behind it what
	// changes often can't be cleaned up. After a longer one jobs become slow to fetch.
	oldTransaction, tooOldTransaction = 5 * time.Minute, time.Hour
	// fullConnections of the server's: the next daemon that starts may get none.
	fullConnections = 0.9
	// manyDead rows beside those that live: vacuum does not keep up. Few are no matter.
	manyDead, fewDead = 1.0, 50_000
	// smallTable may be read as a whole: a new database has tables that nobody has analyzed yet.
	smallTable = 16 << 20
)

// These read Postgres' own catalogs, which sqlc does not know.
var (
	//go:embed postgres/connections.sql
	connectionsSQL string
	//go:embed postgres/transactions.sql
	transactionsSQL string
	//go:embed postgres/sight.sql
	sightSQL string
	//go:embed postgres/prepared.sql
	preparedSQL string
	//go:embed postgres/dead_rows.sql
	deadSQL string
	//go:embed postgres/statistics.sql
	statisticsSQL string
	//go:embed postgres/rights.sql
	rightsSQL string
)

// DatabaseChecks are about what is the same for all daemons: Postgres, schema, River.
func DatabaseChecks(pool *pgxpool.Pool) []Check {
	return databaseChecks(&database{pool, theLimits()})
}

func databaseChecks(d *database) []Check {
	ours := func(look func(context.Context) []Finding) func(context.Context) []Finding {
		return func(ctx context.Context) []Finding {
			found := look(ctx)
			for i := range found {
				found[i].Daemon = Database
			}
			return found
		}
	}
	return []Check{
		{Codes: []Code{PostgresVersion, PostgresSettings}, Look: ours(d.settings)},
		{Codes: []Code{PostgresConnections}, Look: ours(d.connections)},
		{Codes: []Code{PostgresTransactions}, Look: ours(d.transactions)},
		{Codes: []Code{PostgresDead}, Look: ours(d.dead)},
		{Codes: []Code{PostgresStatistics}, Look: ours(d.statistics)},
		{Codes: []Code{SchemaVersion}, Look: ours(d.schema)},
		{Codes: []Code{RiverLeader}, Look: ours(d.leader)},
		{Codes: []Code{RiverQueues}, Look: ours(d.queues)},
		{Codes: []Code{RiverStuck}, Look: ours(d.stuck)},
	}
}

// ConnectionChecks are about a daemon's own way to Postgres.
func ConnectionChecks(pool *pgxpool.Pool) []Check {
	d := &database{pool, theLimits()}
	return []Check{
		{Codes: []Code{PostgresReach}, Look: d.reach},
		{Codes: []Code{PostgresRights}, Look: d.rights},
		{Codes: []Code{ClockSkew}, Look: func(ctx context.Context) []Finding { return Clock(ctx, pool, time.Now) }},
	}
}

// ReachCheck is postgres.reach alone.
func ReachCheck(pool *pgxpool.Pool) Check {
	return Check{Codes: []Code{PostgresReach}, Look: (&database{pool, theLimits()}).reach}
}

type database struct {
	pool *pgxpool.Pool
	limits
}

// limits are where a warning begins.
type limits struct {
	slow, old, tooOld, late time.Duration
	connections             float64
	dead, small             int64
}

func theLimits() limits {
	return limits{slowReach, oldTransaction, tooOldTransaction, lateAfter, fullConnections, fewDead, smallTable}
}

// unseen is what a check says that did not get its answer. postgres.reach says more.
func unseen(code Code, err error) []Finding {
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused {
		return []Finding{Wrong(Unknown, code, "", PostgresReach.Mend(), "Postgres was not reached")}
	}
	mend := PostgresReach.Mend()
	if refused, is := errors.AsType[*pgconn.PgError](err); is {
		switch refused.Code {
		case undefinedFunction, undefinedTable, undefinedSchema:
			mend = SchemaVersion.Mend()
		case insufficientPrivilege:
			mend = PostgresRights.Mend()
		}
	}
	return []Finding{Wrong(Unknown, code, "", mend, "could not be read: %s", brief(err))}
}

// Postgres' codes.
const (
	undefinedFunction     = "42883"
	undefinedTable        = "42P01"
	undefinedSchema       = "3F000"
	insufficientPrivilege = "42501"
)

// brief is an error without what a person can do nothing with: pgx's has the whole address,
// which Postgres' URL never reaches by.
func brief(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if refused, ok := errors.AsType[*pgconn.ConnectError](err); ok { // it says the same of each address
		err = errors.Unwrap(refused)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			err = joined.Unwrap()[0]
		}
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	const most = 300
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

func (d *database) reach(ctx context.Context) []Finding {
	cfg := d.pool.Config().ConnConfig
	where := fmt.Sprintf("%s:%d, database %s, role %s", cfg.Host, cfg.Port, cfg.Database, cfg.User)
	q := dbsqlc.New()
	if _, err := q.DatabaseClock(ctx, d.pool); err != nil { // it also opens the connection
		return []Finding{Wrong(Fail, PostgresReach, "", "", "%s: %s", where, brief(err))}
	}
	start := time.Now()
	if _, err := q.DatabaseClock(ctx, d.pool); err != nil {
		return []Finding{Wrong(Fail, PostgresReach, "", "", "%s: %s", where, brief(err))}
	}
	took := time.Since(start)
	told := took.Round(100 * time.Microsecond)
	if took > d.slow {
		return []Finding{Wrong(Warn, PostgresReach, "", "bring daemon and Postgres closer together, or look what is in the way of both",
			"%s: a round trip takes %s", where, told)}
	}
	return []Finding{Well(PostgresReach, "", "%s: a round trip takes %s", where, told)}
}

func (d *database) settings(ctx context.Context) []Finding {
	is, err := dbsqlc.New().DatabaseSettings(ctx, d.pool)
	if err != nil {
		return append(unseen(PostgresVersion, err), unseen(PostgresSettings, err)...)
	}
	return judged(&is)
}

// judged is what a server's settings come to.
func judged(is *dbsqlc.DatabaseSettingsRow) (found []Finding) {
	switch {
	case is.VersionNum < oldestPostgres:
		found = append(found, Wrong(Fail, PostgresVersion, "", "", "PostgreSQL %s", is.Version))
	case is.Standby:
		found = append(found, Wrong(Fail, PostgresVersion, "", "point WEIR_DATABASE_URL at the primary, or promote this one", "PostgreSQL %s, a standby: nothing can be written", is.Version))
	default:
		found = append(found, Well(PostgresVersion, "", "PostgreSQL %s", is.Version))
	}
	var off []string
	for _, setting := range []struct{ name, value string }{
		{"fsync", is.Fsync}, {"full_page_writes", is.FullPageWrites}, {"autovacuum", is.Autovacuum}, {"track_counts", is.TrackCounts},
		{"synchronous_commit", is.SynchronousCommit},
	} {
		if setting.value == "off" {
			off = append(off, setting.name)
		}
	}
	switch {
	case len(off) == 0:
		found = append(found, Well(PostgresSettings, "", "fsync, full_page_writes, autovacuum, track_counts on; synchronous_commit %s", is.SynchronousCommit))
	case off[0] == "fsync":
		found = append(found, Wrong(Fail, PostgresSettings, "", "", "%s off: a crash of the machine may lose the database", strings.Join(off, ", ")))
	default:
		found = append(found, Wrong(Warn, PostgresSettings, "", "in postgresql.conf set "+strings.Join(off, ", ")+" to on, then SELECT pg_reload_conf()", "%s off", strings.Join(off, ", ")))
	}
	return found
}

func (d *database) connections(ctx context.Context) []Finding {
	is, err := dbsqlc.New().DatabaseSettings(ctx, d.pool)
	if err != nil {
		return unseen(PostgresConnections, err)
	}
	var all, ours int64
	if err := d.pool.QueryRow(ctx, connectionsSQL).Scan(&all, &ours); err != nil {
		return unseen(PostgresConnections, err)
	}
	room := int64(is.MaxConnections - is.Reserved)
	if float64(all) >= d.limits.connections*float64(room) {
		return []Finding{Wrong(Warn, PostgresConnections, "", "", "%d of %d are taken, %d by Weir", all, room, ours)}
	}
	return []Finding{Well(PostgresConnections, "", "%d of %d are taken, %d by Weir", all, room, ours)}
}

// catalog reads the rows of one of the statements above.
func catalog[T any](ctx context.Context, d *database, statement string) ([]T, error) {
	rows, err := d.pool.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}

func (d *database) transactions(ctx context.Context) []Finding {
	type transaction struct {
		PID                      int32
		Role, Application, State string
		Seconds                  float64
	}
	list, err := catalog[transaction](ctx, d, transactionsSQL)
	if err != nil {
		return unseen(PostgresTransactions, err)
	}
	var prepared int64
	var age float64
	if err := d.pool.QueryRow(ctx, preparedSQL).Scan(&prepared, &age); err != nil {
		return unseen(PostgresTransactions, err)
	}
	if prepared > 0 && seconds(age) > d.old {
		return []Finding{Wrong(Fail, PostgresTransactions, "", "SELECT gid FROM pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED of each",
			"%d prepared, the oldest for %s: Weir prepares none", prepared, since(age))}
	}
	var owner string
	var seen bool
	if err := d.pool.QueryRow(ctx, sightSQL).Scan(&owner, &seen); err != nil {
		return unseen(PostgresTransactions, err)
	}
	blind := Wrong(Unknown, PostgresTransactions, "", "as a superuser: GRANT pg_read_all_stats TO "+pgx.Identifier{owner}.Sanitize(),
		"role %s, which owns the schema, sees no transactions of other roles, and none of its own that is old", owner)
	if len(list) == 0 && !seen {
		return []Finding{blind}
	}
	if len(list) == 0 {
		return []Finding{Well(PostgresTransactions, "", "none is open but this one")}
	}
	oldest := list[0]
	text := fmt.Sprintf("the oldest is open for %s: pid %d, role %s, %q, %s", since(oldest.Seconds), oldest.PID, oldest.Role, oldest.Application, oldest.State)
	mend := fmt.Sprintf("end it: SELECT pg_terminate_backend(%d)", oldest.PID)
	switch age := seconds(oldest.Seconds); {
	case age > d.tooOld:
		return []Finding{Wrong(Fail, PostgresTransactions, "", mend, "%s", text)}
	case age > d.old:
		return []Finding{Wrong(Warn, PostgresTransactions, "", mend, "%s", text)}
	case !seen:
		return []Finding{blind}
	}
	return []Finding{Well(PostgresTransactions, "", "%s", text)}
}

func (d *database) dead(ctx context.Context) []Finding {
	type table struct {
		Name                 string
		Live, Dead           int64
		AutovacuumAt, HandAt *time.Time
		Bytes                int64
	}
	list, err := catalog[table](ctx, d, deadSQL)
	if err != nil {
		return unseen(PostgresDead, err)
	}
	if len(list) == 0 {
		return []Finding{Wrong(Unknown, PostgresDead, "", SchemaVersion.Mend(), "there are no tables of Weir")}
	}
	worst := list[0]
	if worst.Dead > d.limits.dead && float64(worst.Dead) > manyDead*float64(worst.Live) {
		return []Finding{Wrong(Warn, PostgresDead, "", "VACUUM (ANALYZE) weir."+worst.Name, "%s has %d dead rows beside %d, in %d MiB", worst.Name, worst.Dead, worst.Live, worst.Bytes>>20)}
	}
	return []Finding{Well(PostgresDead, "", "most has %s: %d beside %d", worst.Name, worst.Dead, worst.Live)}
}

func (d *database) statistics(ctx context.Context) []Finding {
	type table struct {
		Name  string
		Bytes int64
	}
	unknown, err := catalog[table](ctx, d, statisticsSQL)
	if err != nil {
		return unseen(PostgresStatistics, err)
	}
	if len(unknown) > 0 && unknown[0].Bytes > d.small {
		return []Finding{Wrong(Warn, PostgresStatistics, "", "", "%s has %d MiB and no statistics, as behind a restore: statements may read all of it", unknown[0].Name, unknown[0].Bytes>>20)}
	}
	return []Finding{Well(PostgresStatistics, "", "no large table is without them")}
}

func (d *database) rights(ctx context.Context) []Finding {
	lacks, err := catalog[right](ctx, d, rightsSQL)
	if err != nil {
		return unseen(PostgresRights, err)
	}
	return []Finding{rightsOf(d.pool.Config().ConnConfig.User, lacks)}
}

// right is one that a role lacks.
type right struct{ Table, Privilege string }

func rightsOf(role string, lacks []right) Finding {
	if len(lacks) > 0 {
		return Wrong(Fail, PostgresRights, "", "", "role %s may not %s weir.%s, and %d more", role, lacks[0].Privilege, lacks[0].Table, len(lacks)-1)
	}
	return Well(PostgresRights, "", "role %s may do all that a daemon does", role)
}

func (d *database) schema(ctx context.Context) []Finding {
	err := db.CheckSchema(ctx, d.pool)
	status, statusErr := db.Status(ctx, d.pool)
	switch {
	case err == nil && statusErr == nil:
		return []Finding{Well(SchemaVersion, "", "version %d; this program was made for %d", status.Version, status.Latest)}
	case errors.Is(err, db.ErrSchemaTooNew):
		return []Finding{Wrong(Fail, SchemaVersion, "", "install the Weir that the schema was migrated by", "%s", brief(err))}
	case errors.Is(err, db.ErrSchemaDirty):
		return []Finding{Wrong(Fail, SchemaVersion, "", "mend it by hand, set weir.schema_migrations.dirty to false, run `weir-admin db migrate`", "%s", brief(err))}
	case errors.Is(err, db.ErrSchemaTooOld):
		return []Finding{Wrong(Fail, SchemaVersion, "", "", "%s", brief(err))}
	case errors.Is(err, db.ErrSchemaMigrating):
		return []Finding{Wrong(Warn, SchemaVersion, "", "wait for the migrator", "%s", brief(err))}
	}
	return unseen(SchemaVersion, errors.Join(err, statusErr))
}

// skewed clocks are told of from a second on, which is far above what NTP leaves; from 5 s
// on a signature for S3 and a lease are still good, but what people compare is not.
const (
	skewWarn = time.Second
	skewFail = 30 * time.Second
)

// Clock compares a machine's clock with the database's, by which all rows are dated.
func Clock(ctx context.Context, pool *pgxpool.Pool, now func() time.Time) []Finding {
	q := dbsqlc.New()
	if _, err := q.DatabaseClock(ctx, pool); err != nil { // opens a connection
		return unseen(ClockSkew, err)
	}
	before := now()
	there, err := q.DatabaseClock(ctx, pool)
	after := now()
	if err != nil {
		return unseen(ClockSkew, err)
	}
	// The answer was made somewhere between: more than that is no skew for sure.
	var skew time.Duration
	switch {
	case there.Before(before):
		skew = before.Sub(there)
	case there.After(after):
		skew = there.Sub(after)
	}
	word := "ahead of"
	if there.After(after) {
		word = "behind"
	}
	switch rounded := skew.Round(time.Millisecond); {
	case skew >= skewFail:
		return []Finding{Wrong(Fail, ClockSkew, "", "", "this machine is %s %s the database: S3 refuses signatures from 15 minutes on", rounded, word)}
	case skew >= skewWarn:
		return []Finding{Wrong(Warn, ClockSkew, "", "", "this machine is %s %s the database", rounded, word)}
	case skew == 0:
		return []Finding{Well(ClockSkew, "", "none that can be measured: an answer takes %s", after.Sub(before).Round(10*time.Microsecond))}
	default:
		return []Finding{Well(ClockSkew, "", "this machine is %s %s the database", rounded, word)}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// since is a length of time for people.
func since(s float64) string { return seconds(s).Round(time.Second).String() }
