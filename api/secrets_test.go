package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planted is in every secret that the test sends.
const planted = "PLANTED"

// TestSecrets looks for planted secrets in all answers, good and bad, and in the log.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var answers strings.Builder
	keep := func(text string) {
		require.NotContains(t, text, planted)
		answers.WriteString(text)
	}
	post := func(path string, body any) {
		a := b.do(t, studio, http.MethodPost, path, body)
		keep(a.text + a.header.Get("Location"))
		if a.status == http.StatusAccepted {
			for _, read := range []string{a.header.Get("Location"), "/v1/transcodes"} {
				keep(b.do(t, studio, http.MethodGet, read, nil).text)
			}
			keep(b.do(t, studio, http.MethodPost, a.header.Get("Location")+"/cancel", nil).text)
		}
	}
	urls := []string{
		"s3+https://PLANTED:PLANTED@h/media/clip.mp4", "s3+https://PLANTED:PLAN/TED@h:x/media", "https://PLANTED:PLANTED@h/x?sig=PLANTED#PLANTED",
		"https://h/%zz?PLANTED", "PLANTED", "PLANTED://h/x", "s3://PLANTED@media/x", "s3+http://PLANTED:PLANTED@[::1/x", "https://PLANTED\n@h", "http://u:PLANTED@h/x",
	}
	for _, url := range urls {
		for _, field := range []string{"source", "output", "callback", "livepeer", "unknown"} {
			body, file := submission(), fileSubmission()
			body["external_id"] = field + url[:3]
			body["livepeer"] = object{"access_token": planted, "api_url": "https://PLANTED:PLANTED@h/?PLANTED"}
			file["accessToken"], file["streamKey"], file["objectStore"] = planted, planted, object{"url": url}
			switch field {
			case "source":
				body["source"], file["source_location"] = object{"url": url}, url
			case "output":
				body["output"] = object{"url": url}
			case "callback":
				body["callback_url"], file["callback_url"] = url, url
			case "livepeer":
				body["livepeer"], file["transcodeAPIUrl"] = object{"access_token": planted + "\n", "api_url": url}, url
			case "unknown": // a name that could be one is told, so that it can be found
				body[url+"/"], file[url+"/"] = planted, planted
			}
			post("/v1/transcodes", body)
			body["profiles"] = []any{profile("other", 640, 360)} // a conflict where it was taken
			post("/v1/transcodes", body)
			post("/api/transcode/file", file)
			vod := vodSubmission()
			vod["external_id"], vod["accessToken"], vod["transcodeAPIUrl"], vod["hardcodedBroadcasters"] = "vod"+field+url[:3], planted, body["livepeer"].(object)["api_url"], planted
			place := vod["output_locations"].([]any)[0].(object)
			switch field {
			case "source":
				vod["url"] = url
			case "output":
				place["url"] = url
			case "callback":
				vod["callback_url"] = url
			case "livepeer":
				vod["encryption"], place["pinata_access_key"] = object{"encrypted_key": planted}, planted
			case "unknown":
				place["outputs"].(object)[url+"/"] = planted
			}
			post(vodPath, vod)
		}
	}
	for _, body := range []string{planted, `{"source":"PLANTED"`, `["PLANTED"]`, `"PLANTED"`, `{"source":{"url":["PLANTED"]},"profiles":"PLANTED"}`} {
		post("/v1/transcodes", body)
		post("/api/transcode/file", body)
		post(vodPath, body)
	}
	for _, path := range []string{"/v1/transcodes/PLANTED", "/PLANTED", "/v1/transcodes?s3://PLANTED:x@h", "/v1/transcodes?page=PLANTED", "/v1/transcodes?limit=PLANTED"} {
		keep(b.do(t, planted, http.MethodGet, path, nil).text)
		keep(b.do(t, studio, http.MethodGet, path, nil).text)
	}
	require.NotContains(t, b.log.String(), planted)
	require.Contains(t, answers.String(), "s3+https://h/media/clip.mp4", "some were good")

	var rows string
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT (SELECT string_agg(t::text, ' ') FROM weir.transcodes t) || (SELECT string_agg(j::text, ' ') FROM weir.river_job j)
			|| (SELECT string_agg(r::text, ' ') FROM weir.renditions r) || (SELECT string_agg(c::text, ' ') FROM weir.callbacks c)`).Scan(&rows))
	require.NotContains(t, rows, planted)
}
