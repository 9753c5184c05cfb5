package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/storage"
)

const vodPath = "/api/vod"

// recorder keeps what is to be accepted, or refuses it.
type recorder struct {
	rows *jobs.Transcodes
	mu   sync.Mutex
	last *jobs.Request
	fail error
}

func (r *recorder) in(cfg *api.Config) { r.rows, cfg.Accept = cfg.Transcodes, r.accept }

func (r *recorder) accept(ctx context.Context, req *jobs.Request) (t dbsqlc.Transcode, created bool, err error) {
	r.mu.Lock()
	r.last = req
	r.mu.Unlock()
	if r.fail != nil {
		return t, false, r.fail
	}
	return r.rows.Accept(ctx, req)
}

// vodWanted is what a body came to, as its golden file has it.
type vodWanted struct {
	ExternalID string
	Source     string
	Output     string
	Callback   string
	Profiles   []jobs.Profile
	Outputs    []jobs.Output
	Livepeer   *jobs.Livepeer `json:",omitempty"`
	Clip       *jobs.Clip     `json:",omitempty"`
	Shown      json.RawMessage
}

// TestVOD: bodies as Studio's task runner sends them, and what each of their fields comes to.
func TestVOD(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := setup(t, r.in)
	files, err := filepath.Glob("testdata/vod/*.json")
	require.NoError(t, err)
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".want.json") {
			continue
		}
		seen++
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		a := b.do(t, studio, http.MethodPost, vodPath, string(body))
		require.Equal(t, http.StatusOK, a.status, "%s: %s", file, a.text)
		require.Equal(t, "application/json", a.header.Get("Content-Type"))
		var answer map[string]uuid.UUID
		a.decode(t, &answer)
		require.Len(t, answer, 1)
		require.NotContains(t, a.text, "SECRET")

		got, err := json.MarshalIndent(vodWanted{
			ExternalID: r.last.ExternalID, Source: r.last.SourceURL, Output: r.last.OutputURL, Callback: r.last.CallbackURL,
			Profiles: r.last.Profiles, Outputs: r.last.Outputs, Livepeer: r.last.Livepeer, Clip: r.last.Clip, Shown: r.last.Shown,
		}, "", "  ")
		require.NoError(t, err)
		golden := strings.TrimSuffix(file, ".json") + ".want.json"
		if *update {
			require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got), "%s: go test ./api -run TestVOD -update", file)
		require.NotContains(t, string(r.last.Shown), "SECRET")
		require.Equal(t, jobs.FormVOD, r.last.Form)

		shown := b.do(t, studio, http.MethodGet, "/v1/transcodes/"+answer["request_id"].String(), nil).transcode(t)
		require.Len(t, shown.Renditions, len(r.last.Profiles), "none before the source is seen, where the ladder is asked for")
		require.Equal(t, "queued", shown.State)
		require.NotEmpty(t, b.do(t, studio, http.MethodPost, "/v1/transcodes/"+answer["request_id"].String()+"/cancel", nil).transcode(t).Callback)
	}
	require.Equal(t, 6, seen)
}

func vodSubmission() object {
	return object{
		"external_id": "task-1", "url": "s3://media/in/clip.mp4", "callback_url": "https://runner.example/hook?attemptId=0",
		"output_locations": []any{
			object{"type": "object_store", "url": "s3://media/out/1", "outputs": object{"hls": "enabled", "source_mp4": false, "mp4": ""}},
			object{"type": "object_store", "url": "s3://media/out/1/video", "outputs": object{"source_mp4": true}},
		},
		"clip_strategy": object{},
	}
}

// vodRefusal is the old service's form of one.
func (a *answer) vodRefusal(t *testing.T, status int) (refusal struct{ Error, Detail string }) {
	t.Helper()
	require.Equal(t, status, a.status, a.text)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	var fields map[string]string
	a.decode(t, &fields)
	require.Len(t, fields, 2, a.text)
	refusal.Error, refusal.Detail = fields["error"], fields["error_detail"]
	require.NotEmpty(t, refusal.Error)
	return refusal
}

