package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/jobs/support"
)

// unpack reads a bundle: its files, by name.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	require.NoError(t, err)
	files, reader := map[string]string{}, tar.NewReader(packed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		text, err := io.ReadAll(reader)
		require.NoError(t, err)
		files[strings.TrimPrefix(header.Name, "weir-support/")] = string(text)
	}
}

// history fills tables that fail leaves empty.
func (b *bundle) history(t *testing.T) {
	t.Helper()
	id := b.accept(t, "studio", "r-1")
	b.fail(t, id)
	b.exec(t, `INSERT INTO weir.stores (tenant, name, endpoint, region, path_style, keys_sealed, allowed, may_read, may_write, set_by) VALUES ('studio', 'media', 'https://s3.example', '', true, 'x', '{b}', true, true, 'maya')`)
	b.exec(t, `INSERT INTO weir.tenants (name, hosts, paused_at, paused_by, pause_reason) VALUES ('studio', '{mist-1}', now(), 'maya', 'why')`)
	b.exec(t, `INSERT INTO weir.callback_secrets (id, tenant, place, sealed) VALUES (gen_random_uuid(), 'studio', 1, 'x')`)
	b.exec(t, `INSERT INTO weir.inbox (id, tenant, external_id, body, digest, job_id) VALUES (gen_random_uuid(), 'studio', 'e', '{"a": "b"}', 'x', 1)`)
	b.exec(t, `INSERT INTO weir.speakers (role, tenant) VALUES ('r', 'studio')`)
	b.exec(t, `INSERT INTO weir.outputs (transcode_id, ordinal, type, url, sealed, error_detail) VALUES ($1, 0, 'hls', 's3://b/o', 'x', 'd')`, id)
	b.exec(t, `INSERT INTO weir.findings (daemon, code, subject, verdict, evidence, mend, took_ms) VALUES ('mist-1', 'mist.api', 's', 'fail', 'refused', 'start it', 1)`)
	b.exec(t, `INSERT INTO weir.leads (client_id, lease_until) VALUES ('c', now())`)
	b.exec(t, `INSERT INTO weir.river_leader (leader_id, elected_at, expires_at) VALUES ('c', now(), now())`)
	b.exec(t, `INSERT INTO weir.river_queue (name) VALUES ('q')`)
	b.exec(t, `INSERT INTO weir.transcode_labels (transcode_id, tenant, key, value, created_at) VALUES ($1, 'studio', 'k', 'v', now())`, id)
	b.exec(t, `INSERT INTO weir.event_deliveries (event_id, transcode_id, tenant, receiver, last_error) SELECT id, transcode_id, tenant, 'r', 'e' FROM weir.events ORDER BY id LIMIT 1`)
	b.exec(t, `INSERT INTO weir.event_delivery_attempts (delivery_id, number, latency_ms, answer) SELECT id, 1, 1, 'a' FROM weir.event_deliveries`)
	b.exec(t, `UPDATE weir.placement SET paused_at = now(), paused_by = 'maya', pause_reason = 'why'`)
	b.exec(t, `UPDATE weir.river_job SET state = 'retryable', errors = ARRAY['{"at": "now", "error": "e", "attempt": 1, "trace": "t"}'::jsonb], attempted_by = '{x}'`)
}

// planted is a secret in each of the forms in which one may come.
const (
	planted     = "PLANTED0secret1"
	plantedText = "post https://user:" + planted + "@h.example/p?X-Amz-Signature=" + planted + " s3+https://AKIA" + planted + ":" + planted + "@s3.example/b#" + planted +
		" Authorization: Bearer " + planted + " password=" + planted + ` "token": "` + planted + `" eyJ` + planted + ".eyJ" + planted + "." + planted
)

