package mpegts

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A table that is written is read.
func TestTables(t *testing.T) {
	t.Parallel()
	var packet [PacketBytes]byte
	Section(packet[:], 0, 17, []byte{0, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0x00})
	require.Equal(t, uint16(0x1000), ProgramTable(Payload(packet[:])))
	require.Equal(t, byte(0x11), packet[3], "the counter has four bits")

	entries := []byte{0x1b, 0xe1, 0x00, 0xf0, 0, 0x0f, 0xe1, 0x01, 0xf0, 2, 9, 9}
	pmt := append([]byte{2, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0x00, 0xf0, 0}, entries...)
	Section(packet[:], 0x1000, 0, pmt)
	require.Equal(t, uint16(0x1000), PID(packet[:]))
	require.True(t, Starts(packet[:]))
	require.Equal(t, entries, Entries(Payload(packet[:])))
	require.Equal(t, []Track{{0x1b, 0x100}, {0x0f, 0x101}}, Tracks(Payload(packet[:])))
}

func TestProgramClock(t *testing.T) {
	t.Parallel()
	packet := make([]byte, PacketBytes)
	copy(packet, []byte{Sync, 0, 0, 0x30, 7, 0x50})
	for _, at := range []int64{0, 1, 90_001, Wrap - 1} {
		SetProgramClock(packet, at+Wrap)
		got, ok := ProgramClock(packet)
		require.True(t, ok)
		require.Equal(t, at, got)
	}
	require.True(t, RandomAccess(packet))
}

// Tables come from files that anybody made.
func FuzzTables(f *testing.F) {
	f.Add([]byte{0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, data []byte) {
		ProgramTable(data)
		Tracks(data)
	})
}
