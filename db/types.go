package db

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// types has a connection read and write what most rows have as it comes. By itself pgx makes a
// text of each UUID and reads that, and parses JSON that only is to be kept.
func types(_ context.Context, conn *pgx.Conn) error {
	m := conn.TypeMap()
	pgxuuid.Register(m)
	m.RegisterType(&pgtype.Type{Name: "json", OID: pgtype.JSONOID, Codec: &pgtype.JSONCodec{Marshal: json.Marshal, Unmarshal: keepJSON}})
	m.RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{Marshal: json.Marshal, Unmarshal: keepJSON}})
	return nil
}

// keepJSON is json.Unmarshal, but a json.RawMessage is not parsed again: Postgres has.
func keepJSON(data []byte, v any) error {
	if raw, is := v.(*json.RawMessage); is {
		*raw = slices.Clone(data)
		return nil
	}
	return json.Unmarshal(data, v)
}
