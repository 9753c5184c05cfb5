package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMetadataAndLabels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const metadata = `{"asset":{"id":12345678901234567890,"tags":["ü","\u2028",null,true,1.50]},"at":"https://example.com/a?b=c"}`
	post := func(externalID string, labels object) uuid.UUID {
		t.Helper()
		body := submission()
		body["external_id"], body["labels"] = externalID, labels
		body["metadata"] = object{"asset": object{"id": rawNumber("12345678901234567890"), "tags": []any{"ü", "\u2028", nil, true, rawNumber("1.50")}}, "at": "https://example.com/a?b=c"}
		return b.submit(t, body).ID
	}
	first := post("one", object{"customer": "acme", "env": "prod"})
	second := post("two", object{"customer": "acme", "env": "test: staging"})
	b.submit(t, submission())
	shown := b.do(t, studio, http.MethodGet, "/v1/transcodes/"+first.String(), nil)
	got := shown.transcode(t)
	require.Equal(t, map[string]string{"customer": "acme", "env": "prod"}, got.Labels)
	require.JSONEq(t, metadata, jsonOf(t, got.Metadata))
	require.Contains(t, shown.text, "12345678901234567890", "numbers stay exact")
	require.Contains(t, shown.text, "1.50")

	for _, test := range []struct {
		token, query string
		want         []uuid.UUID
	}{
		{studio, "label=customer:acme", []uuid.UUID{second, first}},
		{studio, "label=customer:acme&label=env:prod", []uuid.UUID{first}},
		{studio, "label=env:test:+staging", []uuid.UUID{second}},
		{studio, "label=env:prod&label=env:test", nil},
		{studio, "label=customer:acme&state=failed", nil},
		{studio, "label=customer:acme&external_id=two", []uuid.UUID{second}},
		{studio, "label=customer:nobody", nil},
		{other, "label=customer:acme", nil},
		{operator, "label=customer:acme&tenant=studio", []uuid.UUID{second, first}},
	} {
		query, err := url.ParseQuery(test.query)
		require.NoError(t, err)
		var ids []uuid.UUID
		for query.Set("limit", "1"); ; { // a page each
			page := b.list(t, test.token, query)
			for _, item := range page.Items {
				ids = append(ids, item.ID)
			}
			if page.Next == "" {
				break
			}
			query.Set("page", page.Next)
		}
		require.Equal(t, test.want, ids, test.query)
	}
	for token, query := range map[string]string{studio: "label=customer", operator: "label=customer:acme"} {
		p := b.do(t, token, http.MethodGet, "/v1/transcodes?"+query, nil).problem(t, http.StatusUnprocessableEntity)
		require.Equal(t, []string{"query.label"}, p.locations())
	}
	b.do(t, studio, http.MethodGet, "/v1/transcodes?"+strings.Repeat("label=a:b&", 17), nil).problem(t, http.StatusUnprocessableEntity)
}

// What is bounded, and what can't be kept or shown, is refused by its field; what looks
// like credentials is not repeated.
func TestMetadataRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := func(n int) object {
		o := object{}
		for i := range n {
			o["k"+strings.Repeat("x", i)] = "v"
		}
		return o
	}
	deep := object{"a": object{"b": object{"c": object{"d": 1}}}}
	for _, test := range []struct {
		name, field string
		value       any
		at, says    string
	}{
		{"no object", "metadata", []any{1}, "body.metadata", "object"},
		{"too long", "metadata", object{"a": strings.Repeat("x", 4090)}, "body.metadata", "4096"},
		{"too deep", "metadata", object{"0": deep}, "body.metadata", "4 levels"},
		{"too deep lists", "metadata", object{"a": []any{[]any{[]any{[]any{1}}}}}, "body.metadata", "4 levels"},
		{"too many keys", "metadata", object{"a": many(40), "b": many(40)}, "body.metadata", "64 keys"},
		{"a zero byte", "metadata", object{"a": []any{"b\x00"}}, "body.metadata", "zero"},
		{"a zero byte in a key", "metadata", object{"a\x00": 1}, "body.metadata", "zero"},
		{"a number too large", "metadata", object{"a": rawNumber("1e999")}, "body.metadata", "too large"},
		{"a number too near to 0", "metadata", object{"a": rawNumber("1e-99999")}, "body.metadata", "near to 0"},
		{"numbers too long when they are written out", "metadata", object{"a": slices.Repeat([]any{rawNumber("1e20")}, 200)}, "body.metadata", "4096"},
		{"credentials", "metadata", object{"a": []any{object{"b": "see s3+https://KEY:PLANTED@h/b"}}}, "body.metadata", "credentials"},
		{"a token in a URL", "metadata", object{"a": "https://PLANTED@h/"}, "body.metadata", "credentials"},
		{"a presigned URL", "metadata", object{"a": "https://h/x?X-Amz-Signature=PLANTED"}, "body.metadata", "credentials"},
		{"credentials in a key", "metadata", object{"s3+https://KEY:PLANTED@h/b": 1}, "body.metadata", "credentials"},
		{"labels no object", "labels", "a:b", "body.labels", "object"},
		{"too many labels", "labels", many(17), "body.labels", "at most 16"},
		{"label no string", "labels", object{"a": 1}, "body.labels.a", "string"},
		{"label null", "labels", object{"a": nil}, "body.labels.a", "string"},
		{"label empty", "labels", object{"a": ""}, "body.labels.a", "empty"},
		{"label too long", "labels", object{"a": strings.Repeat("x", 129)}, "body.labels.a", "128"},
		{"label with a line end", "labels", object{"a": "b\n"}, "body.labels.a", "control"},
		{"key with a colon", "labels", object{"a:b": "c"}, "body.labels", "letters"},
		{"key too long", "labels", object{strings.Repeat("x", 65): "c"}, "body.labels", "letters"},
		{"key with a dot first", "labels", object{".a": "c"}, "body.labels", "letters"},
		{"label with credentials", "labels", object{"a": "http://u:PLANTED@h"}, "body.labels.a", "credentials"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := submission()
			body[test.field] = test.value
			a := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
			p := a.problem(t, http.StatusUnprocessableEntity)
			require.Equal(t, []string{test.at}, p.locations())
			require.Contains(t, p.Errors[0].Message, test.says)
			require.NotContains(t, a.text, planted)
		})
	}
	// What is at the limits is taken.
	body := submission()
	body["metadata"] = object{"a": object{"b": object{"c": []any{0, rawNumber("0.00e5"), rawNumber("1e308")}}}, "long": strings.Repeat("x", 3500), "": "", "mail": "a@b.example, http://h/?at=c@d"}
	body["labels"] = many(16)
	require.Len(t, b.submit(t, body).Labels, 16)
}

// rawNumber is a number as it stands in JSON.
func rawNumber(text string) json.Number { return json.Number(text) }

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
