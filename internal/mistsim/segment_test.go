package mistsim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
	"weir/internal/mistsim/ts"
)

// post is one segment as a broadcaster gets it.
type post struct {
	path, duration, resolution string
	profiles                   []object
	frames                     []*ts.Frame
}

func readPost(t *testing.T, r *http.Request) post {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return post{} // the process was stopped
	}
	var config struct{ Profiles []object }
	if text := r.Header.Get("Livepeer-Transcode-Configuration"); text != "" {
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			t.Errorf("profiles %s: %v", text, err)
		}
	}
	return post{
		path: r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):], duration: r.Header.Get("Content-Duration"),
		resolution: r.Header.Get("Content-Resolution"), profiles: config.Profiles, frames: demux(t, body),
	}
}

func demux(t *testing.T, data []byte) []*ts.Frame {
	var out []*ts.Frame
	for d := ts.NewDemuxer(bytes.NewReader(data)); ; {
		f, err := d.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Errorf("demux: %v", err)
			return out
		}
		out = append(out, f)
	}
}

func remux(all []*ts.Frame) []byte {
	mux := ts.NewMuxer(ts.H264)
	var out []byte
	for _, f := range all {
		out = mux.Append(out, f)
	}
	return out
}

// answerWith is a broadcaster's answer with one rendition.
func answerWith(w http.ResponseWriter, data []byte) {
	parts := multipart.NewWriter(w)
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+parts.Boundary())
	part, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"video/mp2t"}, "Rendition-Name": {"small"}})
	if err != nil {
		return
	}
	_, _ = part.Write(data)
	_ = parts.Close()
}

// collect runs a source against a broadcaster that gives back what it gets, to the
// end, and returns the posts by path.
func collect(t *testing.T, source string, config object) map[string]post {
	t.Helper()
	h := setup(t, mistsim.Config{Timing: quick})
	posts := make(chan post, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		p := readPost(t, r)
		posts <- p
		answerWith(w, remux(p.frames))
	})
	config["hardcoded_broadcasters"] = url
	w := begin(t, h, source, 0, config)
	require.Zero(t, w.process.exitCode(t))
	out := map[string]post{}
	for len(posts) > 0 {
		p := <-posts
		out[p.path] = p
	}
	return out
}

// makeSource encodes a short picture and returns its path.
func makeSource(t *testing.T, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.ts")
	require.NoError(t, ffmpeg("-f lavfi -i testsrc2=size=320x180:rate=30 -pix_fmt yuv420p "+args+" "+path))
	return path
}

// TestRates: what is announced is what the codec's header says, and 25 where it says
// nothing; nothing is measured.
func TestRates(t *testing.T) {
	t.Parallel()
	setupSources(t)
	const x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=30:min-keyint=30:scenecut=0"
	cases := map[string]struct {
		args string
		want float64
	}{
		"H264":               {"-t 4 -c:v libx264 -preset ultrafast -g 30", 30_000},
		"H264 29.97":         {"-t 4 -r 30000/1001 -c:v libx264 -preset ultrafast -g 30", 29_970},
		"HEVC":               {"-t 4 " + x265, 30_000},
		"HEVC without a VUI": {"-t 4 " + x265 + ":vui-timing-info=0", 25_000},
		"MPEG-2":             {"-t 4 -c:v mpeg2video -g 30", 30_000},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			posts := collect(t, makeSource(t, c.args), object{"target_profiles": []object{{"name": "small", "width": 170, "height": 100, "x": []int{1}}}})
			require.NotEmpty(t, posts)
			for _, p := range posts {
				require.Equal(t, []object{{
					"fps": c.want, "fpsDen": 1000.0, "gop": "0.0", "height": 96.0, "name": "small", "profile": "H264High", "width": 160.0, "x": []any{1.0},
				}}, p.profiles)
			}
		})
	}
}

