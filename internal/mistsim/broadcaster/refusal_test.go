package broadcaster_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
	"weir/internal/mistsim/ts"
)

// small is a segment that costs little.
func small(t *testing.T) []byte {
	t.Helper()
	return segment(t, picture("160x90", "10", 10)+h264, 1000)
}

// TestRefusals: what is wrong with a post, and the answer's very words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	data := small(t)
	one := func(changes object) string { return header(t, with(changes)) }
	many := func(n int) string {
		profiles := make([]object, n)
		for i := range profiles {
			profiles[i] = with(object{"name": fmt.Sprint(i)})
		}
		return header(t, profiles...)
	}
	const (
		segmentError = "http push error processing segment url={url} manifestID=m err=%q"
		noManifest   = "Could not create stream ID: url={url}"
		badConfig    = "failed to parse transcode config header: %q"
	)
	cases := map[string]struct {
		config string
		data   []byte
		status int
		text   string
	}{
		"garbage":             {one(nil), []byte(strings.Repeat("no media at all G", 1000)), 422, fmt.Sprintf(segmentError, "TranscoderInvalidVideo")},
		"empty":               {one(nil), nil, 422, fmt.Sprintf(segmentError, "TranscoderInvalidVideo")},
		"11 profiles":         {many(11), data, 422, fmt.Sprintf(segmentError, "Too many outputs")},
		"endless GOP":         {one(object{"gop": "1e9"}), data, 422, fmt.Sprintf(segmentError, "TranscoderInvalidGOP")},
		"unknown profile":     {one(object{"profile": "H264Best"}), data, 500, noManifest},
		"GOP of letters":      {one(object{"gop": "abc"}), data, 500, noManifest},
		"GOP below 0":         {one(object{"gop": "-1"}), data, 500, noManifest},
		"unknown encoder":     {one(object{"encoder": "H.262"}), data, 500, noManifest},
		"HEVC":                {one(object{"encoder": "HEVC"}), data, 503, "No sessions available"},
		"HEVC from garbage":   {one(object{"encoder": "HEVC"}), nil, 503, "No sessions available"},
		"fps with a fraction": {one(object{"fps": 29.97}), data, 400, fmt.Sprintf(badConfig, "json: cannot unmarshal number 29.97 into Go struct field JsonProfile.profiles.fps of type uint")},
		"fps below 0":         {one(object{"fps": -1}), data, 400, fmt.Sprintf(badConfig, "json: cannot unmarshal number -1 into Go struct field JsonProfile.profiles.fps of type uint")},
		"GOP as a number":     {one(object{"gop": 1}), data, 400, fmt.Sprintf(badConfig, "json: cannot unmarshal number into Go struct field JsonProfile.profiles.gop of type string")},
		"no JSON":             {"nojson", data, 400, fmt.Sprintf(badConfig, "invalid character 'o' in literal null (expecting 'u')")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			got := b.do(t, b.request(t, "/live/m/0.ts", c.config, c.data))
			require.Equal(t, c.status, got.status)
			require.Equal(t, strings.ReplaceAll(c.text, "{url}", b.url+"/live/m/0.ts")+"\n", string(got.body))
			require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
			require.Zero(t, b.Segments())
		})
	}
	b := setup(t, broadcaster.Config{})
	require.Len(t, b.do(t, b.request(t, "/live/m/0.ts", many(10), data)).parts(t), 10, "ten are taken")
}

// TestBitrates: what libx264 does not open with drops the connection.
func TestBitrates(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := small(t)
	for _, bitrate := range []int{0, 1000, 10_000, 1_000_000_000} {
		require.Len(t, b.one(t, data, object{"bitrate": bitrate}).frames, 30, "10 frames at 30 a second")
	}
	for i, bitrate := range []int{1, 100, 999, -5, 3_000_000_000} {
		config := header(t, with(object{"bitrate": bitrate}))
		_, err := b.client.Do(b.request(t, fmt.Sprintf("/live/bitrate-%d/0.ts", i), config, data))
		require.Error(t, err, bitrate)
	}
}

// TestDefaultProfiles: no header and one without profiles mean two; an empty list
// means an empty answer.
func TestDefaultProfiles(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := small(t)
	for i, config := range []string{"", "{}", `{"profiles":null}`} {
		got := b.do(t, b.request(t, fmt.Sprintf("/live/%d/0.ts", i), config, data)).parts(t)
		require.Len(t, got, 2)
		for j, want := range []struct {
			name   string
			height int
		}{{"P240p30fps16x9", 240}, {"P360p30fps16x9", 360}} {
			require.Equal(t, want.name, got[j].header.Get("Rendition-Name"))
			require.Equal(t, want.height, got[j].codec.Height)
			require.Len(t, got[j].frames, 30)
		}
	}
	got := b.do(t, b.request(t, "/live/none/0.ts", `{"profiles":[]}`, data))
	require.Equal(t, http.StatusOK, got.status)
	require.Empty(t, got.body)
	require.Empty(t, got.header.Values("Content-Type"))
}

// TestNames: a profile without a name gets one; of two with one name, the last counts.
func TestNames(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := small(t)
	got := b.post(t, data, with(object{"name": nil, "width": 320, "height": 176, "bitrate": 300_000})).parts(t)
	require.Equal(t, "custom_320x176_300000", got[0].header.Get("Rendition-Name"))
	got = b.post(t, data, with(nil), with(object{"width": 320})).parts(t)
	require.Len(t, got, 2)
	require.Equal(t, got[1].body, got[0].body)
	require.Equal(t, 320, got[0].codec.Width)
}

