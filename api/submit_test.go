package api_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/api/view"
)

func TestSubmit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["source"] = object{"url": "s3+https://KEY:hu%2Fsh@s3.example:9000/media/in/clip.mp4"}
	body["livepeer"] = object{"access_token": "hush", "api_url": "https://livepeer.example/api"}
	body["outputs"] = []object{{"type": "ts"}, {"type": "hls", "segment_seconds": 4}}
	body["metadata"], body["labels"] = object{"asset": "a-1"}, object{"customer": "acme"}
	a := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusAccepted, a.status, a.text)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	got := a.transcode(t)
	require.Equal(t, "/v1/transcodes/"+got.ID.String(), a.header.Get("Location"))
	require.Equal(t, "queued", got.State)
	require.Equal(t, "queue", *got.Stage)
	require.Equal(t, "studio", got.Tenant)
	require.Nil(t, got.ExternalID)
	require.Equal(t, "s3+https://s3.example:9000/media/in/clip.mp4", got.Source.Location)
	require.Equal(t, "s3://media/out/clip", got.Output.Location)
	require.Len(t, got.Renditions, 2)
	require.Equal(t, view.Rendition{Name: "360p", State: "expected", AskedWidth: 640, AskedHeight: 360, Bitrate: 1_000_000}, got.Renditions[1])
	require.Empty(t, got.Warnings)
	require.Nil(t, got.Error)
	require.Nil(t, got.Callback)

	require.Len(t, got.Outputs, 2)
	require.Nil(t, got.Queue, "counting it is for who asks")

	stored := b.do(t, studio, http.MethodGet, a.header.Get("Location"), nil).transcode(t)
	require.NotNil(t, stored.Queue)
	stored.Queue = nil
	require.Equal(t, stored, got)
	require.Equal(t, 1, b.count(t, "river_job"))

	// Without an external_id a post is a transcode of its own.
	require.NotEqual(t, got.ID, b.submit(t, body).ID)
}

func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["external_id"] = "task-1"
	first := b.submit(t, body)

	again := b.do(t, studio, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusOK, again.status, again.text)
	require.Equal(t, first.ID, again.transcode(t).ID)
	require.Equal(t, "/v1/transcodes/"+first.ID.String(), again.header.Get("Location"))

	// The same written otherwise is the same.
	again = b.do(t, studio, http.MethodPost, "/v1/transcodes", ` { "external_id":"task-1", "profiles":[
		{"bitrate":1000000,"height":720,"name":"720p","width":1280},{"name":"360p","width":640,"height":360,"bitrate":1000000}],
		"callback_url":"https://studio.example/\u0068ook","output":{"url":"s3://media/out/clip"},"source":{"url":"s3://media/in/clip.mp4"}}`)
	require.Equal(t, http.StatusOK, again.status, again.text)

	// A secret is part of it.
	body["output"] = object{"url": "s3+https://KEY:secret-1@h/media/out"}
	p := b.do(t, studio, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusConflict)
	require.Equal(t, []string{"body.external_id"}, p.locations())

	// Another tenant's is another one.
	a := b.do(t, other, http.MethodPost, "/v1/transcodes", body)
	require.Equal(t, http.StatusAccepted, a.status, a.text)
	body["output"] = object{"url": "s3+https://KEY:secret-2@h/media/out"}
	b.do(t, other, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusConflict)
	require.Equal(t, 2, b.count(t, "transcodes"))
}

// TestSubmitAtOnce: twenty posts of one external_id are one transcode.
func TestSubmitAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["external_id"] = "task-1"
	answers := make([]*answer, 20)
	var posts sync.WaitGroup
	for i := range answers {
		posts.Go(func() { answers[i] = b.do(t, studio, http.MethodPost, "/v1/transcodes", body) })
	}
	posts.Wait()
	ids, created := map[uuid.UUID]bool{}, 0
	for _, a := range answers {
		if a.status == http.StatusAccepted {
			created++
		} else {
			require.Equal(t, http.StatusOK, a.status, a.text)
		}
		ids[a.transcode(t).ID] = true
	}
	require.Equal(t, 1, created)
	require.Len(t, ids, 1)
	require.Equal(t, 1, b.count(t, "transcodes"))
	require.Equal(t, 2, b.count(t, "renditions"))
	require.Equal(t, 1, b.count(t, "river_job"))
}

