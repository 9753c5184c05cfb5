package broadcaster_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/mist/mistsim/broadcaster"
	"weir/mist/mistsim/ts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bundle struct {
	*broadcaster.Broadcaster
	url    string
	client *http.Client
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b, err := broadcaster.New(&broadcaster.Config{})
	require.NoError(t, err)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &bundle{Broadcaster: b, url: server.URL, client: client}
}

// segment makes one as MistProcLivepeer sends it: whole milliseconds, starting
// at a keyframe.
func segment(t *testing.T, args string, startMS int64) ([]byte, int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "segment.ts")
	out, err := exec.Command("ffmpeg", strings.Fields("-nostdin -loglevel error "+args+" "+path)...).CombinedOutput()
	require.NoError(t, err, "%s (apt-get install ffmpeg)", out)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var packed []byte
	n := 0
	var mux *ts.Muxer
	var first int64
	for d := ts.NewDemuxer(bytes.NewReader(data)); ; n++ {
		f, err := d.Next()
		if err != nil {
			return packed, n
		}
		if mux == nil {
			mux, first = ts.NewMuxer(f.Codec), f.MS()
		}
		ms := f.MS() - first + startMS
		packed = mux.Append(packed, &ts.Frame{DTS: ms * ts.TicksPerMS, PTS: (ms + f.OffsetMS()) * ts.TicksPerMS, Key: f.Key, Data: f.Data})
	}
}

type object = map[string]any

func (b *bundle) post(t *testing.T, data []byte, profiles ...object) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.url+"/live/stream-1/0.ts", bytes.NewReader(data))
	require.NoError(t, err)
	text, err := json.Marshal(object{"profiles": profiles})
	require.NoError(t, err)
	req.Header.Set("Livepeer-Transcode-Configuration", string(text))
	req.Header.Set("Accept", "multipart/mixed")
	req.Header.Set("Content-Duration", "2000")
	req.Header.Set("Content-Resolution", "320x180")
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

type rendition struct {
	name   string
	frames []*ts.Frame
	header ts.Header
}

func renditions(t *testing.T, resp *http.Response) []rendition {
	t.Helper()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	kind := resp.Header.Get("Content-Type")
	// Mist looks for "boundary=" and takes all that follows.
	_, boundary, found := strings.Cut(kind, "multipart/mixed; boundary=")
	require.True(t, found, kind)
	require.NotContains(t, boundary, `"`)
	require.NotContains(t, boundary, ";")
	_, parameters, err := mime.ParseMediaType(kind)
	require.NoError(t, err)
	require.Equal(t, boundary, parameters["boundary"])
	var out []rendition
	reader := multipart.NewReader(resp.Body, boundary)
	for {
		part, err := reader.NextPart()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return out
		}
		require.Equal(t, "video/mp2t", part.Header.Get("Content-Type"))
		r := rendition{name: part.Header.Get("Rendition-Name")}
		for d := ts.NewDemuxer(part); ; {
			f, err := d.Next()
			if err != nil {
				break
			}
			if !ts.IsVideo(f.Codec) {
				continue
			}
			if h, ok := ts.ParseHeader(f.Codec, f.Data); ok {
				r.header = h
			}
			r.frames = append(r.frames, f)
		}
		out = append(out, r)
	}
}

func TestTranscode(t *testing.T) {
	t.Parallel()
	const picture = "-f lavfi -i testsrc2=size=320x180:rate=30 -t 2 -pix_fmt yuv420p -g 300 "
	ladder := []object{
		{"name": "b", "bitrate": 300_000, "width": 320, "height": 176, "fps": 30},
		{"name": "a", "bitrate": 100_000, "width": 160, "height": 80, "fps": 30_000, "fpsDen": 1000, "gop": "0.5"},
		{"name": "half", "bitrate": 100_000, "width": 160, "height": 80, "fps": 15},
	}
	cases := map[string]string{
		"h264":     picture + "-c:v libx264 -preset ultrafast",
		"B-frames": picture + "-c:v libx264 -preset veryfast -bf 3",
		"hevc":     picture + "-c:v libx265 -preset ultrafast -x265-params log-level=none",
		"mpeg2":    picture + "-c:v mpeg2video",
		"ntsc":     "-f lavfi -i testsrc2=size=320x180:rate=30000/1001 -frames:v 60 -pix_fmt yuv420p -g 300 -c:v libx264 -preset ultrafast",
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const start = 7_333
			data, n := segment(t, args, start)
			got := renditions(t, b.post(t, data, ladder...))
			require.Len(t, got, len(ladder))
			for i, r := range got {
				want := ladder[i]
				require.Equal(t, want["name"], r.name, "parts come in the order of the profiles")
				require.Equal(t, [2]any{want["width"], want["height"]}, [2]any{r.header.Width, r.header.Height})
				require.True(t, r.frames[0].Key, "a rendition starts with a keyframe")
			}
			require.Len(t, got[0].frames, n, "every frame, once")
			require.Len(t, got[1].frames, n, "every frame, once")
			require.Len(t, got[2].frames, n/2, "half the rate")
			require.Equal(t, 15_000, got[2].header.FPKS)
			if name == "h264" {
				require.Equal(t, int64(start), got[0].frames[0].MS(), "timestamps are kept")
				require.Equal(t, 30_000, got[0].header.FPKS)
			}
			keys := 0
			for _, f := range got[1].frames {
				if f.Key {
					keys++
				}
			}
			require.Equal(t, 4, keys, "a keyframe every half second")
			require.EqualValues(t, 1, b.Segments())
		})
	}
}