// plant writes it into every column of every table that takes it, and says which did.
func (b *bundle) plant(t *testing.T) map[string]bool {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT c.table_name::text, c.column_name::text, c.udt_name::text FROM information_schema.columns c
		JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE c.table_schema = 'weir' AND t.table_type = 'BASE TABLE' AND c.udt_name IN ('text', 'varchar', 'jsonb', 'bytea', '_text', '_varchar', '_jsonb') AND c.is_generated = 'NEVER'
		ORDER BY 1, 2`)
	require.NoError(t, err)
	type column struct{ Table, Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	require.NoError(t, err)
	object := fmt.Sprintf(`{"url": %q, "secret": %q, "deep": [{"access_key": %q}]}`, plantedText, planted, planted)
	values := map[string]string{
		"text": "$1::text", "varchar": "$1::text", "bytea": "convert_to($1, 'UTF8')", "_text": "ARRAY[$1::text]", "_varchar": "ARRAY[left($1, 250)]",
		"jsonb": "$1::jsonb", "_jsonb": "ARRAY[$1::jsonb]",
	}
	took := map[string]bool{}
	conn, err := b.pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET session_replication_role = replica")
	require.NoError(t, err)
	for _, c := range columns {
		value := plantedText
		if strings.HasSuffix(c.Type, "jsonb") {
			value = object
		}
		tag, err := conn.Exec(t.Context(), fmt.Sprintf("UPDATE weir.%s SET %s = %s", c.Table, pgx.Identifier{c.Name}.Sanitize(), values[c.Type]), value)
		took[c.Table+"."+c.Name] = err == nil && tag.RowsAffected() > 0
	}
	return took
}

// Whatever column a secret is in, and however it came there: it is not in the bundle.
func TestSupportBundleHoldsNoSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.history(t)
	took := b.plant(t)
	for _, column := range []string{
		"transcodes.source_url", "transcodes.output_url", "transcodes.callback_url", "transcodes.source_sealed", "transcodes.callback_secret_sealed",
		"transcodes.request", "transcodes.metadata", "transcodes.error_message", "attempts.error_detail", "renditions.object_url", "outputs.url", "outputs.sealed",
		"mist_events.headers", "mist_events.payload", "mist_events.note", "callbacks.url", "callbacks.body", "callbacks.last_error", "callback_attempts.answer",
		"callback_attempts.error", "callback_secrets.sealed", "stores.keys_sealed", "stores.endpoint", "stores.allowed", "inbox.body", "river_job.args", "river_job.errors",
		"river_job.metadata", "findings.evidence", "findings.mend", "tenants.pause_reason", "hosts.drain_reason", "event_delivery_attempts.answer", "placement.pause_reason",
	} {
		require.True(t, took[column], "%s took no secret", column)
	}
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	var made bundleMade
	b.decode(t, &made, "support-bundle", "--yes", "--out", file)
	files := unpack(t, file)
	rows := 0
	for name, text := range files {
		require.NotContains(t, text, "PLANTED", name)
		rows += strings.Count(text, "\n")
	}
	require.Contains(t, files["stores.jsonl"], support.Gone)
	require.Contains(t, files["transcodes.jsonl"], "https://"+support.Gone+"@h.example/p?"+support.Gone)
	for _, part := range []string{"transcodes", "attempts", "renditions", "outputs", "callbacks", "callback_attempts", "triggers", "stores", "river_errors", "findings"} {
		require.NotEmpty(t, files[part+".jsonl"], part)
	}
	require.Greater(t, rows, 20)
}

func TestSupportBundle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.history(t)
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	asks := func(answer string) result { return b.answers(t, answer, "support-bundle", "--out", file) }
	r := b.run(t, "support-bundle", "--out", file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "give --yes")
	require.NoFileExists(t, file)
	r = asks("n\n")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "write "+file+". Is that meant? [y/N] ")
	require.Contains(t, r.stderr, "nothing was done")
	for _, part := range support.Parts() {
		require.Contains(t, r.stdout, part.What, "what it takes is said before")
	}
	require.NoFileExists(t, file)
	r = asks("y\n")
	require.Equal(t, exitOK, r.code, r.stderr)
	files := unpack(t, file)
	var manifest struct {
		Parts []support.Part `json:"parts"`
	}
	require.NoError(t, json.Unmarshal([]byte(files["manifest.json"]), &manifest))
	require.Len(t, manifest.Parts, len(support.Parts()))
	for _, part := range manifest.Parts {
		require.Empty(t, part.Cut, part.Name)
		require.Equal(t, part.Rows, strings.Count(files[part.Name+".jsonl"], "\n"), part.Name)
	}
	require.Contains(t, files["transcodes.jsonl"], `"error_code":"push_failed"`)
	require.NotContains(t, files["transcodes.jsonl"], "hush")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	r = b.run(t, "support-bundle", "--yes", "--out", file)
	require.Equal(t, exitFailed, r.code, "it writes over nothing")
	for _, wrong := range [][]string{{"--since", "1s"}, {"--since", "9000h"}, {"--json"}, {"more"}} {
		require.Equal(t, exitUsage, b.run(t, append([]string{"support-bundle"}, wrong...)...).code, wrong)
	}
}

// A table that somebody holds costs a second, and is told of; the rest is there.
func TestSupportBundleUnderALock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, "studio", uuid.NewString())
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "LOCK TABLE weir.mist_events")
	require.NoError(t, err)
	var made bundleMade
	b.decode(t, &made, "support-bundle", "--yes", "--out", filepath.Join(t.TempDir(), "bundle.tar.gz"))
	for _, part := range made.Parts {
		if part.Name == "triggers" {
			require.Contains(t, part.Cut, "lock timeout")
		} else {
			require.Empty(t, part.Cut, part.Name)
		}
	}
}
