package ts_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/ts"
)

// make writes a source with ffmpeg and returns its path.
func source(t testing.TB, args string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.ts")
	out, err := exec.Command("ffmpeg", strings.Fields("-nostdin -loglevel error "+args+" "+path)...).CombinedOutput()
	require.NoError(t, err, "%s (apt-get install ffmpeg)", out)
	return path
}

func frames(t testing.TB, r io.Reader) []*ts.Frame {
	t.Helper()
	var out []*ts.Frame
	for d := ts.NewDemuxer(r); ; {
		f, err := d.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, f)
	}
}

func packets(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts,dts,flags", "-of", "csv=p=0", path).CombinedOutput()
	require.NoError(t, err, "%s (apt-get install ffmpeg)", out)
	return string(out)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const picture = "-f lavfi -i testsrc2=size=320x180:rate=30 -t 2 -pix_fmt yuv420p -g 30 "
	cases := map[string]struct {
		args          string
		codec         string
		width, height int
		display       int
		fpks          int
	}{
		"h264":           {picture + "-c:v libx264 -preset ultrafast", ts.H264, 320, 180, 180, 30_000},
		"h264 B-frames":  {picture + "-c:v libx264 -preset veryfast -bf 3", ts.H264, 320, 180, 180, 30_000},
		"h264 high size": {picture + "-vf scale=854:480 -c:v libx264 -profile:v high", ts.H264, 854, 480, 480, 30_000},
		"h264 interlace": {picture + "-c:v libx264 -flags +ilme+ildct", ts.H264, 320, 180, 180, 30_000},
		"h264 444":       {picture + "-pix_fmt yuv444p -c:v libx264 -preset ultrafast", ts.H264, 320, 180, 180, 30_000},
		"pixel shape":    {picture + "-vf scale=640:352 -c:v libx264 -preset ultrafast", ts.H264, 640, 352, 360, 30_000},
		"hevc":           {picture + "-c:v libx265 -preset ultrafast -x265-params log-level=none", ts.HEVC, 320, 180, 180, 30_000},
		"hevc slow":      {picture + "-c:v libx265 -preset medium -x265-params log-level=none:keyint=30", ts.HEVC, 320, 180, 180, 30_000},
		"hevc untimed":   {picture + "-c:v libx265 -preset ultrafast -x265-params log-level=none:vui-timing-info=0", ts.HEVC, 320, 180, 180, 0},
		"mpeg2":          {picture + "-c:v mpeg2video", ts.MPEG2, 320, 180, 180, 30_000},
		"h264 29.97":     {picture + "-vf fps=30000/1001 -c:v libx264 -preset ultrafast", ts.H264, 320, 180, 180, 29_970},
		"mpeg2 23.976":   {picture + "-r 24000/1001 -t 2.5 -c:v mpeg2video", ts.MPEG2, 320, 180, 180, 23_976},
		"16 bits of 120": {picture + "-vf fps=120 -t 0.5 -c:v libx264 -preset ultrafast", ts.H264, 320, 180, 180, 120_000 - 1<<16},
		"with audio":     {"-f lavfi -i sine=1000 " + picture + "-c:v libx264 -preset ultrafast -c:a aac", ts.H264, 320, 180, 180, 30_000},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := source(t, c.args)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			mux := ts.NewMuxer(c.codec)
			var out []byte
			video, keys := 0, 0
			var header ts.Header
			for _, f := range frames(t, bytes.NewReader(data)) {
				if !ts.IsVideo(f.Codec) {
					require.Equal(t, ts.AAC, f.Codec)
					continue
				}
				require.Equal(t, c.codec, f.Codec)
				if f.Key {
					keys++
					h, ok := ts.ParseHeader(f.Codec, f.Data)
					require.True(t, ok)
					header = h
				}
				video++
				out = mux.Append(out, f)
			}
			if c.fpks == 30_000 || c.fpks == 0 {
				require.Equal(t, 60, video)
			}
			require.GreaterOrEqual(t, keys, 2)
			require.Equal(t, [4]int{c.width, c.height, c.display, c.fpks}, [4]int{header.Width, header.Height, header.DisplayHeight(), header.FPKS})
			if c.codec == ts.H264 {
				require.NotEmpty(t, header.Init())
			}
			require.Zero(t, len(out)%ts.PacketSize)
			again := filepath.Join(t.TempDir(), "again.ts")
			require.NoError(t, os.WriteFile(again, out, 0o600))
			require.Equal(t, packets(t, path), packets(t, again), "the same packets with the same times and keyframes")
		})
	}
}

