package broadcaster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/internal/mistsim/broadcaster"
	"weir/internal/mistsim/ts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bundle struct {
	*broadcaster.Broadcaster
	url    string
	client *http.Client
	// manifests is how many this test has made.
	manifests int
}

func setup(t *testing.T, cfg broadcaster.Config) *bundle {
	t.Helper()
	b, err := broadcaster.New(&cfg)
	require.NoError(t, err)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	t.Cleanup(b.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return &bundle{Broadcaster: b, url: server.URL, client: client}
}

// ffmpeg runs it and returns what it writes.
func ffmpeg(t *testing.T, args string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.ts")
	out, err := exec.Command("ffmpeg", strings.Fields("-nostdin -loglevel error "+args+" -muxdelay 0 -muxpreload 0 "+path)...).CombinedOutput()
	require.NoError(t, err, "%s (apt-get install ffmpeg)", out)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// Encoders of sources: one keyframe, no B-frames.
const (
	h264  = " -pix_fmt yuv420p -g 300 -c:v libx264 -preset ultrafast"
	hevc  = " -pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params log-level=none"
	mpeg2 = " -pix_fmt yuv420p -c:v mpeg2video"
	sine  = " -f lavfi -i sine=1000 -shortest"
)

// picture is the input of a source: so many frames of a size, at a rate.
func picture(size, rate string, frames int) string {
	return fmt.Sprintf("-f lavfi -i testsrc2=size=%s:rate=%s,trim=end_frame=%d", size, rate, frames)
}

// frames reads the video of a transport stream.
func frames(data []byte) (out []*ts.Frame) {
	for d := ts.NewDemuxer(bytes.NewReader(data)); ; {
		f, err := d.Next()
		if err != nil {
			return out
		}
		if ts.IsVideo(f.Codec) {
			out = append(out, f)
		}
	}
}

// segment makes one as MistProcLivepeer sends it: whole milliseconds, from a
// keyframe at startMS on, which may lie between two of them.
func segment(t *testing.T, args string, startMS float64) []byte {
	t.Helper()
	var packed []byte
	var mux *ts.Muxer
	var first int64
	for _, f := range frames(ffmpeg(t, args)) {
		if mux == nil {
			mux, first = ts.NewMuxer(f.Codec), f.DTS
		}
		ms := func(ticks int64) int64 { return int64(float64(ticks-first)/ts.TicksPerMS+startMS) * ts.TicksPerMS }
		packed = mux.Append(packed, &ts.Frame{DTS: ms(f.DTS), PTS: ms(f.PTS), Key: f.Key, Data: f.Data})
	}
	return packed
}

type object = map[string]any

// with is a small profile with these changes.
func with(changes object) object {
	p := object{"name": "a", "bitrate": 100_000, "width": 160, "height": 96, "fps": 30}
	for key, v := range changes {
		if p[key] = v; v == nil {
			delete(p, key)
		}
	}
	return p
}

func header(t *testing.T, profiles ...object) string {
	t.Helper()
	text, err := json.Marshal(object{"profiles": profiles})
	require.NoError(t, err)
	return string(text)
}

// request is a post as MistProcLivepeer makes it.
func (b *bundle) request(t *testing.T, path, config string, data []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.url+path, bytes.NewReader(data))
	require.NoError(t, err)
	req.Header.Set("Livepeer-Transcode-Configuration", config)
	req.Header.Set("Accept", "multipart/mixed")
	req.Header.Set("Content-Duration", "2000")
	req.Header.Set("Content-Resolution", "320x180")
	return req
}

// answer is a reply, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (b *bundle) do(t *testing.T, req *http.Request) *answer {
	t.Helper()
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}
}

// post sends a segment of a manifest of its own.
func (b *bundle) post(t *testing.T, data []byte, profiles ...object) *answer {
	t.Helper()
	b.manifests++
	return b.do(t, b.request(t, fmt.Sprintf("/live/stream-%d/0.ts", b.manifests), header(t, profiles...), data))
}

// part is one rendition.
type part struct {
	header http.Header
	body   []byte
	frames []*ts.Frame
	codec  ts.Header
}

func (a *answer) parts(t *testing.T) (out []part) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	kind := a.header.Get("Content-Type")
	// Mist looks for "boundary=" and takes all that follows.
	_, boundary, found := strings.Cut(kind, "multipart/mixed; boundary=")
	require.True(t, found, kind)
	for reader := multipart.NewReader(bytes.NewReader(a.body), boundary); ; {
		p, err := reader.NextPart()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return out
		}
		data, err := io.ReadAll(p)
		require.NoError(t, err)
		one := part{header: http.Header(p.Header), body: data, frames: frames(data)}
		if len(one.frames) > 0 {
			one.codec, _ = ts.ParseHeader(ts.H264, one.frames[0].Data)
		}
		out = append(out, one)
	}
}

// one is the only rendition of a small profile with these changes.
func (b *bundle) one(t *testing.T, data []byte, changes object) part {
	t.Helper()
	parts := b.post(t, data, with(changes)).parts(t)
	require.Len(t, parts, 1)
	require.NotEmpty(t, parts[0].frames)
	return parts[0]
}

// keys are the numbers of the keyframes.
func (p *part) keys() (out []int) {
	for i, f := range p.frames {
		if f.Key {
			out = append(out, i)
		}
	}
	return out
}

// TestWrittenByMist: a post as the real MistProcLivepeer makes it.
func TestWrittenByMist(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := segment(t, picture("320x180", "30", 60)+h264, 2000)
	got := b.do(t, b.request(t, "/live/tr_src_a-abcdefgh/3.ts",
		`{"profiles":[{"bitrate":200000,"fps":30000,"fpsDen":1000,"gop":"0.0","height":176,"name":"240p","profile":"H264High","width":320}]}`, data)).parts(t)
	require.Len(t, got, 1)
	require.Len(t, got[0].frames, 60)
	require.Equal(t, int64(2000*ts.TicksPerMS), got[0].frames[0].PTS)
	require.EqualValues(t, 1, b.Segments())
}
