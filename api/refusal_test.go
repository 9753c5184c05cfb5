package api_test

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/api"
)

// bySQL says how a request that is refused is told so when it comes by SQL.
type bySQL int

const (
	// atOnce: by an exception with the same field.
	atOnce bySQL = iota
	// later: by a failed transcode, as it is the daemon's settings that decide.
	later
	// unmade: Postgres makes no jsonb of it.
	unmade
)

// refusalCase is a change of a good request that makes it one that is refused.
type refusalCase struct {
	name   string
	change func(o object)
	field  string
	says   string
	sql    bySQL
}

// numbered is an object with so many keys.
func numbered(keys int, value string) object {
	o := object{}
	for i := range keys {
		o["k"+strconv.Itoa(i)] = value
	}
	return o
}

func firstProfile(o object) object { return o["profiles"].([]any)[0].(object) }

// refusals are all refusals of a body's fields, by both ways.
func refusals() []refusalCase {
	first := firstProfile
	return append(outputRefusals(), []refusalCase{
		{"no source", func(o object) { delete(o, "source") }, "body.source", "missing", atOnce},
		{"null source", func(o object) { o["source"] = nil }, "body.source", "missing", atOnce},
		{"source no object", func(o object) { o["source"] = "s3://b/k" }, "body.source", "object", atOnce},
		{"no source URL", func(o object) { o["source"] = object{} }, "body.source.url", "missing", atOnce},
		{"empty source URL", func(o object) { o["source"] = object{"url": ""} }, "body.source.url", "empty", atOnce},
		{"source no string", func(o object) { o["source"] = object{"url": 1} }, "body.source.url", "string", atOnce},
		{"source scheme", func(o object) { o["source"] = object{"url": "ftp://h/x"} }, "body.source.url", "scheme", atOnce},
		{"source without TLS", func(o object) { o["source"] = object{"url": "http://h/x.mp4"} }, "body.source.url", "TLS", later},
		{"source no bucket", func(o object) { o["source"] = object{"url": "s3:///x"} }, "body.source.url", "bucket", atOnce},
		{"source no object name", func(o object) { o["source"] = object{"url": "s3://media"} }, "body.source.url", "folder", atOnce},
		{"source folder", func(o object) { o["source"] = object{"url": "s3://media/in/"} }, "body.source.url", "folder", atOnce},
		{"source control character", func(o object) { o["source"] = object{"url": "s3://media/a\nb"} }, "body.source.url", "control", atOnce},
		{"source too long", func(o object) { o["source"] = object{"url": "s3://media/" + strings.Repeat("a", 9000)} }, "body.source.url", "8192", atOnce},
		{"source userinfo", func(o object) { o["source"] = object{"url": "s3+https://KEY@h/media/x"} }, "body.source.url", "KEY:SECRET", atOnce},
		{"no output", func(o object) { delete(o, "output") }, "body.output", "missing", atOnce},
		{"output no S3", func(o object) { o["output"] = object{"url": "https://h/x"} }, "body.output.url", "S3", atOnce},
		{"output no bucket", func(o object) { o["output"] = object{"url": "s3+https://h"} }, "body.output.url", "bucket", atOnce},
		{"output unknown field", func(o object) { o["output"] = object{"url": "s3://media/out", "acl": "x"} }, "body.output.acl", "no field", atOnce},
		{"no callback", func(o object) { delete(o, "callback_url") }, "body.callback_url", "missing", atOnce},
		{"callback scheme", func(o object) { o["callback_url"] = "s3://media/x" }, "body.callback_url", "must begin with http:// or https://", atOnce},
		{"callback scheme that nothing has", func(o object) { o["callback_url"] = "ftp://studio.example/x" }, "body.callback_url", "must begin with http:// or https://", atOnce},
		{"callback without a scheme", func(o object) { o["callback_url"] = "http" }, "body.callback_url", "must begin with http:// or https://", atOnce},
		{"callback no URL", func(o object) { o["callback_url"] = "nowhere" }, "body.callback_url", "must begin with http:// or https://", atOnce},
		{"callback no host", func(o object) { o["callback_url"] = "https:///x" }, "body.callback_url", "host", atOnce},
		{"callback secret too short", func(o object) { o["callback_secret"] = "short" }, "body.callback_secret", "at least 16", atOnce},
		{"callback secret with a space", func(o object) { o["callback_secret"] = "sixteen letters and more" }, "body.callback_secret", "space", later},
		{"callback secret no base64", func(o object) { o["callback_secret"] = "whsec_no-base64-at-all" }, "body.callback_secret", "base64", later},
		{"event unknown", func(o object) { o["events"] = []any{"rendition.ready", "transcode.progress"} }, "body.events[1]", "one of transcode.queued", atOnce},
		{"event no string", func(o object) { o["events"] = []any{1} }, "body.events[0]", "string", atOnce},
		{"events no array", func(o object) { o["events"] = "rendition.ready" }, "body.events", "array", atOnce},
		{"too many events", func(o object) { o["events"] = make([]any, 13) }, "body.events", "at most 12", atOnce},
		{"events URL without events", func(o object) { o["events_url"] = "https://h/x" }, "body.events_url", "named in events", later},
		{"events URL in S3", func(o object) { o["events"], o["events_url"] = []any{"rendition.ready"}, "s3://media/x" }, "body.events_url", "http", later},
		{"labels no object", func(o object) { o["labels"] = "x" }, "body.labels", "object", atOnce},
		{"label with credentials", func(o object) { o["labels"] = object{"from": "https://u:p@h/x"} }, "body.labels.from", "credentials", atOnce},
		{"too many labels", func(o object) { o["labels"] = numbered(17, "x") }, "body.labels", "at most 16", atOnce},
		{"label with a bad key", func(o object) { o["labels"] = object{"a b": "x"} }, "body.labels", "a key that is not", atOnce},
		{"label with a long key", func(o object) { o["labels"] = object{strings.Repeat("a", 65): "x"} }, "body.labels", "a key that is not", atOnce},
		{"label empty", func(o object) { o["labels"] = object{"a/b": ""} }, "body.labels", "empty", atOnce},
		{"label null", func(o object) { o["labels"] = object{"a": nil} }, "body.labels.a", "string", atOnce},
		{"label too long", func(o object) { o["labels"] = object{"a": strings.Repeat("ü", 129)} }, "body.labels.a", "at most 128", atOnce},
		{"metadata too long", func(o object) { o["metadata"] = object{"a": strings.Repeat("x", 4090)} }, "body.metadata", "4096", atOnce},
		{"metadata too long when it is escaped", func(o object) { o["metadata"] = object{"a": strings.Repeat("<\u2028", 400)} }, "body.metadata", "4096", atOnce},
		{"metadata too long when its numbers are written out", func(o object) { o["metadata"] = object{"a": slices.Repeat([]any{rawNumber("1e20")}, 200)} }, "body.metadata", "4096", atOnce},
		{"metadata far too long", func(o object) { o["metadata"] = object{"a": strings.Repeat("x", 100_000)} }, "body.metadata", "4096", atOnce},
		{"metadata with too many keys", func(o object) { o["metadata"] = object{"a": numbered(40, "x"), "b": numbered(40, "x")} }, "body.metadata", "64 keys", atOnce},
		{"metadata with credentials", func(o object) { o["metadata"] = object{"a": []any{"see S3+https://KEY:SECRET@h/b"}} }, "body.metadata", "credentials", atOnce},
		{"metadata with credentials in a key", func(o object) { o["metadata"] = object{"https://h/?Token=x": 1} }, "body.metadata", "credentials", atOnce},
		{"metadata with a number too large", func(o object) { o["metadata"] = object{"a": rawNumber("1e309")} }, "body.metadata", "too large", atOnce},
		{"metadata with a number too near to 0", func(o object) { o["metadata"] = object{"a": rawNumber("1e-400")} }, "body.metadata", "near to 0", atOnce},
		{"metadata too deep", func(o object) { o["metadata"] = object{"a": object{"b": object{"c": object{"d": object{"e": 1}}}}} }, "body.metadata", "deeper", atOnce},
		{"metadata with lists too deep", func(o object) { o["metadata"] = object{"a": []any{[]any{[]any{[]any{1}}}}} }, "body.metadata", "deeper", atOnce},
		{"profiles no array", func(o object) { o["profiles"] = object{} }, "body.profiles", "array", atOnce},
		{"too many profiles", func(o object) { o["profiles"] = make([]any, 11) }, "body.profiles", "at most 10", atOnce},
		{"profile null", func(o object) { o["profiles"] = []any{nil} }, "body.profiles[0]", "object", atOnce},
		{"no name", func(o object) { delete(first(o), "name") }, "body.profiles[0].name", "missing", atOnce},
		{"name with a slash", func(o object) { first(o)["name"] = "a/b" }, "body.profiles[0].name", "letters", atOnce},
		{"name with dots", func(o object) { first(o)["name"] = "a..b" }, "body.profiles[0].name", "letters", atOnce},
		{"name with a last dot", func(o object) { first(o)["name"] = "a." }, "body.profiles[0].name", "letters", atOnce},
		{"name with a first dot", func(o object) { first(o)["name"] = ".a" }, "body.profiles[0].name", "letters", atOnce},
		{"name with a line end", func(o object) { first(o)["name"] = "a\n" }, "body.profiles[0].name", "letters", atOnce},
		{"name too long", func(o object) { first(o)["name"] = strings.Repeat("a", 65) }, "body.profiles[0].name", "64", atOnce},
		{"name twice", func(o object) { first(o)["name"] = "360P" }, "body.profiles[1].name", "own", atOnce},
		{"name is the source's", func(o object) {
			o["output"] = object{"url": "s3://media/in"}
			first(o)["name"] = "Clip"
		}, "body.profiles[0].name", "source", atOnce},
		{"no width", func(o object) { delete(first(o), "width") }, "body.profiles[0].width", "missing beside height", atOnce},
		{"no height", func(o object) { delete(first(o), "height") }, "body.profiles[0].height", "missing beside width", atOnce},
		{"width no number", func(o object) { first(o)["width"] = "640" }, "body.profiles[0].width", "number", atOnce},
		{"no width at all", func(o object) { first(o)["width"] = 0 }, "body.profiles[0].width", "1 to 8192", atOnce},
		{"width above 8K", func(o object) { first(o)["width"] = 8193 }, "body.profiles[0].width", "1 to 8192", atOnce},
		{"width no whole number", func(o object) { first(o)["width"] = 640.5 }, "body.profiles[0].width", "whole", atOnce},
		{"height negative", func(o object) { first(o)["height"] = -720 }, "body.profiles[0].height", "1 to 8192", atOnce},
		{"bitrate of 1", func(o object) { first(o)["bitrate"] = 1 }, "body.profiles[0].bitrate", "1000 to 1000000000", atOnce},
		{"bitrate of 100", func(o object) { first(o)["bitrate"] = 100 }, "body.profiles[0].bitrate", "1000 to 1000000000", atOnce},
		{"bitrate none", func(o object) { first(o)["bitrate"] = 0 }, "body.profiles[0].bitrate", "1000 to 1000000000", atOnce},
		{"bitrate negative", func(o object) { first(o)["bitrate"] = -5 }, "body.profiles[0].bitrate", "1000 to 1000000000", atOnce},
		{"bitrate too high", func(o object) { first(o)["bitrate"] = 3_000_000_000 }, "body.profiles[0].bitrate", "1000 to 1000000000", atOnce},
		{"quality too high", func(o object) { first(o)["quality"] = 45 }, "body.profiles[0].quality", "0 to 44", atOnce},
		{"quality negative", func(o object) { first(o)["quality"] = -1 }, "body.profiles[0].quality", "0 to 44", atOnce},
		{"fps negative", func(o object) { first(o)["fps"] = -1 }, "body.profiles[0].fps", "0 to", atOnce},
		{"fps no whole number", func(o object) { first(o)["fps"] = 29.97 }, "body.profiles[0].fps", "whole", atOnce},
		{"fps too high", func(o object) { first(o)["fps"] = 241 }, "body.profiles[0].fps", "240", atOnce},
		{"fps too high over fps_den", func(o object) { first(o)["fps"], first(o)["fps_den"] = 481, 2 }, "body.profiles[0].fps", "240", atOnce},
		{"fps_den negative", func(o object) { first(o)["fps_den"] = -1 }, "body.profiles[0].fps_den", "0 to 1001", atOnce},
		{"fps_den too high", func(o object) { first(o)["fps_den"] = 1002 }, "body.profiles[0].fps_den", "0 to 1001", atOnce},
		{"gop no number", func(o object) { first(o)["gop"] = "abc" }, "body.profiles[0].gop", "seconds", atOnce},
		{"gop negative", func(o object) { first(o)["gop"] = "-1" }, "body.profiles[0].gop", "seconds", atOnce},
		{"gop of years", func(o object) { first(o)["gop"] = "1e9" }, "body.profiles[0].gop", "seconds", atOnce},
		{"gop of years in digits", func(o object) { first(o)["gop"] = "1000000000" }, "body.profiles[0].gop", "9999", atOnce},
		{"gop no string", func(o object) { first(o)["gop"] = 2 }, "body.profiles[0].gop", "string", atOnce},
		{"codec profile", func(o object) { first(o)["profile"] = "VP9" }, "body.profiles[0].profile", "one of None H264Baseline", atOnce},
		{"encoder HEVC", func(o object) { first(o)["encoder"] = "HEVC" }, "body.profiles[0].encoder", "one of H.264", atOnce},
		{"encoder unknown", func(o object) { first(o)["encoder"] = "libx264" }, "body.profiles[0].encoder", "one of H.264", atOnce},
		{"color depth of 10", func(o object) { first(o)["color_depth"] = 10 }, "body.profiles[0].color_depth", "one of 0 8", atOnce},
		{"color depth of 10 as a Broadcaster counts", func(o object) { first(o)["color_depth"] = 2 }, "body.profiles[0].color_depth", "one of 0 8", atOnce},
		{"chroma 4:2:2", func(o object) { first(o)["chroma_format"] = 1 }, "body.profiles[0].chroma_format", "one of 0", atOnce},
		{"second profile", func(o object) { o["profiles"].([]any)[1].(object)["height"] = 0 }, "body.profiles[1].height", "1 to", atOnce},
		{"profile unknown field", func(o object) { first(o)["codec"] = "hevc" }, "body.profiles[0].codec", "no field", atOnce},
		{"unknown field", func(o object) { o["urgency"] = 1 }, "body.urgency", "no field", atOnce},
		{"clip no object", func(o object) { o["clip"] = "0-10" }, "body.clip", "object", atOnce},
		{"clip without a start", func(o object) { o["clip"] = object{"end_ms": 1000} }, "body.clip.start_ms", "missing", atOnce},
		{"clip without an end", func(o object) { o["clip"] = object{"start_ms": 1000} }, "body.clip.end_ms", "missing", atOnce},
		{"clip negative", func(o object) { o["clip"] = object{"start_ms": -1, "end_ms": 1000} }, "body.clip.start_ms", "from 0", atOnce},
		{"clip of a half", func(o object) { o["clip"] = object{"start_ms": 0.5, "end_ms": 1000} }, "body.clip.start_ms", "whole number", atOnce},
		{"clip backwards", func(o object) { o["clip"] = object{"start_ms": 2000, "end_ms": 1000} }, "body.clip.end_ms", "not behind start_ms", atOnce},
		{"clip of no time", func(o object) { o["clip"] = object{"start_ms": 2000, "end_ms": 2000, "clock": "Source"} }, "body.clip.end_ms", "not behind start_ms", atOnce},
		{"clip of another clock", func(o object) { o["clip"] = object{"start_ms": 0, "end_ms": 1, "clock": "utc"} }, "body.clip.clock", "one of source unix", atOnce},
		{"clip by the time of day of a file", func(o object) {
			o["clip"] = object{"start_ms": 1700000000000, "end_ms": 1700000001000, "clock": "unix"}
		}, "body.clip.clock", "no playlist", atOnce},
		{"clip by the time of day in seconds", func(o object) {
			o["source"] = object{"url": "https://h/in/index.m3u8?x=1"}
			o["clip"] = object{"start_ms": 1700000000, "end_ms": 1700000001, "clock": "UNIX"}
		}, "body.clip.start_ms", "no Unix time", atOnce},
		{"clip unknown field", func(o object) { o["clip"] = object{"start_ms": 0, "end_ms": 1, "start": 1} }, "body.clip.start", "no field", atOnce},
		{"priority too low", func(o object) { o["priority"] = 10 }, "body.priority", "from 0 to 9", atOnce},
		{"priority of a half", func(o object) { o["priority"] = 1.5 }, "body.priority", "whole number", atOnce},
		{"field in another case", func(o object) { o["Callback_URL"] = "https://h" }, "body.Callback_URL", "no field", atOnce},
		{"unknown field that is no name", func(o object) { o["s3://KEY:SECRET@h"] = 1 }, "body", "none of this request's", atOnce},
		{"empty external_id", func(o object) { o["external_id"] = "" }, "body.external_id", "empty", atOnce},
		{"external_id too long", func(o object) { o["external_id"] = strings.Repeat("x", 201) }, "body.external_id", "200", atOnce},
		{"external_id with a zero", func(o object) { o["external_id"] = "a\x00b" }, "body.external_id", "control", unmade},
		{"Livepeer without a token", func(o object) { o["livepeer"] = object{} }, "body.livepeer.access_token", "missing", atOnce},
		{"Livepeer URL", func(o object) { o["livepeer"] = object{"access_token": "t", "api_url": "ftp://h"} }, "body.livepeer.api_url", "must begin with http:// or https://", atOnce},
	}...)
}