func TestDemuxerSkipsWhatIsNoPacket(t *testing.T) {
	t.Parallel()
	require.Empty(t, frames(t, strings.NewReader("")))
	require.Empty(t, frames(t, strings.NewReader(strings.Repeat("no transport stream, G", 10_000))))

	data, err := os.ReadFile(source(t, "-f lavfi -i testsrc2=size=64x64:rate=10 -t 1 -c:v libx264 -preset ultrafast"))
	require.NoError(t, err)
	require.Len(t, frames(t, bytes.NewReader(append([]byte("junk G junk"), data...))), 10, "junk before")
	require.Len(t, frames(t, bytes.NewReader(data[:len(data)-100])), 10, "a cut last packet is part of the last frame")
}

// idr and slice are a keyframe and another frame, as encoders write them: with a
// delimiter in front. Their second NAL units are slices of type I and P.
var (
	delimiter = []byte{0, 0, 1, 9, 0xf0}
	idr       = append(slices.Clone(delimiter), 0, 0, 1, 0x65, 0xb8, 1, 2)
	slice     = append(slices.Clone(delimiter), 0, 0, 1, 0x41, 0xe0, 1, 2)
	// still is a slice of type I outside of an IDR picture.
	still = append(slices.Clone(delimiter), 0, 0, 1, 0x41, 0xb8, 1, 2)
)

// stream muxes frames of one codec. The first one is flagged, for only then come
// the tables.
func stream(codec string, all ...ts.Frame) io.Reader {
	mux := ts.NewMuxer(codec)
	all[0].Key = true
	var data []byte
	for i := range all {
		data = mux.Append(data, &all[i])
	}
	return bytes.NewReader(data)
}

const aWrap = int64(1) << 33 // of a 33-bit clock

func TestDemuxerUnwrapsTimes(t *testing.T) {
	t.Parallel()
	const first = aWrap - 3000
	var all []ts.Frame
	for i := range int64(4) {
		all = append(all, ts.Frame{DTS: first + i*3000, PTS: first + i*3000, Data: slice})
	}
	got := frames(t, stream(ts.H264, all...))
	require.Len(t, got, 4)
	for i, f := range got {
		require.Equal(t, first+int64(i)*3000, f.DTS)
	}
}

