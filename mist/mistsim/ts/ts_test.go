package ts_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/mist/mistsim/ts"
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
		"hevc":           {picture + "-c:v libx265 -preset ultrafast -x265-params log-level=none", ts.HEVC, 320, 180, 180, 0},
		"mpeg2":          {picture + "-c:v mpeg2video", ts.MPEG2, 320, 180, 180, 0},
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
			require.Equal(t, 60, video)
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

func TestDemuxerUnwrapsTimes(t *testing.T) {
	t.Parallel()
	const last = 1<<33 - 3000
	mux := ts.NewMuxer(ts.H264)
	var data []byte
	for i := range 4 {
		data = mux.Append(data, &ts.Frame{DTS: last + int64(i)*3000, PTS: last + int64(i)*3000 + 6000, Key: i == 0, Data: []byte{0, 0, 1, 0x65, 1, 2, 3}})
	}
	for i, f := range frames(t, bytes.NewReader(data)) {
		require.Equal(t, last+int64(i)*3000, f.DTS)
		require.Equal(t, int64(6000), f.PTS-f.DTS)
	}
}

func TestMuxerStuffsEverySize(t *testing.T) {
	t.Parallel()
	for size := range 600 {
		want := bytes.Repeat([]byte{0xaa}, size)
		data := ts.NewMuxer(ts.H264).Append(nil, &ts.Frame{DTS: 9000, PTS: 9000, Key: true, Data: want})
		require.Zero(t, len(data)%ts.PacketSize)
		got := frames(t, bytes.NewReader(data))
		require.Len(t, got, 1)
		require.Equal(t, want, append([]byte{}, got[0].Data...), "size %d", size)
		require.True(t, got[0].Key)
	}
}

func FuzzDemuxer(f *testing.F) {
	mux := ts.NewMuxer(ts.H264)
	f.Add(mux.Append(nil, &ts.Frame{DTS: 1, PTS: 2, Key: true, Data: []byte{0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xda}}))
	f.Add([]byte{0x47, 0x40, 0, 0x30, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
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