// TestVODRefusals: each names its field, and says what to do.
func TestVODRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	location := func(o object, i int) object { return o["output_locations"].([]any)[i].(object) }
	outputs := func(o object, i int) object { return location(o, i)["outputs"].(object) }
	clip := func(start, end int64) func(o object) {
		return func(o object) {
			o["url"] = "s3://media/in/index.m3u8"
			o["clip_strategy"] = object{"playback_id": "pb", "start_time": start, "end_time": end}
		}
	}
	p := func(name string, fields object) []any {
		fields["name"] = name
		return []any{fields}
	}
	for name, test := range map[string]struct {
		change func(o object)
		says   string
	}{
		"no url":                 {func(o object) { delete(o, "url") }, "url: is missing"},
		"empty url":              {func(o object) { o["url"] = "" }, "url: is empty"},
		"url scheme":             {func(o object) { o["url"] = "ftp://h/x" }, "url: its scheme"},
		"url without TLS":        {func(o object) { o["url"] = "http://h/x.mp4" }, "url: is without TLS"},
		"url folder":             {func(o object) { o["url"] = "s3://media/in/" }, "url: names a folder"},
		"ipfs":                   {func(o object) { o["url"] = "ipfs://bafy/x.mp4" }, "url: ipfs:// is not read here"},
		"arweave":                {func(o object) { o["url"] = "ar://abc" }, "url: ar:// is not read here"},
		"no callback":            {func(o object) { delete(o, "callback_url") }, "callback_url: is missing"},
		"callback scheme":        {func(o object) { o["callback_url"] = "s3://media/x" }, "callback_url: must begin with http"},
		"no locations":           {func(o object) { delete(o, "output_locations") }, "output_locations: is missing"},
		"locations empty":        {func(o object) { o["output_locations"] = []any{} }, "output_locations: has 0 entries; send at least 1"},
		"too many locations":     {func(o object) { o["output_locations"] = make([]any, 11) }, "output_locations: has 11 entries"},
		"no type":                {func(o object) { delete(location(o, 0), "type") }, "output_locations[0].type: is missing"},
		"unknown type":           {func(o object) { location(o, 0)["type"] = "ftp" }, "output_locations[0].type: must be one of object_store pinata ipfs_pinata"},
		"pinata":                 {func(o object) { location(o, 1)["type"], location(o, 1)["pinata_access_key"] = "pinata", "hush" }, "output_locations[1].type: nothing is pinned to IPFS"},
		"ipfs_pinata":            {func(o object) { location(o, 1)["type"] = "ipfs_pinata"; delete(location(o, 1), "url") }, "output_locations[1].type: nothing is pinned to IPFS"},
		"no location url":        {func(o object) { delete(location(o, 0), "url") }, "output_locations[0].url: is missing"},
		"location no S3":         {func(o object) { location(o, 0)["url"] = "https://KEY:hush@h/x" }, "output_locations[0].url: is no S3 location"},
		"location unreadable":    {func(o object) { location(o, 0)["url"] = "s3+https://KEY:hu/sh@h/x" }, "output_locations[0].url: "},
		"location unknown field": {func(o object) { location(o, 0)["acl"] = "x" }, "output_locations[0].acl: is no field"},
		"copy to a folder":       {func(o object) { location(o, 1)["url"] = "s3://media/out/1/" }, "output_locations[1].url: names a folder"},
		"copy to a bucket":       {func(o object) { location(o, 1)["url"] = "s3://media" }, "output_locations[1].url: names a folder"},
		"hls twice":              {func(o object) { outputs(o, 1)["hls"] = "enabled" }, "output_locations[1].outputs: asks for what output_locations[0] asks for too"},
		"no video":               {func(o object) { outputs(o, 0)["hls"] = "disabled" }, "output_locations: ask for no video"},
		"no outputs":             {func(o object) { o["output_locations"] = []any{object{"type": "object_store", "url": "s3://media/x"}} }, "output_locations: ask for no video"},
		"thumbnails alone":       {func(o object) { outputs(o, 0)["hls"], outputs(o, 0)["thumbnails"] = "", "enabled" }, "output_locations: ask for no video"},
		"hls word":               {func(o object) { outputs(o, 0)["hls"] = "yes" }, "output_locations[0].outputs.hls: must be one of enabled disabled"},
		"source_mp4 no boolean":  {func(o object) { outputs(o, 0)["source_mp4"] = "enabled" }, "output_locations[0].outputs.source_mp4: must be true or false"},
		"outputs unknown field":  {func(o object) { outputs(o, 0)["dash"] = "enabled" }, "output_locations[0].outputs.dash: is no field"},
		"clip output":            {func(o object) { outputs(o, 1)["clip"] = "enabled" }, "output_locations[1].outputs.clip: is enabled, and clip_strategy asks for no clip"},
		"clip of no playlist":    {func(o object) { clip(1700000000000, 1700000001000)(o); o["url"] = "s3://media/in/clip.mp4" }, "clip_strategy: is of a recording"},
		"clip without a start":   {clip(0, 1700000001000), "clip_strategy.start_time: is missing"},
		"clip without an end":    {clip(1700000000000, 0), "clip_strategy.end_time: is missing"},
		"clip without times":     {func(o object) { o["clip_strategy"] = object{"playback_id": "pb"} }, "clip_strategy.start_time: is missing"},
		"clip in seconds":        {clip(1700000000, 1700000001), "clip_strategy.start_time: is no Unix time in milliseconds"},
		"clip negative":          {clip(-5, 1700000001000), "clip_strategy.start_time: is negative"},
		"clip backwards":         {clip(1700000001000, 1700000000000), "clip_strategy.end_time: is not behind start_time"},
		"clip of no time":        {clip(1700000000000, 1700000000000), "clip_strategy.end_time: is not behind start_time"},
		"clip after all time":    {clip(1700000000000, 1700000000000000), "clip_strategy.end_time: is beyond the year 9999"},
		"clip time no number":    {func(o object) { o["clip_strategy"] = object{"start_time": "0:10"} }, "clip_strategy.start_time: must be a number"},
		"clip unknown field":     {func(o object) { o["clip_strategy"] = object{"from": 1} }, "clip_strategy.from: is no field"},
		"encryption":             {func(o object) { o["encryption"] = object{"encrypted_key": "hush"} }, "encryption: encrypted sources can't be read"},
		"encryption without key": {func(o object) { o["encryption"] = object{} }, "encryption.encrypted_key: is missing"},
		"c2pa":                   {func(o object) { o["c2pa"] = true }, "c2pa: content credentials are not written"},
		"c2pa no boolean":        {func(o object) { o["c2pa"] = "yes" }, "c2pa: must be true or false"},
		"segment no number":      {func(o object) { o["target_segment_size_secs"] = "10" }, "target_segment_size_secs: must be a number"},
		"segment no whole":       {func(o object) { o["target_segment_size_secs"] = 2.5 }, "target_segment_size_secs: must be a whole number"},
		"strategy":               {func(o object) { o["pipeline_strategy"] = "gstreamer" }, "pipeline_strategy: must be one of catalyst external"},
		"profile no name":        {func(o object) { o["profiles"] = []any{object{"width": 640, "height": 360, "bitrate": 800000}} }, "profiles[0].name: is missing"},
		"profile no bitrate":     {func(o object) { o["profiles"] = p("a", object{"width": 640, "height": 360}) }, "profiles[0].bitrate: is missing"},
		"profile bitrate 0":      {func(o object) { o["profiles"] = p("a", object{"bitrate": 0}) }, "profiles[0].bitrate: must be from 1000"},
		"profile no height":      {func(o object) { o["profiles"] = p("a", object{"width": 640, "bitrate": 800000}) }, "profiles[0].height: is missing beside width"},
		"profile no width":       {func(o object) { o["profiles"] = p("a", object{"width": 0, "height": 360, "bitrate": 800000}) }, "profiles[0].width: is missing beside height"},
		"profile negative":       {func(o object) { o["profiles"] = p("a", object{"width": -640, "height": 360, "bitrate": 800000}) }, "profiles[0].width: must be from 0"},
		"profile encoder":        {func(o object) { o["profiles"] = p("a", object{"bitrate": 800000, "encoder": "h265"}) }, "profiles[0].encoder: must be one of H.264"},
		"profile name":           {func(o object) { o["profiles"] = p("a/b", object{"bitrate": 800000}) }, "profiles[0].name: must be letters"},
		"too many profiles":      {func(o object) { o["profiles"] = make([]any, 11) }, "profiles: has 11 entries"},
		"Livepeer URL":           {func(o object) { o["accessToken"], o["transcodeAPIUrl"] = "hush", "x" }, "transcodeAPIUrl: "},
		"external_id too long":   {func(o object) { o["external_id"] = strings.Repeat("x", 201) }, "external_id: has 201 characters"},
		"unknown field":          {func(o object) { o["priority"] = 1 }, "priority: is no field"},
		"all at once":            {func(o object) { o["c2pa"] = true; o["url"] = "ipfs://x" }, "url: ipfs:// is not read here; send the https:// URL of a gateway; c2pa: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := vodSubmission()
			test.change(body)
			a := b.do(t, studio, http.MethodPost, vodPath, body)
			refusal := a.vodRefusal(t, http.StatusBadRequest)
			require.Equal(t, "Invalid request payload", refusal.Error)
			require.True(t, strings.HasPrefix(refusal.Detail, test.says), refusal.Detail)
			require.NotContains(t, a.text, "hush")
			require.NotContains(t, a.text, "body.")
		})
	}
}