// TestSegments: a cut lies at a keyframe at least a second behind the last, or at
// one that begins with a parameter set. Times are whole milliseconds, the duration
// reaches to the next cut, numbers begin with 1 where the first keyframe cuts.
func TestSegments(t *testing.T) {
	t.Parallel()
	setupSources(t)
	const encode = "-t 4 -c:v libx264 -preset ultrafast -bf 2 -g 15 -keyint_min 15 -sc_threshold 0 "
	late := makeSource(t, encode)
	early := makeSource(t, encode+"-muxdelay 0 -muxpreload 0")
	data, err := os.ReadFile(early)
	require.NoError(t, err)
	all := demux(t, data)
	delimiter := []byte{0, 0, 0, 1, 9}
	for _, f := range all { // an encoder that writes no access unit delimiters
		require.True(t, bytes.HasPrefix(f.Data, delimiter))
		f.Data = f.Data[len(delimiter)+1:]
	}
	bare := filepath.Join(t.TempDir(), "bare.ts")
	require.NoError(t, os.WriteFile(bare, remux(all), 0o600))
	cases := map[string]struct {
		source string
		want   []string // the last cut's segment may be lost
	}{
		"from 1.4 s":     {late, []string{"/1.ts 1000", "/2.ts 1000"}},
		"from 0":         {early, []string{"/0.ts 1000", "/1.ts 1000"}},
		"parameter sets": {bare, []string{"/1.ts 500", "/2.ts 500", "/3.ts 500", "/4.ts 500", "/5.ts 500"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for path, p := range collect(t, c.source, object{}) {
				require.Equal(t, "320x180", p.resolution)
				for _, f := range p.frames {
					require.Zero(t, f.PTS%ts.TicksPerMS, "a fraction of a millisecond")
				}
				got = append(got, path+" "+p.duration)
			}
			slices.Sort(got)
			require.GreaterOrEqual(t, len(got), len(c.want))
			require.Equal(t, c.want, got[:len(c.want)])
		})
	}
}

// TestDropsWhatIsOlder: a returned segment that reaches into the next one costs that
// one its first frames, the keyframe among them; all events are clean.
func TestDropsWhatIsOlder(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	const stretched, overlap = "/1.ts", 490 * ts.TicksPerMS
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		p := readPost(t, r)
		if p.path == stretched {
			last := p.frames[len(p.frames)-1]
			last.DTS += overlap
			last.PTS += overlap
		}
		answerWith(w, remux(p.frames))
	})
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": url})
	w.pushAll(t)
	require.Zero(t, w.process.exitCode(t))
	end := h.handler.await(t, "RECORDING_END", 1)[0]
	require.Contains(t, end.body, "CLEAN_INTENDED_STOP")
	data, err := os.ReadFile(filepath.Join(w.out, "0.ts"))
	require.NoError(t, err)
	var times, keys []int64
	for _, f := range demux(t, data) {
		times = append(times, f.MS())
		if f.Key {
			keys = append(keys, f.MS())
		}
	}
	require.True(t, slices.IsSorted(times))
	// The stretched frame is at 3,966 + 490 ms: the 14 frames from 4,000 to 4,433 are
	// dropped, and the one at 4,466 is the first that is not older.
	require.Len(t, times, sourceFrames-14)
	require.Equal(t, []int64{0, 2000, 6000}, keys)
}

// TestTries: a broadcaster that hangs up is asked twice at each of five attempts.
func TestTries(t *testing.T) {
	t.Parallel()
	src := setupSources(t)
	h := setup(t, mistsim.Config{Timing: quick})
	posts := make(chan string, 100)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		posts <- r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):]
		panic(http.ErrAbortHandler)
	})
	w := begin(t, h, src.padded, src.stop, object{"hardcoded_broadcasters": url})
	require.Zero(t, w.process.exitCode(t))
	require.Contains(t, w.process.log.String(), "too many upload failures")
	count := map[string]int{}
	for len(posts) > 0 {
		count[<-posts]++
	}
	require.Equal(t, 10, max(count["/0.ts"], count["/1.ts"]), fmt.Sprint(count))
}