// TestRefusals: every refusal of a body names the field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range refusals() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := submission()
			test.change(body)
			p := b.do(t, studio, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusUnprocessableEntity)
			require.Equal(t, []string{test.field}, p.locations())
			require.Contains(t, p.Errors[0].Message, test.says)
		})
	}
}

// TestProfilesTaken: what a Broadcaster takes is taken.
func TestProfilesTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, fields := range map[string]object{
		"tiny":            {"width": 1, "height": 1},
		"huge":            {"width": 8192, "height": 8192},
		"least bitrate":   {"bitrate": 1000},
		"most bitrate":    {"bitrate": 1_000_000_000},
		"rate of NTSC":    {"fps": 30000, "fps_den": 1001},
		"fastest":         {"fps": 240},
		"no gop":          {"gop": ""},
		"gop 0":           {"gop": "0.0"},
		"gop intra":       {"gop": "intra"},
		"gop of an hour":  {"gop": "3600"},
		"profile in case": {"profile": "h264main"},
		"profile none":    {"profile": "none"},
		"codec":           {"encoder": "h.264", "color_depth": 0, "chroma_format": 0},
		"codec's words":   {"encoder": "H264", "color_depth": 8},
		"quality":         {"quality": 44},
		"source's size":   {"width": nil, "height": nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := submission()
			maps.Copy(body["profiles"].([]any)[0].(object), fields)
			b.submit(t, body)
		})
	}
}

