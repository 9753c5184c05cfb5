package media

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/media/mpegts"
)

// What the muxer writes, the demuxer reads back, and ffprobe finds nothing wrong with it.
func TestMuxer(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	mux := newMuxer(&file, "h264")
	var want []picture
	for i, size := range []int{1, 10, 156, 157, 158, 183, 184, 185, 341, 5000, 70_000} {
		data := append([]byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65}, bytes.Repeat([]byte{byte(i)}, size)...)
		p := picture{pts: tsWrap - 9000 + int64(i)*3600, dts: tsWrap - 16_200 + int64(i)*3600, data: data}
		require.NoError(t, mux.write(p, i%3 == 0))
		p.pts, p.dts = p.pts%tsWrap, p.dts%tsWrap
		want = append(want, p)
	}
	require.EqualValues(t, file.Len(), mux.bytes)
	require.Zero(t, file.Len()%tsPacket)

	var got []picture
	demux := &demuxer{each: func(p picture) error {
		p.data = bytes.Clone(p.data)
		got = append(got, p)
		return nil
	}}
	for _, b := range file.Bytes() { // in pieces of one byte
		_, err := demux.Write([]byte{b})
		require.NoError(t, err)
	}
	require.NoError(t, demux.end())
	require.Equal(t, want, got)

	_, err := demux.Write(make([]byte, tsPacket))
	require.ErrorIs(t, err, mpegts.ErrNotTS)
}

func TestMuxerSatisfiesFFprobe(t *testing.T) {
	t.Parallel()
	_, prep := prepared(t, shapes()[1], Options{})
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "warning", "-count_packets", "-show_entries", "stream=codec_name",
		"-of", "csv=p=0", prep.Path).CombinedOutput() // a continuity error, or a check sum, would be a warning
	require.NoError(t, err)
	require.Contains(t, string(out), "h264")
	require.NotContains(t, string(out), "@", "a warning")
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	var b [5]byte
	for _, at := range []int64{0, 1, 90, 1<<15 - 1, 1 << 15, 1<<30 - 1, 1 << 30, tsWrap - 1} {
		mpegts.SetTimestamp(b[:], at)
		require.Equal(t, at, mpegts.Timestamp(b[:]))
		require.Equal(t, byte(1), b[0]&b[2]&b[4]&1, "the marker bits")
	}
}

func FuzzDemuxer(f *testing.F) {
	f.Add([]byte{tsSync, 0x41, 0x00, 0x30, 7, 0x50})
	f.Add([]byte{tsSync, 0x41, 0x00, 0x30, 255, 0x50})
	f.Add([]byte{tsSync, 0x41, 0x00, 0x10, 0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 255})
	f.Fuzz(func(_ *testing.T, data []byte) {
		packet := make([]byte, tsPacket)
		copy(packet, data)
		packet[0] = tsSync
		follow := &follower{}
		demux := &demuxer{each: func(p picture) error {
			_, _ = lookAt("h264", p.data), lookAt("hevc", p.data)
			follow.follow(1, p.pts, p.dts)
			return nil
		}}
		_, _ = demux.Write(packet) // an error is an answer
		_, _ = demux.Write(packet)
		_, _ = demux.Write(data)
		_ = demux.end()
	})
}