// TestVariableRate: frames come as they are where no rate is asked for.
func TestVariableRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	data, n := segment(t, "-f lavfi -i testsrc2=size=320x180:rate=30 -t 2 -vf select='not(mod(n\\,3))+lt(n\\,20)' -vsync vfr -pix_fmt yuv420p -c:v libx264 -preset ultrafast", 0)
	require.Greater(t, n, 20)
	require.Less(t, n, 60)
	got := renditions(t, b.post(t, data, object{"name": "a", "bitrate": 100_000, "width": 160, "height": 80}))
	require.Len(t, got[0].frames, n)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	data, _ := segment(t, "-f lavfi -i testsrc2=size=64x64:rate=10 -t 1 -c:v libx264 -preset ultrafast", 0)
	good := object{"name": "a", "bitrate": 100_000, "width": 64, "height": 64}
	require.Equal(t, http.StatusBadRequest, b.post(t, data).StatusCode, "no profiles")
	require.Equal(t, http.StatusBadRequest, b.post(t, data, object{"name": "a", "width": 0, "height": 2}).StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, b.post(t, []byte("no media at all"), good).StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, b.post(t, nil, good).StatusCode)
	require.Len(t, renditions(t, b.post(t, data, good)), 1)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	data, n := segment(t, "-f lavfi -i testsrc2=size=64x64:rate=10 -t 1 -c:v libx264 -preset ultrafast", 0)
	profile := object{"name": "a", "bitrate": 100_000, "width": 64, "height": 64}
	set := func(f broadcaster.Faults) int {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		resp, err := b.client.Post(b.url+broadcaster.FaultsPath, "application/json", bytes.NewReader(text))
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, http.StatusBadRequest, set(broadcaster.Faults{Mode: "nonsense"}))

	require.Equal(t, http.StatusOK, set(broadcaster.Faults{Mode: broadcaster.ModeRefuse, Segments: 1}))
	require.Equal(t, http.StatusUnprocessableEntity, b.post(t, data, profile).StatusCode)
	require.Equal(t, http.StatusOK, b.post(t, data, profile).StatusCode, "once only")

	set(broadcaster.Faults{Mode: broadcaster.ModeError, Match: "other-stream"})
	require.Equal(t, http.StatusOK, b.post(t, data, profile).StatusCode, "another stream's")
	set(broadcaster.Faults{Mode: broadcaster.ModeError, Match: "stream-1"})
	require.Equal(t, http.StatusInternalServerError, b.post(t, data, profile).StatusCode)

	set(broadcaster.Faults{Mode: broadcaster.ModeContentType})
	require.Equal(t, "text/plain", b.post(t, data, profile).Header.Get("Content-Type"))

	set(broadcaster.Faults{Mode: broadcaster.ModeGarbage})
	require.Empty(t, renditions(t, b.post(t, data, profile))[0].frames)
	set(broadcaster.Faults{Mode: broadcaster.ModeFewer})
	second := object{"name": "b", "bitrate": 100_000, "width": 64, "height": 64}
	fewer := renditions(t, b.post(t, data, profile, second))
	require.Len(t, fewer, 1)
	require.Equal(t, "a", fewer[0].name)
	set(broadcaster.Faults{Mode: broadcaster.ModeTruncate})
	require.Less(t, len(renditions(t, b.post(t, data, profile))[0].frames), n)

	const delay = 100
	set(broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: delay})
	began := time.Now()
	require.Equal(t, http.StatusOK, b.post(t, data, profile).StatusCode)
	require.GreaterOrEqual(t, time.Since(began), delay*time.Millisecond)

	require.NoError(t, b.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeClose}))
	req, err := http.NewRequest(http.MethodPost, b.url+"/live/x/0.ts", bytes.NewReader(data))
	require.NoError(t, err)
	req.Header.Set("Livepeer-Transcode-Configuration", `{"profiles":[{"name":"a","width":64,"height":64}]}`)
	_, err = b.client.Do(req)
	require.Error(t, err)
}
