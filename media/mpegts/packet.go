// Package mpegts is MPEG-TS as far as Weir reads and changes it packet by packet: what a packet
// belongs to, its times and clock, the tables, and the units of the H264 in it. It runs no program.
package mpegts

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
)

const (
	// PacketBytes is the size of a packet, Sync its first byte.
	PacketBytes = 188
	Sync        = 0x47

	// readBuffer keeps reads few.
	readBuffer = 1 << 20

	// packetsALook are read between two looks whether to go on: a quarter megabyte.
	packetsALook = 1 << 10

	// probed is how many packets in a row have to begin with their sync byte.
	probed = 5
)

// ErrNotTS is what is no transport stream.
var ErrNotTS = errors.New("not MPEG-TS: a packet without its sync byte")

// Each calls f with every whole packet of a transport stream, which f may change until it returns.
// What begins otherwise is ErrNotTS; packets that lost their sync byte later are passed over.
func Each(ctx context.Context, file io.Reader, f func(n int64, p []byte) error) error {
	r := bufio.NewReaderSize(file, readBuffer)
	head, err := r.Peek(probed * PacketBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for i := 0; i < len(head); i += PacketBytes {
		if head[i] != Sync {
			return ErrNotTS
		}
	}
	if len(head) < PacketBytes {
		return ErrNotTS
	}
	packet := make([]byte, PacketBytes)
	for n := int64(0); ; n++ {
		if n%packetsALook == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.ReadFull(r, packet); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		if packet[0] != Sync {
			continue
		}
		if err := f(n, packet); err != nil {
			return err
		}
	}
}

// PID is the track, or table, that a packet belongs to.
func PID(p []byte) uint16 { return binary.BigEndian.Uint16(p[1:]) & 0x1fff }

// Starts says whether something begins with the packet: a PES packet or a table.
func Starts(p []byte) bool { return p[1]&0x40 != 0 }

// RandomAccess says whether the packet begins what a decoder can start with.
func RandomAccess(p []byte) bool { return p[3]&0x20 != 0 && p[4] > 0 && p[5]&0x40 != 0 }

// Payload is what follows a packet's header and adaptation field, empty when nothing does.
func Payload(p []byte) []byte {
	start := 4
	if p[3]&0x20 != 0 {
		start += 1 + int(p[4])
	}
	if p[3]&0x10 == 0 || start >= len(p) {
		return nil
	}
	return p[start:]
}
