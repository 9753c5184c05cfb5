package db_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbtest"
)

// UUIDs and JSON come and go as they are, alone, in lists and where there is none.
func TestTypes(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	id, other := uuid.New(), uuid.New()
	var (
		one, text string
		back      uuid.UUID
		list      []uuid.UUID
		some      *uuid.UUID
		none      *uuid.UUID
		raw       json.RawMessage
		null      json.RawMessage
		missing   json.RawMessage
		parsed    struct{ A int }
	)
	require.NoError(t, pool.QueryRow(t.Context(),
		`SELECT $1::uuid::text, $2::jsonb::text, $1::uuid, $3::uuid[], $1::uuid, $4::uuid, $2::jsonb, 'null'::jsonb, NULL::jsonb, $2::json`,
		id, json.RawMessage(`{"a": 1}`), []uuid.UUID{id, other}, none,
	).Scan(&one, &text, &back, &list, &some, &none, &raw, &null, &missing, &parsed))
	require.Equal(t, id.String(), one)
	require.JSONEq(t, `{"a": 1}`, text)
	require.Equal(t, id, back)
	require.Equal(t, []uuid.UUID{id, other}, list)
	require.Equal(t, &id, some)
	require.Nil(t, none)
	require.Equal(t, `{"a": 1}`, string(raw))
	require.Equal(t, "null", string(null))
	require.Nil(t, missing)
	require.Equal(t, 1, parsed.A)
}

// A row that is read later does not change JSON that was kept.
func TestKeptJSONStays(t *testing.T) {
	t.Parallel()
	rows, err := dbtest.New(t).Query(t.Context(), `SELECT jsonb_build_object('n', n) FROM generate_series(1, 100) n`)
	require.NoError(t, err)
	defer rows.Close()
	var kept []json.RawMessage
	for rows.Next() {
		var raw json.RawMessage
		require.NoError(t, rows.Scan(&raw))
		kept = append(kept, raw)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, `{"n": 1}`, string(kept[0]))
	require.Equal(t, `{"n": 100}`, string(kept[99]))
}
