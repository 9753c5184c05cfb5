package media

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostHeld is what reading a file may leave in memory, whatever its length: the
// buffers are of writeBuffer, and nothing is kept of single frames.
const mostHeld = 2 * writeBuffer

// live is what is in use right after a collection, so that its timing doesn't count.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Not parallel, as the heap is the whole process's: parallel tests wait for this one.
func TestMemoryDoesNotGrow(t *testing.T) {
	// One byte for each would be more than may be held.
	const packets = mostHeld + 1
	t.Run("listing", func(t *testing.T) {
		l, before := &listing{}, live()
		line := "packet|stream_index=0|pts_time=%[1]d.5|dts_time=%[1]d.5|duration_time=1|size=100|flags=__\n"
		var some bytes.Buffer
		for i := range 1000 {
			fmt.Fprintf(&some, line, i)
		}
		before += int64(some.Cap())
		for range 100 { // 100,000: each takes some microseconds
			_, err := l.Write(some.Bytes())
			require.NoError(t, err)
		}
		require.Less(t, live()-before, int64(100_000), "a byte a packet")
		require.EqualValues(t, 100_000, l.tracks[0].packets)
		runtime.KeepAlive(&some)
	})
	for name, step := range map[string]int64{"frames in order": 1, "frames at one time": 0} {
		t.Run(name, func(t *testing.T) {
			line, before := newTimeline("h264"), live()
			line.frame(frame{key: true}, nil)
			for i := range int64(packets) {
				line.frame(frame{pos: i * tsPacket, dts: i * step, pts: i * step}, nil)
			}
			require.Less(t, live()-before, int64(mostHeld))
			require.EqualValues(t, packets+1, line.frames)
		})
	}
	// One second may be of any size.
	t.Run("padding", func(t *testing.T) {
		p := pad{to: 64 * writeBuffer / tsPacket * tsPacket}
		before := live()
		w := &watcher{every: p.to / 4}
		_, err := p.write(stuffing{}, w, counters{})
		require.NoError(t, err)
		require.Equal(t, padGOPs*p.to, w.written)
		require.Less(t, w.peak-before, int64(mostHeld))
	})
}

// watcher looks at the heap now and then while it is written to.
type watcher struct{ every, written, peak int64 }

func (w *watcher) Write(b []byte) (int, error) {
	if w.written/w.every != (w.written+int64(len(b)))/w.every {
		w.peak = max(w.peak, live())
	}
	w.written += int64(len(b))
	return len(b), nil
}

// stuffing is MPEG-TS without end that holds nothing.
type stuffing struct{}

func (stuffing) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	for i := (tsPacket - at%tsPacket) % tsPacket; i < int64(len(b)); i += tsPacket {
		b[i] = tsSync
	}
	return len(b), nil
}

var _ io.ReaderAt = stuffing{}