// TestRefusalsOfFile are those that only the old form has.
func TestRefusalsOfFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := func(o object) object { return o["profiles"].([]any)[0].(object) }
	for _, test := range []struct {
		name   string
		change func(o object)
		field  string
		says   string
	}{
		{"no source", func(o object) { delete(o, "source_location") }, "body.source_location", "missing"},
		{"source bad", func(o object) { o["source_location"] = "nowhere" }, "body.source_location", "scheme"},
		{"source no S3", func(o object) { o["source_location"] = "https://h/x.mp4" }, "body.source_location", "S3"},
		{"source no object", func(o object) { o["source_location"] = "s3://media" }, "body.source_location", "folder"},
		{"no manifestID", func(o object) { delete(o, "manifestID") }, "body.manifestID", "missing"},
		{"no verificationFreq", func(o object) { delete(o, "verificationFreq") }, "body.verificationFreq", "missing"},
		{"Livepeer URL", func(o object) { o["accessToken"], o["transcodeAPIUrl"] = "t", "x" }, "body.transcodeAPIUrl", "must begin with http:// or https://"},
		{"name is the source's", func(o object) { o["profiles"].([]any)[0].(object)["name"] = "clip" }, "body.profiles[0].name", "source"},
		{"unknown field", func(o object) { o["external_id"] = "x" }, "body.external_id", "no field"},
		{"profile unknown field", func(o object) { o["profiles"].([]any)[0].(object)["codec"] = "x" }, "body.profiles[0].codec", "no field"},
		{"no profiles", func(o object) { delete(o, "profiles") }, "body.profiles", "missing"},
		{"empty profiles", func(o object) { o["profiles"] = []any{} }, "body.profiles", "at least 1"},
		{"no width", func(o object) { delete(first(o), "width") }, "body.profiles[0].width", "missing"},
		{"profile too small", func(o object) { o["profiles"].([]any)[0].(object)["width"] = 0 }, "body.profiles[0].width", "1 to"},
		{"too many profiles", func(o object) { o["profiles"] = make([]any, 11) }, "body.profiles", "at most 10"},
		{"fps too high", func(o object) { first(o)["fps"], first(o)["fpsDen"] = 481, 2 }, "body.profiles[0].fps", "240"},
		{"fpsDen too high", func(o object) { first(o)["fpsDen"] = 1002 }, "body.profiles[0].fpsDen", "0 to 1001"},
		{"v1's spelling", func(o object) { first(o)["fps_den"] = 1 }, "body.profiles[0].fps_den", "no field"},
		{"encoder HEVC", func(o object) { first(o)["encoder"] = "HEVC" }, "body.profiles[0].encoder", "one of H.264"},
		{"color depth of 10", func(o object) { first(o)["colorDepth"] = 10 }, "body.profiles[0].colorDepth", "one of 0 8"},
		{"chroma 4:4:4", func(o object) { first(o)["chromaFormat"] = 2 }, "body.profiles[0].chromaFormat", "one of 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := fileSubmission()
			test.change(body)
			p := b.do(t, studio, http.MethodPost, "/api/transcode/file", body).problem(t, http.StatusUnprocessableEntity)
			require.Equal(t, []string{test.field}, p.locations())
			require.Contains(t, p.Errors[0].Message, test.says)
		})
	}
}