// TestSubmitWithoutProfiles: the ladder is made from the source, so there are no renditions yet.
func TestSubmitWithoutProfiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, profiles := range []any{nil, []any{}} {
		body := submission()
		body["profiles"] = profiles
		got := b.submit(t, body)
		require.Empty(t, got.Renditions)
		require.Equal(t, "cancelled", b.do(t, studio, http.MethodPost, "/v1/transcodes/"+got.ID.String()+"/cancel", nil).transcode(t).State)
	}
	require.Equal(t, 2, b.count(t, "transcodes WHERE ladder"))
	b.submit(t, submission())
	require.Equal(t, 1, b.count(t, "transcodes WHERE NOT ladder"))
}

func TestSubmitFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := fileSubmission()
	body["source_location"] = "s3+http://KEY:hush@127.0.0.1:9000/media/in/clip.mp4"
	body["accessToken"], body["transcodeAPIUrl"] = "hush", "https://livepeer.example/api"
	body["streamKey"], body["presets"], body["detection"] = "hush", []any{"P720p"}, object{"freq": 1}
	p := body["profiles"].([]any)[0].(object)
	p["fpsDen"], p["encoder"], p["colorDepth"], p["chromaFormat"], p["gop"], p["profile"] = 1001, "h264", 8, 0, "", ""
	p["fps"], p["quality"] = 30000, 27
	a := b.do(t, studio, http.MethodPost, "/api/transcode/file", body)
	require.Equal(t, http.StatusOK, a.status, a.text)
	var got api.FileAnswer
	a.decode(t, &got)

	shown := b.do(t, studio, http.MethodGet, "/v1/transcodes/"+got.RequestID.String(), nil).transcode(t)
	require.Equal(t, "s3+http://127.0.0.1:9000/media/in/clip.mp4", shown.Source.Location)
	require.Equal(t, "s3+http://127.0.0.1:9000/media/in", shown.Output.Location)
	require.Equal(t, []int32{30000, 1001}, []int32{shown.Renditions[0].FPS, shown.Renditions[0].FPSDen})
	require.Equal(t, 1, b.count(t, "renditions WHERE fps_den = 1001 AND quality = 27"))

	// In the bucket's root.
	body["source_location"] = "s3://media/clip.mp4"
	b.do(t, studio, http.MethodPost, "/api/transcode/file", body).decode(t, &got)
	shown = b.do(t, studio, http.MethodGet, "/v1/transcodes/"+got.RequestID.String(), nil).transcode(t)
	require.Equal(t, "s3://media", shown.Output.Location)
}

// TestSealed: what a request brings reaches the jobs whole, and people without secrets.
func TestSealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["source"] = object{"url": "https://u:pw@h/in/clip.mp4?X-Amz-Signature=abc"}
	body["callback_url"] = "https://u:pw@studio.example/hook?attemptId=1"
	id := b.submit(t, body).ID
	var source, callback, request string
	var sealed []byte
	require.NoError(t, b.pool.QueryRow(t.Context(),
		"SELECT source_url, callback_url, request::text, callback_sealed FROM weir.transcodes WHERE id = $1", id).
		Scan(&source, &callback, &request, &sealed))
	require.Equal(t, "https://h/in/clip.mp4", source)
	require.Equal(t, "https://studio.example/hook", callback)
	require.JSONEq(t, `{"source":{"url":"https://h/in/clip.mp4"},"output":{"url":"s3://media/out/clip"},
		"callback_url":"https://studio.example/hook","profiles":[{"name":"720p","width":1280,"height":720,"bitrate":1000000},
		{"name":"360p","width":640,"height":360,"bitrate":1000000}]}`, request)
	whole, err := b.jobs.Sealer.Open(sealed, "transcode/"+id.String()+"/callback")
	require.NoError(t, err)
	require.Equal(t, "https://u:pw@studio.example/hook?attemptId=1", string(whole))
}
