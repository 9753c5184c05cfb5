package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"weir/db"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/secret"
)

// asProgram makes the test's binary be weir-admin, for tests that need a process.
const asProgram = "WEIR_TEST_ADMIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

type bundle struct {
	url  string
	pool *pgxpool.Pool
	jobs *jobs.Transcodes
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{url: dbtest.URL(t)}
	var err error
	b.pool, err = db.Open(t.Context(), b.url, 4)
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	inserter, err := jobs.NewInserter(b.pool)
	require.NoError(t, err)
	sealer, err := secret.NewSealer(secret.Key{1})
	require.NoError(t, err)
	b.jobs = &jobs.Transcodes{DB: b.pool, River: inserter, Sealer: sealer}
	return b
}

// result is what a command came to.
type result struct {
	code           int
	stdout, stderr string
}

func command(ctx context.Context, environ []string, args ...string) result {
	return commandWith(ctx, strings.NewReader(""), environ, args...)
}

func commandWith(ctx context.Context, stdin io.Reader, environ []string, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr, environ)
	return result{code, stdout.String(), stderr.String()}
}

func (b *bundle) run(t *testing.T, args ...string) result {
	t.Helper()
	return command(t.Context(), []string{databaseEnv + "=" + b.url}, args...)
}

// answers runs a command on a terminal where somebody types.
func (b *bundle) answers(t *testing.T, typed string, args ...string) result {
	t.Helper()
	return commandWith(t.Context(), keyboard(t, typed), []string{databaseEnv + "=" + b.url, "USER=ann"}, args...)
}

// keyboard is a terminal with these keys pressed.
func keyboard(t *testing.T, typed string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, master.Close()) })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)) // it may be opened
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, terminal.Close()) })
	_, err = master.WriteString(typed)
	require.NoError(t, err)
	return terminal
}

// ok runs a command that has to go well.
func (b *bundle) ok(t *testing.T, args ...string) string {
	t.Helper()
	r := b.run(t, args...)
	require.Equal(t, exitOK, r.code, r.stderr)
	require.Empty(t, r.stderr)
	return r.stdout
}

// decode runs a command with --json and reads it strictly into v.
func (b *bundle) decode(t *testing.T, v any, args ...string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(b.ok(t, append(args, "--json")...)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(v))
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (b *bundle) accept(t *testing.T, tenant, externalID string) uuid.UUID {
	t.Helper()
	accepted, _, err := b.jobs.Accept(t.Context(), &jobs.Request{
		Tenant: tenant, ExternalID: externalID, Form: jobs.FormV1,
		SourceURL: "s3://media/in.mp4", OutputURL: "s3://media/out", CallbackURL: "https://u:hush@studio.example/hook",
		SourceShown: "s3://media/in.mp4", OutputShown: "s3://media/out", CallbackShown: "https://studio.example/hook",
		Profiles: []jobs.Profile{{Name: "720p", Width: 1280, Height: 720, Bitrate: 3_000_000}, {Name: "360p", Width: 640, Height: 360, Bitrate: 800_000}},
		Shown:    json.RawMessage(`{}`), Body: []byte(externalID),
	})
	require.NoError(t, err)
	return accepted.ID
}

// fail takes a transcode through an attempt that stored one rendition and failed.
func (b *bundle) fail(t *testing.T, id uuid.UUID) (callback uuid.UUID) {
	t.Helper()
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, mist_version, weir_version)
		VALUES ('mist-1', gen_random_uuid(), 4, now() + interval '1 minute', '3.10', 'test') ON CONFLICT DO NOTHING`)
	b.exec(t, `UPDATE weir.transcodes SET state = 'placed', host_id = 'mist-1', attempt = 1, placed_at = now() WHERE id = $1`, id)
	b.exec(t, `INSERT INTO weir.attempts (transcode_id, number, host_id) VALUES ($1, 1, 'mist-1')`, id)
	b.exec(t, `UPDATE weir.transcodes SET state = 'running', started_at = now(), ratio = 0.5 WHERE id = $1`, id)
	b.exec(t, `UPDATE weir.renditions SET state = 'pushing', attempt = 1 WHERE transcode_id = $1`, id)
	b.exec(t, `UPDATE weir.renditions SET state = 'pushed', pushed_at = now() WHERE transcode_id = $1 AND name = '360p'`, id)
	b.exec(t, `UPDATE weir.renditions SET state = 'ok', object_url = 's3://media/out/360p.mp4', object_bytes = 12, object_etag = 'e',
		object_checksum = 'c', frames = 600, duration_ms = 20000, verdict = '{}', stored_at = now(), planned_width = 480, planned_height = 360
		WHERE transcode_id = $1 AND name = '360p'`, id)
	b.exec(t, `UPDATE weir.transcodes SET warnings = '[{"code": "size_aspect", "text": "it keeps the source''s aspect", "rendition": "360p"}]' WHERE id = $1`, id)
	b.exec(t, `UPDATE weir.renditions SET state = 'failed', error_code = 'push_failed', error_stage = 'push', error_message = 'Mist could not.'
		WHERE transcode_id = $1 AND name = '720p'`, id)
	b.exec(t, `UPDATE weir.attempts SET outcome = 'failed', ended_at = now(), error_code = 'push_failed', error_stage = 'push', error_message = 'Mist could not.',
		error_detail = 'its log ends: disk full', hung_starts = 2
		WHERE transcode_id = $1`, id)
	b.exec(t, `INSERT INTO weir.mist_events (uuid, host_id, trigger, stream, headers, payload, payload_bytes, transcode_id, attempt, rendition, verdict, note)
		VALUES ($2, 'mist-1', 'PUSH_END', 's', '{"X-Version":"3"}', convert_to(E'a\nb', 'UTF8'), 3, $1, 1, '720p', 'applied', E'its \x1b[31mnote')`, id, uuid.NewString())
	callback = uuid.New()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE weir.transcodes SET state = 'failed', finished_at = now(), error_code = 'push_failed', error_stage = 'push',
		error_message = 'Mist could not.' WHERE id = $1`, id)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `INSERT INTO weir.callbacks (id, transcode_id, run, url, body, state, attempts, last_status, last_error)
		VALUES ($2, $1, 1, 'https://studio.example/hook', '{}', 'refused', 1, 404, 'answered 404')`, id, callback)
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `INSERT INTO weir.callback_attempts (callback_id, number, status, latency_ms, error) VALUES ($1, 1, 404, 7, 'answered 404')`, callback)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	return callback
}
