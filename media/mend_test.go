package media

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFollower(t *testing.T) {
	t.Parallel()
	const frame = 3600
	run := func(from int64, n int) []int64 {
		var dts []int64
		for i := range n {
			dts = append(dts, (from+int64(i)*frame+tsWrap)%tsWrap)
		}
		return dts
	}
	cases := []struct {
		name   string
		dts    []int64
		pieces int
		end    int64 // of all, from the first
	}{
		{"one piece", run(0, 50), 1, 49 * frame},
		{"from anywhere", run(5_000_000_000, 50), 1, 49 * frame},
		{"over the wrap", run(tsWrap-25*frame, 50), 2, 49 * frame},
		{"started again", append(run(0, 50), run(0, 50)...), 2, 99 * frame},
		{"a jump forward", append(run(0, 50), run(5000*tsClock, 50)...), 2, 99 * frame},
		{"a jump back", append(run(5000*tsClock, 50), run(90, 50)...), 2, 99 * frame},
		{"three", append(append(run(0, 50), run(77, 50)...), run(4000*tsClock, 50)...), 3, 149 * frame},
		{"a hole stays", append(run(0, 50), run(10*tsClock, 50)...), 1, 10*tsClock + 49*frame},
		{"the longest hole", append(run(0, 1), run(holeMaxTicks, 1)...), 1, holeMaxTicks},
		{"a careless muxer", append(run(9000, 50), run(9000+40*frame, 50)...), 1, 89 * frame},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &follower{}
			for i, dts := range c.dts {
				f.follow(int64(i), dts, dts)
			}
			require.Len(t, f.pieces, c.pieces)
			require.Equal(t, int64(mendedStart)+c.end, f.now)
		})
	}
}

// Joined recordings become one, and sound keeps its distance to the picture in each part.
func TestMend(t *testing.T) {
	t.Parallel()
	make25 := func(name string, offset string, args ...string) []byte {
		path := sources.make(t, name, join(pictures(small, "25", 2), sound(440, 2), words(bs+"-g 25 -c:a aac -output_ts_offset "+offset), args)...)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return data
	}
	zero, five := make25("join0.ts", "0"), make25("join5000.ts", "5000")
	for name, data := range map[string][]byte{
		"restart": append(append([]byte{}, zero...), zero...), "forward": append(append([]byte{}, zero...), five...),
		"back": append(append([]byte{}, five...), zero...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tools := &Tools{}
			path := write(t, "joined", data)
			src, err := tools.Probe(t.Context(), path)
			require.NoError(t, err)
			require.True(t, src.Mended)
			require.False(t, src.Video.Variable, "the second part begins one frame behind the first")
			require.EqualValues(t, 100, src.Video.Frames)
			require.InDelta(t, 4*second, src.DurationUS, 1000)
			require.InDelta(t, 4*second, src.Audio.DurationUS, 60_000)
			require.InDelta(t, src.Video.StartUS, src.Audio.StartUS, 60_000)
		})
	}
	t.Run("nothing to mend", func(t *testing.T) {
		t.Parallel()
		for _, data := range [][]byte{zero, five, nil, []byte("no transport stream"), make([]byte, 10*tsPacket)} {
			path := write(t, "x", data)
			mended, err := mend(t.Context(), path)
			require.NoError(t, err)
			require.False(t, mended)
			require.NoFileExists(t, mendedPath(path))
		}
	})
}
