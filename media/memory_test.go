package media

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// live is what is in use right after a collection, so that its timing doesn't count.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Not parallel, as the heap is the whole process's: parallel tests wait for this one.
func TestMemory(t *testing.T) {
	t.Run("listing", func(t *testing.T) {
		l, before := &listing{}, live()
		line := "packet|stream_index=0|pts_time=%[1]d.5|dts_time=%[1]d.5|duration_time=1|size=100|flags=K_\n"
		var some bytes.Buffer
		for i := range 1000 {
			fmt.Fprintf(&some, line, i)
		}
		before += int64(some.Cap())
		const packets = 100_000
		for range packets / 1000 { // each takes some microseconds
			_, err := l.Write(some.Bytes())
			require.NoError(t, err)
		}
		const each = 9 * 3 / 2 // a time and its flags, and what a growing slice has in hand
		require.Less(t, live()-before, int64(packets*each))
		require.EqualValues(t, packets, l.tracks[0].packets)
		runtime.KeepAlive(&some)
	})
	t.Run("a picture without end", func(t *testing.T) {
		packet := make([]byte, tsPacket)
		copy(packet, []byte{tsSync, 0x41, 0x00, 0x10, 0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10})
		demux := &demuxer{each: func(picture) error { return nil }}
		_, err := demux.Write(packet)
		require.NoError(t, err)
		packet[1] = 1
		wrote := 0
		for ; err == nil; wrote += tsPacket {
			require.Less(t, wrote, 2*maxPicture)
			_, err = demux.Write(packet)
		}
		require.ErrorIs(t, err, errHugePicture)
	})
}