// TestGateways: what has the name of its content is fetched at the gateway that is set for it,
// in every form.
func TestGateways(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	b := setup(t, r.in, func(cfg *api.Config) { cfg.Gateways = storage.Gateways{"ipfs": "https://ipfs.example/ipfs/", "ar": ""} })
	for from, to := range map[string]string{
		"ipfs://bafybeigd/films/a%20b.mp4": "https://ipfs.example/ipfs/bafybeigd/films/a%20b.mp4",
		"IPFS://QmYwAPJz":                  "https://ipfs.example/ipfs/QmYwAPJz",
		"ipfs://bafybeigd/live/index.m3u8": "https://ipfs.example/ipfs/bafybeigd/live/index.m3u8",
	} {
		body := vodSubmission()
		body["url"], body["external_id"] = from, from
		a := b.do(t, studio, http.MethodPost, vodPath, body)
		require.Equal(t, http.StatusOK, a.status, a.text)
		require.Equal(t, to, r.last.SourceURL)
		own := submission()
		own["source"] = object{"url": from}
		require.Equal(t, to, b.submit(t, own).Source.Location)
	}
	for from, says := range map[string]string{
		"ar://bafybeigd":                   "url: ar:// is not read here",
		"ipfs://":                          "url: it has no content's id",
		"ipfs://bafybeigd/../../api/v0/ls": "url: its path holds ?, #, or a step up",
		"ipfs://bafybeigd?arg=1":           "url: it has no content's id",
		"ipfs://a@b.example/x":             "url: it has no content's id",
	} {
		body := vodSubmission()
		body["url"] = from
		require.Contains(t, b.do(t, studio, http.MethodPost, vodPath, body).vodRefusal(t, http.StatusBadRequest).Detail, says)
	}
}

