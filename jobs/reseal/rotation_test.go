package reseal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// notSealed are the columns of bytes that hold no sealed value.
var notSealed = []string{
	"mist_events.payload",             // scrubbed when it came
	"enqueued.digest", "inbox.digest", // of what its caller knows: docs/sql.md
	"transcodes.request_digest",  // keyed, and can't be computed again: docs/security.md
	"river_job.unique_key",       // River's
	"web_sessions.id_hash",       // of what the browser has
	"web_sessions.setting",       // a hash of the user that WEIR_WEB_USERS has
	"river_job.unique_states",    // River's
	"river_migration.unique_key", // River's
}

// No sealed column is forgotten.
func TestEverySealedColumn(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows, err := pool.Query(t.Context(), `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_schema = 'weir' AND (data_type = 'bytea' OR udt_name = '_bytea' OR column_name LIKE '%sealed%') ORDER BY 1`)
	require.NoError(t, err)
	inSchema, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var known []string
	for _, column := range Columns() {
		known = append(known, column.Table+"."+column.Name)
		require.Contains(t, inSchema, column.Table+"."+column.Name)
	}
	for _, column := range inSchema {
		require.Contains(t, append(known, notSealed...), column, "a new column of bytes: is it sealed? then it belongs into Columns")
	}
}

func sealer(t *testing.T, keys ...secret.Key) *secret.Sealer {
	t.Helper()
	s, err := secret.NewSealer(keys...)
	require.NoError(t, err)
	return s
}

var oldKey, newKey, otherKey = secret.Key{1}, secret.Key{2}, secret.Key{3}

// accept makes a transcode whose values are sealed by s.
func accept(t *testing.T, pool *pgxpool.Pool, s *secret.Sealer, name string) uuid.UUID {
	t.Helper()
	inserter, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	ts := &jobs.Transcodes{DB: pool, River: inserter, Sealer: s}
	request := jobstest.MakeRequest(name, "a")
	request.Livepeer = &jobs.Livepeer{AccessToken: "token of " + name}
	accepted, _, err := ts.Accept(t.Context(), request)
	require.NoError(t, err)
	return accepted.ID
}

// opened is how many sealed values of transcodes s can open for their rows.
func opened(t *testing.T, pool *pgxpool.Pool, s *secret.Sealer) (good, all int) {
	t.Helper()
	for _, column := range Columns() {
		if column.Table != "transcodes" {
			continue
		}
		rows, err := pool.Query(t.Context(), fmt.Sprintf("SELECT id::text, %s FROM weir.transcodes WHERE %[1]s IS NOT NULL", column.Name))
		require.NoError(t, err)
		var id string
		var value []byte
		_, err = pgx.ForEachRow(rows, []any{&id, &value}, func() error {
			all++
			if _, err := s.Open(value, column.Context([]string{id})); err == nil {
				good++
			}
			return nil
		})
		require.NoError(t, err)
	}
	return good, all
}

func TestRotation(t *testing.T) {
	t.Parallel()
	const many, columns = 300, 4 // rows of more than one page
	pool := dbtest.New(t)
	former, newest := sealer(t, oldKey), sealer(t, newKey)
	for i := range many {
		accept(t, pool, former, fmt.Sprint("old-", i))
	}
	accept(t, pool, newest, "new")
	foreign := accept(t, pool, sealer(t, otherKey), "foreign")
	r := &Rotation{DB: pool, Sealer: sealer(t, newKey, oldKey)}
	left := func(states []State) (left, unreadable, resealed int64) {
		for _, s := range states {
			left, unreadable, resealed = left+s.Left, unreadable+s.Unreadable, resealed+s.Resealed
		}
		return left, unreadable, resealed
	}
	states, err := r.Count(t.Context())
	require.NoError(t, err)
	toDo, unreadable, _ := left(states)
	require.EqualValues(t, columns*(many+1), toDo)
	require.EqualValues(t, columns, unreadable)

	told := int64(0)
	refused := errors.New("not now")
	_, err = r.Run(t.Context(), func([]State) error { return refused }, func(State) { require.Fail(t, "nothing may be done") })
	require.ErrorIs(t, err, refused)
	states, err = r.Run(t.Context(), func(counted []State) error {
		all, unreadable, _ := left(counted)
		require.EqualValues(t, columns*(many+1), all)
		require.EqualValues(t, columns, unreadable)
		return nil
	}, func(s State) {
		require.GreaterOrEqual(t, s.Left, int64(0))
		told = max(told, s.Left)
	})
	require.NoError(t, err)
	require.Positive(t, told, "it tells how many are left on its way")
	stayed, unreadable, resealed := left(states)
	require.EqualValues(t, columns, stayed)
	require.EqualValues(t, columns, unreadable)
	require.EqualValues(t, columns*many, resealed)
	good, all := opened(t, pool, newest)
	require.Equal(t, columns*(many+2), all)
	require.Equal(t, columns*(many+1), good, "the newest key alone opens all but what nobody could")

	// With its key the last one goes too, and once more there is nothing to do.
	r.Sealer = sealer(t, newKey, otherKey)
	for _, want := range []int64{columns, 0} {
		begun := false
		states, err = r.Run(t.Context(), func([]State) error { begun = true; return nil }, func(State) {})
		require.NoError(t, err)
		stayed, _, resealed = left(states)
		require.Zero(t, stayed)
		require.Equal(t, want, resealed)
		require.Equal(t, want > 0, begun)
	}
	require.NotEqual(t, uuid.Nil, foreign)
}

