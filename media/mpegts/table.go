package mpegts

import "encoding/binary"

const (
	crcBytes = 4

	// beforeTracks is what a PMT's section has up to the program's own descriptors.
	beforeTracks = 12
)

// Section makes a packet of a table that fits in one. The section's length and the room for its
// check sum are filled in.
func Section(packet []byte, pid uint16, counter byte, section []byte) {
	packet[0] = Sync
	binary.BigEndian.PutUint16(packet[1:], pid|0x4000)
	packet[3] = 0x10 | counter&0x0f
	section[2] = byte(len(section) - 3 + crcBytes)
	section = binary.BigEndian.AppendUint32(section, checkSum(section))
	b := packet[4:PacketBytes]
	b[0] = 0 // the section starts at once
	n := 1 + copy(b[1:], section)
	for i := range b[n:] {
		b[n+i] = 0xff
	}
}

// A Track is an entry of a program's table.
type Track struct {
	Kind byte // stream type
	PID  uint16
}

// ProgramTable is the PID of the first program's table that a PAT names, 0 where it names none.
func ProgramTable(pat []byte) uint16 {
	const entry = 4
	section := section(pat)
	if len(section) < 8 {
		return 0
	}
	for at := section[8:]; len(at) >= entry; at = at[entry:] {
		if binary.BigEndian.Uint16(at) != 0 { // 0 names the network's
			return binary.BigEndian.Uint16(at[2:]) & 0x1fff
		}
	}
	return 0
}

// Tracks are the tracks of a PMT that fits in one packet.
func Tracks(pmt []byte) []Track {
	const entry = 5
	var tracks []Track
	for at := Entries(pmt); len(at) >= entry; {
		tracks = append(tracks, Track{Kind: at[0], PID: binary.BigEndian.Uint16(at[1:]) & 0x1fff})
		at = at[min(len(at), entry+int(binary.BigEndian.Uint16(at[3:])&0xfff)):]
	}
	return tracks
}

// Entries are the entries of all tracks in a PMT that fits in one packet, as they stand there.
func Entries(pmt []byte) []byte {
	section := section(pmt)
	if len(section) < beforeTracks {
		return nil
	}
	start := beforeTracks + int(binary.BigEndian.Uint16(section[10:])&0xfff)
	if start >= len(section) {
		return nil
	}
	return section[start:]
}

// section is what a payload's section holds up to its check sum, nil where it does not fit.
func section(payload []byte) []byte {
	if len(payload) < 1 {
		return nil
	}
	section := payload[min(len(payload), 1+int(payload[0])):]
	if len(section) < 3 {
		return nil
	}
	end := 3 + int(binary.BigEndian.Uint16(section[1:])&0xfff) - crcBytes
	if end < 0 || end > len(section) {
		return nil
	}
	return section[:end]
}

// checkSum is that of MPEG-TS sections: CRC-32 without reflection, which hash/crc32 has not.
func checkSum(data []byte) uint32 {
	const polynomial = 0x04c11db7
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ polynomial*top
		}
	}
	return crc
}