// TestVODRefusedBeforeItsFields: bodies that are none, and callers that are nobody.
func TestVODRefusedBeforeItsFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for text, says := range map[string]string{
		"": "body: is empty", `{"url":`: "body: ends in the middle", "url=s3": "body: is no JSON", `[]`: "body: must be an object", "{\"url\": \"\xff\"}": "body: is no UTF-8",
	} {
		refusal := b.do(t, studio, http.MethodPost, vodPath, text).vodRefusal(t, http.StatusBadRequest)
		require.Equal(t, "Invalid request payload", refusal.Error)
		require.Contains(t, refusal.Detail, says)
	}
	b.do(t, studio, http.MethodPost, vodPath, strings.Repeat(" ", 1<<20+1)).vodRefusal(t, http.StatusRequestEntityTooLarge)
	b.do(t, "", http.MethodPost, vodPath, vodSubmission()).vodRefusal(t, http.StatusUnauthorized)
	b.do(t, "nobody's", http.MethodPost, vodPath, vodSubmission()).vodRefusal(t, http.StatusUnauthorized)
	b.do(t, operator, http.MethodPost, vodPath, vodSubmission()).vodRefusal(t, http.StatusForbidden)
	b.do(t, studio, http.MethodPost, vodPath+"?x=%zz", vodSubmission()).vodRefusal(t, http.StatusBadRequest)
	for _, kind := range []string{"", "text/plain", "multipart/form-data"} {
		text, err := json.Marshal(vodSubmission())
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+vodPath, strings.NewReader(string(text)))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+studio)
		if kind != "" {
			req.Header.Set("Content-Type", kind)
		}
		require.Contains(t, b.send(t, req).vodRefusal(t, http.StatusUnsupportedMediaType).Detail, "Content-Type: ")
	}
}

// TestQueueFull: a tenant whose queue is full is told when to ask again, in every form.
func TestQueueFull(t *testing.T) {
	t.Parallel()
	const wait = 2500 * time.Millisecond // told in whole seconds, the next one
	r := &recorder{fail: &jobs.QueueFull{Most: 7, Wait: wait}}
	b := setup(t, r.in)
	require.ErrorIs(t, r.fail, jobs.ErrQueueFull)
	a := b.do(t, studio, http.MethodPost, vodPath, vodSubmission())
	require.Contains(t, a.vodRefusal(t, http.StatusTooManyRequests).Error, "7 transcodes of this tenant wait")
	require.Equal(t, "3", a.header.Get("Retry-After"))
	for path, body := range map[string]object{"/v1/transcodes": submission(), "/api/transcode/file": fileSubmission()} {
		a := b.do(t, studio, http.MethodPost, path, body)
		a.problem(t, http.StatusTooManyRequests)
		require.Equal(t, "3", a.header.Get("Retry-After"))
	}
}