// TestAccept: renditions go only to who accepts just multipart/mixed.
func TestAccept(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := small(t)
	for _, accept := range []string{"", "*/*", "multipart/mixed, */*", "Multipart/Mixed"} {
		req := b.request(t, "/live/m/0.ts", header(t, with(nil)), data)
		req.Header.Set("Accept", accept)
		got := b.do(t, req)
		require.Equal(t, http.StatusOK, got.status)
		require.Empty(t, got.body)
		require.Empty(t, got.header.Values("Content-Type"))
	}
}

// TestParts: the answer's form, to the letter.
func TestParts(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	resp, err := b.client.Do(b.request(t, "/live/m/7.ts", header(t, with(object{"name": "720p"}), with(object{"name": "360p"})), small(t)))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, []string{"chunked"}, resp.TransferEncoding)
	require.Regexp(t, `^multipart/mixed; boundary=[0-9a-f]{20}$`, resp.Header.Get("Content-Type"))
	got := b.do(t, b.request(t, "/live/m/7.ts", "", small(t)))
	parts := got.parts(t)
	for i, name := range []string{"720p", "360p"} {
		require.Equal(t, http.Header{
			"Content-Disposition": {`attachment; filename="` + name + `_7.ts"`},
			"Content-Length":      {fmt.Sprint(len(parts[i].body))},
			"Content-Type":        {`video/mp2t; name="` + name + `_7.ts"`},
			"Rendition-Name":      {name},
		}, parts[i].header)
	}
}

// TestRequests: methods, names, durations and extensions.
func TestRequests(t *testing.T) {
	t.Parallel()
	data := small(t)
	cases := map[string]struct {
		method, path, duration string
		status                 int
		text                   string
	}{
		"POST":               {http.MethodPost, "/live/m/0.ts", "2000", 200, ""},
		"PUT":                {http.MethodPut, "/live/m/0.ts", "2000", 200, ""},
		"GET":                {http.MethodGet, "/live/m/0.ts", "2000", 405, "http push request wrong method=GET url=/live/m/0.ts host={host}"},
		"a playlist":         {http.MethodPost, "/live/m/0.m3u8", "2000", 400, "ignoring file extension: .m3u8"},
		"no segment":         {http.MethodPost, "/live/m", "2000", 400, "ignoring file extension: "},
		"duration below 0":   {http.MethodPost, "/live/m/0.ts", "-1", 500, `http push error processing segment url=http://{host}/live/m/0.ts manifestID=m err="invalid duration -0.001"`},
		"duration too long":  {http.MethodPost, "/live/m/0.ts", "300001", 500, `http push error processing segment url=http://{host}/live/m/0.ts manifestID=m err="invalid duration 300.001"`},
		"the longest":        {http.MethodPost, "/live/m/0.ts", "300000", 200, ""},
		"no duration":        {http.MethodPost, "/live/m/0.ts", "", 200, ""},
		"a seq of letters":   {http.MethodPost, "/live/m/abc.ts", "2000", 200, ""},
		"a seq with a point": {http.MethodPost, "/live/m/1.5.ts", "2000", 200, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			req := b.request(t, c.path, header(t, with(nil)), data)
			req.Method = c.method
			req.Header.Set("Content-Duration", c.duration)
			got := b.do(t, req)
			require.Equal(t, c.status, got.status)
			if c.status != http.StatusOK {
				require.Equal(t, strings.ReplaceAll(c.text, "{host}", req.Host)+"\n", string(got.body))
				return
			}
			require.Equal(t, `attachment; filename="a_0.ts"`, got.parts(t)[0].header.Get("Content-Disposition"))
		})
	}
}

// TestMP4: the extension chooses the answer's form.
func TestMP4(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	got := b.do(t, b.request(t, "/live/m/3.mp4", header(t, with(nil)), small(t))).parts(t)[0]
	require.Equal(t, `video/mp4; name="a_3.mp4"`, got.header.Get("Content-Type"))
	require.Equal(t, "ftyp", string(got.body[4:8]))
}

// TestSlices: counted from the segment's first frame, both ends included; after a
// start that is cut off, times begin at 0.
func TestSlices(t *testing.T) {
	t.Parallel()
	data := ffmpeg(t, picture("160x90", "30", 60)+sine+h264+" -c:a aac -output_ts_offset 3")
	cases := map[string]struct {
		from, to      string
		frames        int
		startMS       int64
		status, sound int
	}{
		"all":        {"", "", 60, 3000, 200, 0},
		"from":       {"500", "", 45, 0, 200, 0},
		"to":         {"", "1000", 31, 3000, 200, 0},
		"from to":    {"500", "1000", 16, 0, 200, 0},
		"backwards":  {"1500", "1000", 0, 0, 400, 0},
		"no numbers": {"a", "-1", 60, 3000, 200, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			req := b.request(t, "/live/m/0.ts", header(t, with(object{"profile": "H264Baseline"})), data)
			req.Header.Set("Content-Slice-From", c.from)
			req.Header.Set("Content-Slice-To", c.to)
			got := b.do(t, req)
			if c.status != http.StatusOK {
				require.Equal(t, c.status, got.status)
				require.Equal(t, "Invalid slice config from=1.5s to=1s\n", string(got.body))
				return
			}
			part := got.parts(t)[0]
			require.Len(t, part.frames, c.frames)
			require.Equal(t, c.startMS*ts.TicksPerMS, part.frames[0].PTS)
		})
	}
}

// TestNothingLeft: a slice beyond the end leaves the encoder without a frame.
func TestNothingLeft(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	req := b.request(t, "/live/m/0.ts", header(t, with(nil)), small(t))
	req.Header.Set("Content-Slice-From", "5000")
	_, err := b.client.Do(req)
	require.Error(t, err)
}