// begins has nothing against it.
func begins([]State) error { return nil }

// Values that daemons write, and rows that they change, meanwhile are neither lost nor
// overwritten, and what is stopped goes on.
func TestRotationBesideDaemons(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	former, both := sealer(t, oldKey), sealer(t, newKey, oldKey)
	var first uuid.UUID
	for i := range 50 {
		id := accept(t, pool, former, fmt.Sprint("r-", i))
		if i == 0 {
			first = id
		}
	}
	const url = "s3://elsewhere/changed"
	changed := false
	r := &Rotation{DB: pool, Sealer: both}
	err := r.pass(t.Context(), Columns()[0], func(*dbsqlc.SealedPageRow) error {
		if !changed {
			changed = true
			_, err := pool.Exec(t.Context(), "UPDATE weir.transcodes SET source_sealed = $2 WHERE id = $1",
				first, both.Seal([]byte(url), jobs.SealedSource.Context(first.String())))
			return err
		}
		return nil
	}, nil)
	require.NoError(t, err)
	states, err := r.Run(t.Context(), begins, func(State) {
		_, err := pool.Exec(t.Context(), "UPDATE weir.transcodes SET ratio = ratio WHERE id = $1", first)
		require.NoError(t, err)
	})
	require.NoError(t, err)
	for _, s := range states {
		require.Zero(t, s.Left, s.Column.Name)
	}
	good, all := opened(t, pool, sealer(t, newKey))
	require.Equal(t, all, good)
	var value []byte
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT source_sealed FROM weir.transcodes WHERE id = $1", first).Scan(&value))
	text, err := jobs.SealedSource.Open(both, first, value)
	require.NoError(t, err)
	require.Equal(t, url, text)

	// A value that was read and changed since stays as it was changed.
	var place string
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT ctid::text FROM weir.transcodes WHERE id = $1", first).Scan(&place))
	var replaced bool
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT weir.sealed_replace('transcodes', 'source_sealed', $1, 'former', 'value')", place).Scan(&replaced))
	require.False(t, replaced)
}

// The place of an output opens for its own row, also when it was sealed anew.
func TestRotationOfOutputs(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	inserter, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	ts := &jobs.Transcodes{DB: pool, River: inserter, Sealer: sealer(t, oldKey)}
	request := jobstest.MakeRequest("", "a")
	for _, kind := range []string{jobs.OutputHLS, jobs.OutputMP4} {
		request.Outputs = append(request.Outputs, jobs.Output{Type: kind, URL: "s3://b/" + kind, Shown: "s3://b/" + kind})
	}
	accepted, _, err := ts.Accept(t.Context(), request)
	require.NoError(t, err)
	_, err = (&Rotation{DB: pool, Sealer: sealer(t, newKey, oldKey)}).Run(t.Context(), begins, func(State) {})
	require.NoError(t, err)
	rows, err := dbsqlc.New().OutputList(t.Context(), pool, accepted.ID)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for _, o := range rows {
		url, err := jobs.SealedOutputOf(o.Ordinal).Open(sealer(t, newKey), accepted.ID, o.Sealed)
		require.NoError(t, err)
		require.Equal(t, "s3://b/"+o.Type, url)
	}
}