// vod posts a good request of Studio's form.
func (b *bundle) vod(t *testing.T, body object) uuid.UUID {
	t.Helper()
	a := b.do(t, studio, http.MethodPost, vodPath, body)
	require.Equal(t, http.StatusOK, a.status, a.text)
	var answer api.VODAnswer
	a.decode(t, &answer)
	return answer.RequestID
}

func vodAttempt(attempt string) object {
	body := vodSubmission()
	body["callback_url"] = "https://runner.example/hook?attemptId=" + attempt
	return body
}

// TestVODAgain: the same body is the first one; another attempt's takes its place.
func TestVODAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.vod(t, vodAttempt("0"))
	require.Equal(t, first, b.vod(t, vodAttempt("0")))

	second := b.vod(t, vodAttempt("1"))
	require.NotEqual(t, first, second)
	shown := b.do(t, studio, http.MethodGet, "/v1/transcodes/"+first.String(), nil).transcode(t)
	require.Equal(t, "cancelled", shown.State)
	require.Equal(t, "task-1", *shown.ExternalID)
	require.Equal(t, jobs.CallbackSuperseded, shown.Callback.State, "its task goes on: what is said of an attempt moves its progress")
	require.Equal(t, "queued", b.do(t, studio, http.MethodGet, "/v1/transcodes/"+second.String(), nil).transcode(t).State)

	// A late repetition of what was replaced changes nothing.
	require.Equal(t, first, b.vod(t, vodAttempt("0")))
	require.Equal(t, second, b.vod(t, vodAttempt("1")))
	require.Equal(t, 1, b.count(t, "transcodes WHERE state = 'queued'"))

	// Both are found by it; another tenant's is another one.
	a := b.do(t, studio, http.MethodGet, "/v1/transcodes?external_id=task-1", nil)
	var page api.TranscodePage
	a.decode(t, &page)
	require.Len(t, page.Items, 2)
	require.Equal(t, http.StatusOK, b.do(t, other, http.MethodPost, vodPath, vodAttempt("0")).status)
	require.Equal(t, 2, b.count(t, "transcodes WHERE state = 'queued'"))

	// One that was cancelled is over: the same body asks for another one.
	b.do(t, studio, http.MethodPost, "/v1/transcodes/"+second.String()+"/cancel", nil).transcode(t)
	third := b.vod(t, vodAttempt("1"))
	require.NotEqual(t, second, third)
	// And so does that of what was replaced, now that nothing else is open.
	b.do(t, studio, http.MethodPost, "/v1/transcodes/"+third.String()+"/cancel", nil).transcode(t)
	fourth := b.vod(t, vodAttempt("0"))
	require.NotContains(t, []uuid.UUID{first, second, third}, fourth)

	// Without an external_id every post is one of its own.
	body := vodSubmission()
	delete(body, "external_id")
	require.NotEqual(t, b.vod(t, body), b.vod(t, body))
}

// TestVODAgainAtOnce: of twenty attempts of a task that come together one is left open, and
// of twenty times the same body there is one.
func TestVODAgainAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for same, open := range map[bool]int{true: 1, false: 20} {
		ids := make([]uuid.UUID, 20)
		var posts sync.WaitGroup
		for i := range ids {
			body := vodAttempt(string(rune('a' + i)))
			if same {
				body = vodAttempt("same")
			}
			posts.Go(func() { ids[i] = b.vod(t, body) })
		}
		posts.Wait()
		different := map[uuid.UUID]bool{}
		for _, id := range ids {
			different[id] = true
		}
		require.Len(t, different, open)
		require.Equal(t, 1, b.count(t, "transcodes WHERE state = 'queued'"))
	}
}

// TestVODBesideV1: an external_id of /v1 stays what it is.
func TestVODBesideV1(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := submission()
	body["external_id"] = "task-1"
	first := b.submit(t, body)
	refusal := b.do(t, studio, http.MethodPost, vodPath, vodSubmission()).vodRefusal(t, http.StatusConflict)
	require.Contains(t, refusal.Detail, "external_id: ")
	require.Equal(t, "queued", b.do(t, studio, http.MethodGet, "/v1/transcodes/"+first.ID.String(), nil).transcode(t).State)

	vod := vodSubmission()
	vod["external_id"] = "task-2"
	b.vod(t, vod)
	body["external_id"] = "task-2"
	b.do(t, studio, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusConflict)
}