// TestDemuxerOddTimes: what Mist makes of them was read in lib/ts_stream.cpp.
func TestDemuxerOddTimes(t *testing.T) {
	t.Parallel()
	times := func(all []*ts.Frame) (out [][2]int64) {
		for _, f := range all {
			out = append(out, [2]int64{f.DTS, f.PTS})
		}
		return out
	}
	late := frames(t, stream(ts.H264, ts.Frame{DTS: 9000, PTS: 6000, Data: slice}))
	require.Equal(t, [][2]int64{{6000, 6000}}, times(late), "a DTS behind its PTS is ignored")

	// With B-frames the PTS wraps before the DTS; that DTS is ignored, the wrap
	// counted, and the frames that follow jump by a whole round.
	const first = aWrap - 3000
	jump := frames(t, stream(ts.H264, ts.Frame{DTS: first - 9000, PTS: first - 3000, Data: slice}, ts.Frame{DTS: first - 3000, PTS: first + 3000, Data: slice},
		ts.Frame{DTS: first, PTS: first, Data: slice}))
	require.Equal(t, [][2]int64{{first - 9000, first - 3000}, {aWrap, aWrap}, {first + aWrap, first + aWrap}}, times(jump))

	timeless, err := io.ReadAll(stream(ts.H264, ts.Frame{DTS: 9000, PTS: 9000, Data: slice}, ts.Frame{DTS: 12_000, PTS: 12_000, Data: slice},
		ts.Frame{DTS: 15_000, PTS: 15_000, Data: slice}))
	require.NoError(t, err)
	second := timeless[len(timeless)-2*ts.PacketSize:]
	i := bytes.Index(second, []byte{0, 0, 1, 0xe0})
	second[i+7] = 0 // neither PTS nor DTS
	require.Equal(t, [][2]int64{{9000, 9000}, {0, 0}, {15_000, 15_000}}, times(frames(t, bytes.NewReader(timeless))), "no PTS: time 0")

	same := frames(t, stream(ts.H264, ts.Frame{DTS: 9000, PTS: 9000, Data: slice}, ts.Frame{DTS: 9001, PTS: 9001, Data: idr}, ts.Frame{DTS: 9090, PTS: 9090, Data: slice}))
	require.Len(t, same, 2, "one millisecond is one packet")
	require.True(t, same[0].Key)
	require.Equal(t, slices.Concat(slice, idr), same[0].Data)
	require.False(t, same[1].Key)
}