// TestRefusalsOfBodies are those before a body's fields.
func TestRefusalsOfBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"empty", "", http.StatusBadRequest, "empty"},
		{"cut", `{"source":`, http.StatusBadRequest, "behind byte 10"},
		{"broken", `{"source": {"url": s3}}`, http.StatusBadRequest, "from byte 20 on"},
		{"two values", `{} {}`, http.StatusBadRequest, "ends with byte 2"},
		{"no JSON", "source=s3", http.StatusBadRequest, "from byte 1 on"},
		{"deep", strings.Repeat("[", 20000), http.StatusBadRequest, "from byte 10001 on"},
		{"no UTF-8", "{\"external_id\": \"\xff\"}", http.StatusBadRequest, "no UTF-8 at byte 18"},
		{"cut character", "{\"\xe2\x82\": 1}", http.StatusBadRequest, "no UTF-8 at byte 3"},
		{"half a character", `{"external_id": "\ud800"}`, http.StatusBadRequest, "half a character (a \\u of D800 to DFFF without its other) at byte 18"},
		{"the other half", `{"x": "\ud83d\ude00\\ud800\udc00"}`, http.StatusBadRequest, "at byte 27"},
		{"two first halves", `["\ud800\ud800"]`, http.StatusBadRequest, "at byte 3"},
		{"no object", `[]`, http.StatusUnprocessableEntity, "object"},
		{"null", `null`, http.StatusUnprocessableEntity, "object"},
		{"at the limit", `"` + strings.Repeat("x", 1<<20-2) + `"`, http.StatusUnprocessableEntity, "object"},
		{"too large", `"` + strings.Repeat("x", 1<<20-1) + `"`, http.StatusRequestEntityTooLarge, "1048576"},
	} {
		for _, path := range []string{"/v1/transcodes", "/api/transcode/file"} {
			t.Run(test.name+path, func(t *testing.T) {
				t.Parallel()
				p := b.do(t, studio, http.MethodPost, path, test.body).problem(t, test.status)
				require.Equal(t, []string{"body"}, p.locations())
				require.Contains(t, p.Errors[0].Message, test.says)
			})
		}
	}
	t.Run("content type", func(t *testing.T) {
		t.Parallel()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/transcodes", strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+studio)
		req.Header.Set("Content-Type", "text/plain")
		p := b.send(t, req).problem(t, http.StatusUnsupportedMediaType)
		require.Equal(t, []string{"header.Content-Type"}, p.locations())
	})
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		p := b.do(t, studio, http.MethodPost, "/v1/transcodes", object{"x": 1, "callback_url": 2}).problem(t, http.StatusUnprocessableEntity)
		require.Equal(t, []string{"body.source", "body.output", "body.callback_url", "body.x"}, p.locations())
	})
	t.Run("not without end", func(t *testing.T) {
		t.Parallel()
		body := object{}
		for i := range 1000 {
			body["f"+strings.Repeat("x", i%30)+string(rune('a'+i%26))] = 1
		}
		p := b.do(t, studio, http.MethodPost, "/v1/transcodes", body).problem(t, http.StatusUnprocessableEntity)
		require.Len(t, p.Errors, 32)
	})
}

