package media

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = "packet|stream_index=0|pts_time=0.000000|dts_time=-0.040000|duration_time=0.040000|size=100|flags=K_\n" +
	"packet|stream_index=0|pts_time=0.040000|dts_time=0.000000|duration_time=0.040000|size=50|flags=__|side_data|\n\n" +
	"stream|index=0|codec_name=h264|codec_type=video|width=160|height=90|has_b_frames=2|pix_fmt=yuv420p|field_order=tt|" +
	"r_frame_rate=25/1|duration=0.080000|disposition:attached_pic=0|tag:rotate=90\n" +
	"format|format_name=mov,mp4|duration=0.080000|size=150\n"

func TestListing(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, text string
		code       Code // empty: it is a source
	}{
		{"sample", sample, ""},
		{"no streams", "format|format_name=mpegts\n", CodeSourceNoVideo},
		{"a track without frames", "stream|index=0|codec_name=h264|codec_type=video|width=16|height=16\n", CodeSourceZeroDuration},
		{"no keyframe", "packet|stream_index=0|pts_time=0|dts_time=0|flags=__\nstream|index=0|codec_name=h264|codec_type=video\n", CodeSourceUndecodable},
		{"no time", "packet|stream_index=0|pts_time=N/A|dts_time=N/A|flags=K_\nstream|index=0|codec_name=h264|codec_type=video\n", CodeSourceUndecodable},
		{"one moment", "packet|stream_index=0|pts_time=0|dts_time=0|flags=K_\nstream|index=0|codec_name=h264|codec_type=video\n", CodeSourceZeroDuration},
		{"days", "packet|stream_index=0|pts_time=0|duration_time=90000|flags=K_\nstream|index=0|codec_name=h264|codec_type=video\n", CodeSourceTooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 7, len(c.text)} { // in pieces of any size
				l := &listing{}
				for rest := []byte(c.text); len(rest) > 0; rest = rest[min(size, len(rest)):] {
					_, err := l.Write(rest[:min(size, len(rest))])
					require.NoError(t, err)
				}
				l.end()
				src, err := l.source("x")
				if c.code != "" {
					require.Equal(t, c.code, code(t, err))
					continue
				}
				require.NoError(t, err)
				require.EqualValues(t, 2, src.Video.Frames)
				require.EqualValues(t, 80_000, src.DurationUS)
				require.Equal(t, -90, src.Video.Rotation)
				require.Equal(t, []int{90, 160}, []int{src.Video.Width, src.Video.Height})
				require.True(t, src.Video.Interlaced)
				require.Equal(t, 25.0, src.Video.Rate.FPS())
			}
		})
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("packet|stream_index=99999999999|pts_time=1e300|dts_time=NaN|size=-1|flags=K\nstream|index=-1|codec_type=video|codec_name=h264|r_frame_rate=1/0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &listing{}
		_, err := l.Write(data)
		require.NoError(t, err)
		l.end()
		src, err := l.source("x")
		if err != nil {
			require.NotEmpty(t, code(t, err))
			return
		}
		require.Positive(t, src.DurationUS)
		require.Positive(t, src.Video.Frames)
		again(t, src)
	})
}

func TestDemuxer(t *testing.T) {
	t.Parallel()
	packet := make([]byte, tsPacket)
	// A keyframe: payload start, PID 256, adaptation field with random access and program clock.
	copy(packet, []byte{tsSync, 0x41, 0x00, 0x30, 7, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10})
	pes := videoPES(append([]byte{}, packet...))
	require.NotNil(t, pes)
	pes = videoPES(packet)
	copy(pes[9:], []byte{0x31, 0, 1, 0, 1, 0x11, 0, 1, 0, 1})
	const later = tsWrap - 90
	setTimestamp(pes[9:], 180)
	setTimestamp(pes[14:], 90)
	var seen []frame
	demux := &demuxer{each: func(f frame, _ []byte) { seen = append(seen, f) }}
	for _, b := range packet { // in pieces of one byte
		_, err := demux.Write([]byte{b})
		require.NoError(t, err)
	}
	shift(packet, later)
	_, err := demux.Write(packet)
	require.NoError(t, err)
	require.Equal(t, []frame{{pos: 0, pts: 180, dts: 90, key: true}, {pos: tsPacket, pts: 90, dts: 0, key: true}}, seen)
	_, err = demux.Write(make([]byte, tsPacket))
	require.ErrorIs(t, err, errNotTS)
}

func FuzzDemuxer(f *testing.F) {
	f.Add([]byte{tsSync, 0x41, 0x00, 0x30, 7, 0x50})
	f.Add([]byte{tsSync, 0x41, 0x00, 0x30, 255, 0x50})
	f.Fuzz(func(_ *testing.T, data []byte) {
		line := newTimeline("h264")
		packet := make([]byte, tsPacket)
		copy(packet, data)
		packet[0] = tsSync
		_, _ = line.Write(packet) // an error is an answer
		shift(packet, tsClock)
		line.demux.counters.number(packet)
		_, _ = line.Write(packet)
		_, _ = line.Write(data)
		_ = line.plan(1)
	})
}