// TestDemuxerKeyframes: Mist looks at slices and asks no random access flag, so
// intra refresh has one keyframe, and an I picture in an open GOP is one.
func TestDemuxerKeyframes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		codec string
		data  []byte
		want  []bool
	}{
		"flagged only":         {ts.H264, slice, []bool{false, false, false}},
		"IDR":                  {ts.H264, idr, []bool{false, true, false}},
		"I slice":              {ts.H264, still, []bool{false, true, false}},
		"IDR without AUD":      {ts.H264, idr[len(delimiter):], []bool{true, false, false}},
		"HEVC CRA":             {ts.HEVC, []byte{0, 0, 1, 35 << 1, 1, 0x50, 0, 0, 1, 21 << 1, 1, 2}, []bool{false, true, false}},
		"HEVC trailing":        {ts.HEVC, []byte{0, 0, 1, 35 << 1, 1, 0x50, 0, 0, 1, 1 << 1, 1, 2}, []bool{false, false, false}},
		"MPEG-2 group":         {ts.MPEG2, []byte{0, 0, 1, 0xb3, 1, 2, 0, 0, 1, 0xb8, 1, 0, 0, 1, 0, 1}, []bool{false, true, false}},
		"MPEG-2 sequence only": {ts.MPEG2, []byte{0, 0, 1, 0xb3, 1, 2, 0, 0, 1, 0, 1}, []bool{false, false, false}},
	}
	other := map[string][]byte{ts.H264: slice, ts.HEVC: {0, 0, 1, 35 << 1, 1, 0x50, 0, 0, 1, 1 << 1, 1, 2}, ts.MPEG2: {0, 0, 1, 0, 1}}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := other[c.codec]
			var got []bool
			for _, f := range frames(t, stream(c.codec, ts.Frame{DTS: 9000, PTS: 9000, Data: o}, ts.Frame{DTS: 18_000, PTS: 18_000, Key: true, Data: c.data}, ts.Frame{DTS: 27_000, PTS: 27_000, Data: o})) {
				got = append(got, f.Key)
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestRateOfNoVUI: an SPS without VUI names no rate, and none is made up.
func TestRateOfNoVUI(t *testing.T) {
	t.Parallel()
	sps := []byte{0, 0, 1, 0x67, 66, 0, 30, 0xda, 0x0a, 0x0b, 0x73, 0x20}
	h, ok := ts.ParseHeader(ts.H264, sps)
	require.True(t, ok)
	require.Zero(t, h.FPKS)
	require.Positive(t, h.Width)
}

func TestStartsWithInit(t *testing.T) {
	t.Parallel()
	require.True(t, ts.StartsWithInit(ts.H264, []byte{0, 0, 1, 0x67, 1, 2}))
	require.True(t, ts.StartsWithInit(ts.H264, []byte{0, 0, 0, 1, 0x68, 1, 2}))
	require.False(t, ts.StartsWithInit(ts.H264, append(slices.Clone(delimiter), 0, 0, 1, 0x67, 1, 2)), "a delimiter is first")
	require.True(t, ts.StartsWithInit(ts.HEVC, []byte{0, 0, 1, 32 << 1, 1, 2}))
	require.False(t, ts.StartsWithInit(ts.HEVC, []byte{0, 0, 1, 19 << 1, 1, 2}))
	require.False(t, ts.StartsWithInit(ts.MPEG2, []byte{0, 0, 1, 0xb3, 1}))
	require.False(t, ts.StartsWithInit(ts.H264, nil))
}

func TestMuxerStuffsEverySize(t *testing.T) {
	t.Parallel()
	for size := range 600 {
		want := append(slices.Clone(idr), bytes.Repeat([]byte{0xaa}, size)...)
		data := ts.NewMuxer(ts.H264).Append(nil, &ts.Frame{DTS: 9000, PTS: 9000, Key: true, Data: want})
		require.Zero(t, len(data)%ts.PacketSize)
		got := frames(t, bytes.NewReader(data))
		require.Len(t, got, 1)
		require.Equal(t, want, got[0].Data, "size %d", size)
		require.True(t, got[0].Key)
	}
}

// TestCodecs: a program map names also what a Demuxer gives no frames of.
func TestCodecs(t *testing.T) {
	t.Parallel()
	const media = "-f lavfi -i testsrc2=size=160x90:rate=10 -f lavfi -i sine=1000 -t 1 -pix_fmt yuv420p -c:v libx264 -preset ultrafast -c:a "
	for encoder, codec := range map[string]string{"aac": ts.AAC, "mp2": ts.MP2, "libmp3lame": ts.MP3, "ac3": ts.AC3, "libopus": ts.Opus} {
		data, err := os.ReadFile(source(t, media+encoder))
		require.NoError(t, err)
		require.Equal(t, []string{ts.H264, codec}, ts.Codecs(data))
	}
	require.Empty(t, ts.Codecs([]byte("this is no transport stream")))
}

func FuzzDemuxer(f *testing.F) {
	mux := ts.NewMuxer(ts.H264)
	f.Add(mux.Append(nil, &ts.Frame{DTS: 1, PTS: 2, Key: true, Data: []byte{0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda}}))
	f.Add([]byte{0x47, 0x40, 0, 0x30, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = ts.Codecs(data)
		for d := ts.NewDemuxer(bytes.NewReader(data)); ; {
			frame, err := d.Next()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				return
			}
			h, ok := ts.ParseHeader(frame.Codec, frame.Data)
			if ok {
				require.Positive(t, h.Width)
			}
			_, _ = h.DisplayHeight(), h.Init()
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(byte(0), []byte{0, 0, 1, 0x67, 100, 0, 31, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10})
	f.Add(byte(1), []byte{0, 0, 1, 0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90})
	f.Add(byte(2), []byte{0, 0, 1, 0xb3, 0x14, 0x00, 0xb4, 0x13})
	f.Fuzz(func(t *testing.T, codec byte, data []byte) {
		h, ok := ts.ParseHeader([]string{ts.H264, ts.HEVC, ts.MPEG2}[int(codec)%3], data)
		if ok {
			require.Positive(t, h.Width)
			require.Positive(t, h.Height)
		}
		_, _ = h.DisplayHeight(), h.Init()
	})
}
