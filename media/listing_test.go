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
		{"no keyframe", "packet|stream_index=0|pts_time=0|dts_time=0|flags=__\nstream|index=0|codec_name=h264|codec_type=video|width=16|height=16\n", CodeSourceUndecodable},
		{"no time", "packet|stream_index=0|pts_time=N/A|dts_time=N/A|flags=K_\nstream|index=0|codec_name=h264|codec_type=video|width=16|height=16\n", CodeSourceZeroDuration},
		{"days", "packet|stream_index=0|pts_time=0|flags=K_\npacket|stream_index=0|pts_time=90000|flags=__\nstream|index=0|codec_name=h264|codec_type=video|width=16|height=16\n", CodeSourceTooLong},
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
				require.NoError(t, l.end())
				src, err := l.only("x")
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
		if _, err := l.Write(data); err != nil {
			return
		}
		if err := l.end(); err != nil {
			return
		}
		src, err := l.only("x")
		if err != nil {
			require.NotEmpty(t, code(t, err))
			return
		}
		require.Positive(t, src.DurationUS)
		require.Positive(t, src.Video.Frames)
		src.line = nil
		again(t, src)
	})
}

// A file whose tables promise more than it can hold is not listed to its end.
func TestListingOfABomb(t *testing.T) {
	t.Parallel()
	const line = "packet|stream_index=0|pts_time=1|dts_time=1|duration_time=1|size=1000|flags=K_\n"
	l := &listing{fileBytes: 1_000_000}
	wrote := 0
	var err error
	for ; err == nil; wrote++ {
		require.Less(t, wrote, 10_000)
		_, err = l.Write([]byte(line))
	}
	require.ErrorIs(t, err, errBomb)
	require.Greater(t, wrote, 1000, "what the file holds is listed")
}

// A stream in a program is told of twice, and counted once.
func TestListingOfPrograms(t *testing.T) {
	t.Parallel()
	l := &listing{}
	_, err := l.Write([]byte("program|program_id=1|nb_streams=2|stream|index=0|codec_type=video\nstream|index=1|codec_type=audio\n\n" +
		"program|program_id=2|nb_streams=0\n\nstream|index=0|codec_type=video\nstream|index=1|codec_type=audio\nstream|index=2|codec_type=audio\n"))
	require.NoError(t, err)
	require.Len(t, l.streams, 3)
	require.Equal(t, map[int]int{0: 1, 1: 1}, l.program.of)
}
