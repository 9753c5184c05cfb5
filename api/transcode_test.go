package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api/view"
	"weir/media"
)

// TestTranscode shows one at each of its states, as rows say.
func TestTranscode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID
	exec := func(sql string, args ...any) {
		t.Helper()
		_, err := b.pool.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	get := func() view.Transcode {
		t.Helper()
		return b.do(t, studio, http.MethodGet, "/v1/transcodes/"+id.String(), nil).transcode(t)
	}
	exec(`INSERT INTO weir.hosts (id, boot_id, slots, lease_until) VALUES ('mist-1', gen_random_uuid(), 4, now())`)
	exec(`UPDATE weir.transcodes SET state = 'placed', host_id = 'mist-1', attempt = 1, placed_at = now() WHERE id = $1`, id)
	exec(`INSERT INTO weir.attempts (transcode_id, number, host_id) VALUES ($1, 1, 'mist-1')`, id)
	require.Equal(t, "fetch", *get().Stage)
	require.Equal(t, "mist-1", *get().Host)
	exec(`UPDATE weir.transcodes SET state = 'running', started_at = now() WHERE id = $1`, id)
	for _, step := range []struct{ done, doing string }{{"placed", "fetch"}, {"fetched", "probe"}} {
		exec(`UPDATE weir.attempts SET stage = $2 WHERE transcode_id = $1`, id, step.done)
		require.Equal(t, step.doing, *get().Stage, step.done)
	}
	source, err := json.Marshal(media.Source{
		DurationUS: 20_000_000, Video: media.Video{Codec: "h264", Width: 1280, Height: 720, Frames: 600}, Audio: &media.Audio{Codec: "aac"},
	})
	require.NoError(t, err)
	exec(`UPDATE weir.transcodes SET source = $2, source_duration_ms = 20000, ratio = 0.4 WHERE id = $1`, id, source)
	for _, step := range []struct{ done, doing string }{{"fetched", "prepare"}, {"prepared", "transcode"}, {"started", "transcode"}, {"transcoded", "store"}} {
		exec(`UPDATE weir.attempts SET stage = $2 WHERE transcode_id = $1`, id, step.done)
		require.Equal(t, step.doing, *get().Stage, step.done)
	}
	exec(`UPDATE weir.renditions SET state = 'pushing', pushed_ms = 5000 WHERE transcode_id = $1 AND name = '720p'`, id)
	exec(`UPDATE weir.renditions SET state = 'failed', pushed_ms = 21000, error_code = 'push_failed', error_stage = 'push', error_message = 'Mist could not.'
		WHERE transcode_id = $1 AND name = '360p'`, id)
	exec(`UPDATE weir.renditions SET planned_width = 640, planned_height = 360 WHERE transcode_id = $1`, id)
	exec(`UPDATE weir.transcodes SET warnings = '[{"code": "size_aspect", "text": "so", "rendition": "720p"}]' WHERE id = $1`, id)
	got := get()
	require.Equal(t, []view.Warning{{Code: "size_aspect", Text: "so", Rendition: "720p"}}, got.Warnings)
	require.Equal(t, []int32{640, 360, 1280, 720}, []int32{*got.Renditions[0].Width, *got.Renditions[0].Height, got.Renditions[0].AskedWidth, got.Renditions[0].AskedHeight})
	require.InDelta(t, 0.4, got.Ratio, 1e-9)
	require.Equal(t, view.Source{
		Location: "s3://media/in/clip.mp4", DurationMS: new(int64(20000)), Frames: new(int64(600)),
		Width: new(1280), Height: new(720), VideoCodec: new("h264"), AudioCodec: new("aac"),
	}, got.Source)
	require.Equal(t, []string{"720p", "360p"}, []string{got.Renditions[0].Name, got.Renditions[1].Name})
	require.InDelta(t, 0.25, got.Renditions[0].Ratio, 1e-9)
	require.InDelta(t, 1, got.Renditions[1].Ratio, 0, "the padding's first moments do not count")
	require.Equal(t, &view.Failure{Code: "push_failed", Stage: "push", Blame: "host", Retriable: true, Message: "Mist could not."}, got.Renditions[1].Error)

	exec(`UPDATE weir.transcodes SET state = 'storing' WHERE id = $1`, id)
	require.Equal(t, "store", *get().Stage)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	for _, sql := range []string{
		`UPDATE weir.renditions SET state = 'pushing' WHERE name = '720p'`,
		`UPDATE weir.renditions SET state = 'pushed' WHERE name = '720p'`,
		`UPDATE weir.renditions SET state = 'ok', object_url = 's3://media/out/clip/720p.mp4', object_bytes = 12, object_etag = 'e',
			object_checksum = 'c', frames = 600, duration_ms = 20000, verdict = '{}', stored_at = now() WHERE name = '720p'`,
		`UPDATE weir.transcodes SET state = 'failed', finished_at = now(), error_code = 'push_failed', error_stage = 'push', error_message = 'Mist could not.'`,
		`INSERT INTO weir.callbacks (id, transcode_id, run, url, body, attempts, last_status) SELECT gen_random_uuid(), id, 1, 'https://h', '{}', 2, 500 FROM weir.transcodes`,
	} {
		_, err := tx.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	require.NoError(t, tx.Commit(t.Context()))
	got = get()
	require.Nil(t, got.Stage)
	require.Equal(t, "failed", got.State)
	require.Equal(t, "push_failed", got.Error.Code)
	require.Equal(t, "pending", got.Callback.State)
	require.Equal(t, int32(500), *got.Callback.LastStatus)
	ok := got.Renditions[0]
	require.Equal(t, []any{"ok", 1.0, int64(12), int64(600), "s3://media/out/clip/720p.mp4"}, []any{ok.State, ok.Ratio, *ok.Bytes, *ok.Frames, *ok.Location})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(t, submission()).ID
	path := "/v1/transcodes/" + id.String() + "/cancel"
	b.do(t, other, http.MethodPost, path, nil).problem(t, http.StatusNotFound)
	for range 2 {
		a := b.do(t, studio, http.MethodPost, path, nil)
		require.Equal(t, http.StatusOK, a.status, a.text)
		got := a.transcode(t)
		require.Equal(t, "cancelled", got.State)
		require.Equal(t, "pending", got.Callback.State)
	}
	require.Equal(t, 1, b.count(t, "callbacks"))

	failed := b.submit(t, submission()).ID
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	for _, sql := range []string{
		`UPDATE weir.transcodes SET state = 'failed', finished_at = now(), error_code = 'x', error_stage = 'fetch', error_message = 'm' WHERE id = $1`,
		`INSERT INTO weir.callbacks (id, transcode_id, run, url, body) VALUES (gen_random_uuid(), $1, 1, 'https://h', '{}')`,
	} {
		_, err := tx.Exec(t.Context(), sql, failed)
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit(t.Context()))
	p := b.do(t, studio, http.MethodPost, "/v1/transcodes/"+failed.String()+"/cancel", nil).problem(t, http.StatusConflict)
	require.Equal(t, []string{"path.id"}, p.locations())

	// An operator may cancel anybody's.
	got := b.submit(t, submission()).ID
	require.Equal(t, "cancelled", b.do(t, operator, http.MethodPost, "/v1/transcodes/"+got.String()+"/cancel", nil).transcode(t).State)
}
