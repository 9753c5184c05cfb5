package api_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outputRefusals are those of outputs.
func outputRefusals() (cases []refusalCase) {
	one := func(o object) []any { return []any{o} }
	for _, test := range []struct {
		name    string
		outputs any
		field   string
		says    string
		sql     bySQL
	}{
		{"none", []any{}, "body.outputs", "at least 1", atOnce},
		{"no list", object{}, "body.outputs", "array", atOnce},
		{"too many", make([]any, 17), "body.outputs", "at most 16", atOnce},
		{"no type", one(object{}), "body.outputs[0].type", "missing", atOnce},
		{"a type that is none", one(object{"type": "dash"}), "body.outputs[0].type", "one of ts hls", atOnce},
		{"a field that is none", one(object{"type": "hls", "encryption": "x"}), "body.outputs[0].encryption", "no field", atOnce},
		{"a place that is none", one(object{"type": "hls", "url": "ftp://x/y"}), "body.outputs[0].url", "scheme", later},
		{"a place that is no S3", one(object{"type": "hls", "url": "https://x/y"}), "body.outputs[0].url", "S3", later},
		{"an empty place", one(object{"type": "hls", "url": ""}), "body.outputs[0].url", "empty", atOnce},
		{"ts with a place", one(object{"type": "ts", "url": "s3://media/x"}), "body.outputs[0].url", "output.url", later},
		{"a copy without a place", one(object{"type": "source"}), "body.outputs[0].url", "missing", later},
		{"a copy that is a folder", one(object{"type": "source", "url": "s3://media/x/"}), "body.outputs[0].url", "folder", later},
		{"a copy over the source", one(object{"type": "source", "url": "s3://media/in/clip.mp4"}), "body.outputs[0].url", "over the source", later},
		{"segments too long", one(object{"type": "hls", "segment_seconds": 21}), "body.outputs[0].segment_seconds", "0 to 20", atOnce},
		{"segments no number", one(object{"type": "hls", "segment_seconds": "6"}), "body.outputs[0].segment_seconds", "number", atOnce},
		{"segments of a file", one(object{"type": "mp4", "segment_seconds": 6}), "body.outputs[0].segment_seconds", "leave it out", later},
		{"only short of HLS", one(object{"type": "hls", "only_short": true}), "body.outputs[0].only_short", "leave it out", later},
		{"two of one at one place", []any{object{"type": "hls"}, object{"type": "hls", "url": "s3://media/out/clip"}}, "body.outputs[1].type", "outputs[0]", later},
		{"a copy in a file's place", []any{object{"type": "mp4"}, object{"type": "source", "url": "s3://media/out/clip/360p.mp4"}}, "body.outputs[1].url", "outputs[0]", later},
		{"a copy in the master's place", []any{object{"type": "source", "url": "s3://media/out/clip/index.m3u8"}, object{"type": "hls"}}, "body.outputs[1].url", "outputs[0]", later},
		{"a file over the source", one(object{"type": "mp4", "url": "s3://media/in"}), "body.outputs[0].url", "over the source", later},
	} {
		cases = append(cases, refusalCase{"outputs: " + test.name, func(o object) {
			o["outputs"] = test.outputs
			o["profiles"] = []any{profile("clip", 1280, 720), profile("360p", 640, 360)}
		}, test.field, test.says, test.sql})
	}
	return cases
}

// TestOutputsShown: what was asked for is shown as it stands, without its secrets.
func TestOutputsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["outputs"] = []any{object{"type": "HLS"}, object{"type": "source", "url": "s3+https://KEY:PLANTED@h.example/copies/1"}}
	accepted := b.submit(t, body)
	require.Len(t, accepted.Outputs, 2)
	require.Equal(t, "hls", accepted.Outputs[0].Type, "in any case")
	require.Equal(t, "s3://media/out/clip", accepted.Outputs[0].Location)
	require.Equal(t, "s3+https://h.example/copies/1", accepted.Outputs[1].Location)
	exec := func(sql string) {
		t.Helper()
		_, err := b.pool.Exec(t.Context(), sql, accepted.ID)
		require.NoError(t, err)
	}
	exec(`UPDATE weir.outputs SET attempt = 1, state = 'skipped', skipped_reason = 'why' WHERE transcode_id = $1 AND ordinal = 1`)
	exec(`UPDATE weir.outputs SET attempt = 1, state = 'ok', manifest_url = 's3://media/out/clip/index.m3u8', bytes = 9, stored_at = now(),
		objects = '[{"kind": "master", "url": "s3://media/out/clip/index.m3u8", "bytes": 9, "checksum": "c", "objects": 1}]' WHERE transcode_id = $1 AND ordinal = 0`)
	a := b.do(t, studio, http.MethodGet, "/v1/transcodes/"+accepted.ID.String(), nil)
	require.NotContains(t, a.text, "PLANTED")
	got := a.transcode(t)
	require.Equal(t, "s3://media/out/clip/index.m3u8", *got.Outputs[0].Manifest)
	require.Equal(t, "master", got.Outputs[0].Objects[0].Kind)
	require.Equal(t, "why", *got.Outputs[1].Skipped)
}

// TestOutputsGuide: the requests in docs/outputs.md are taken.
func TestOutputsGuide(t *testing.T) {
	t.Parallel()
	b := setup(t)
	guide, err := os.ReadFile("../docs/outputs.md")
	require.NoError(t, err)
	blocks := strings.Split(string(guide), "```")
	posts := 0
	for i := 1; i < len(blocks); i += 2 {
		kind, text, _ := strings.Cut(blocks[i], "\n")
		path, is := strings.CutPrefix(kind, "json ")
		require.True(t, is, kind)
		a := b.do(t, studio, http.MethodPost, path, text)
		require.Equal(t, http.StatusAccepted, a.status, a.text)
		posts++
	}
	require.Equal(t, 2, posts)
}