// TestRefusalsOfQueries are those of paths and queries.
func TestRefusalsOfQueries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, test := range []struct {
		path, field string
		status      int
	}{
		{"/v1/transcodes?limit=0", "query.limit", http.StatusUnprocessableEntity},
		{"/v1/transcodes?limit=201", "query.limit", http.StatusUnprocessableEntity},
		{"/v1/transcodes?limit=many", "query.limit", http.StatusUnprocessableEntity},
		{"/v1/transcodes?state=gone", "query.state", http.StatusUnprocessableEntity},
		{"/v1/transcodes?created_from=yesterday", "query.created_from", http.StatusUnprocessableEntity},
		{"/v1/transcodes?page=x", "query.page", http.StatusUnprocessableEntity},
		{"/v1/transcodes?page=" + strings.Repeat("x", 101), "query.page", http.StatusUnprocessableEntity},
		{"/v1/transcodes?sort=up", "query.sort", http.StatusUnprocessableEntity},
		{"/v1/transcodes?s3://KEY:hush@h=1", "query", http.StatusUnprocessableEntity},
		{"/v1/transcodes?external_id=" + strings.Repeat("x", 201), "query.external_id", http.StatusUnprocessableEntity},
		{"/v1/transcodes?external_id=a%00b", "query.external_id", http.StatusUnprocessableEntity},
		{"/v1/transcodes?host=a%00b", "query.host", http.StatusUnprocessableEntity},
		{"/v1/transcodes?external_id=%ff", "query.external_id", http.StatusUnprocessableEntity},
		{"/v1/transcodes?tenant=%ff", "query.tenant", http.StatusUnprocessableEntity},
		{"/v1/transcodes?%ff=1", "query", http.StatusUnprocessableEntity},
		{"/v1/transcodes?external_id=%zz", "query", http.StatusUnprocessableEntity},
		{"/v1/transcodes?external_id=a;b", "query", http.StatusUnprocessableEntity},
		{"/v1/transcodes/%ff", "path.id", http.StatusUnprocessableEntity},
		{"/v1/transcodes?tenant=other", "query.tenant", http.StatusForbidden},
		{"/v1/transcodes/1", "path.id", http.StatusUnprocessableEntity},
		{"/v1/transcodes/0199c0de-0000-7000-8000-000000000000", "path.id", http.StatusNotFound},
	} {
		t.Run(test.path[:min(len(test.path), 60)], func(t *testing.T) {
			t.Parallel()
			a := b.do(t, studio, http.MethodGet, test.path, nil)
			p := a.problem(t, test.status)
			require.Equal(t, []string{test.field}, p.locations())
			require.NotContains(t, a.text, "hush")
		})
	}
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		p := b.do(t, studio, http.MethodPost, "/v1/transcodes/1/cancel", nil).problem(t, http.StatusUnprocessableEntity)
		require.Equal(t, []string{"path.id"}, p.locations())
	})
}

func TestRoutesThatAreNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.do(t, studio, http.MethodGet, "/v2/transcodes", nil).problem(t, http.StatusNotFound)
	a := b.do(t, studio, http.MethodDelete, "/v1/transcodes", nil)
	a.problem(t, http.StatusMethodNotAllowed)
	require.Equal(t, "GET, HEAD, POST", a.header.Get("Allow"))
}

func TestLocalSourcesOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *api.Config) { cfg.AllowHTTPSource = true })
	body := submission()
	body["source"] = object{"url": "http://127.0.0.1:8080/clip.mp4?token=hush"}
	require.Equal(t, "http://127.0.0.1:8080/clip.mp4", b.submit(t, body).Source.Location)
}
