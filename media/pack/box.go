package pack

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A box of MP4 (ISO 14496-12) is its length, its name, and what it holds.
func box(name string, parts ...[]byte) []byte {
	const header = 8
	content := slices.Concat(parts...)
	b := binary.BigEndian.AppendUint32(make([]byte, 0, header+len(content)), uint32(header+len(content)))
	return append(append(b, name...), content...)
}

// full is a box with a version and flags.
func full(name string, version byte, flags uint32, parts ...[]byte) []byte {
	return box(name, append([][]byte{u32(uint32(version)<<24 | flags)}, parts...)...)
}

func u16(values ...int) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func u32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// unity is the matrix that leaves a picture as it is.
var unity = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

// An initTrack is what an init segment says of its track.
type initTrack struct {
	scale         uint32 // ticks a second
	width, height int    // 0: sound
	entry         []byte // of its samples
}

// initSegment describes one track whose samples come in fragments.
func initSegment(t initTrack) []byte {
	const id = 1
	handler, media, volume := "soun", full("smhd", 0, 0, u32(0)), 0x0100
	if t.width > 0 {
		handler, media, volume = "vide", full("vmhd", 0, 1, u32(0, 0)), 0
	}
	empty := func(name string) []byte { return full(name, 0, 0, u32(0)) }
	table := box("stbl", full("stsd", 0, 0, u32(1), t.entry), empty("stts"), empty("stsc"), full("stsz", 0, 0, u32(0, 0)), empty("stco"))
	within := box("dinf", full("dref", 0, 0, u32(1), full("url ", 0, 1)))
	const (
		shown    = 7      // enabled, in the movie, in its preview
		noTongue = 0x55c4 // "und"
	)
	track := box("trak",
		full("tkhd", 0, shown, u32(0, 0, id, 0, 0, 0, 0), u16(0, 0, volume, 0), unity, u32(uint32(t.width)<<16, uint32(t.height)<<16)),
		box("mdia",
			full("mdhd", 0, 0, u32(0, 0, t.scale, 0), u16(noTongue, 0)),
			full("hdlr", 0, 0, u32(0), []byte(handler), u32(0, 0, 0), []byte("weir\x00")),
			box("minf", media, within, table)))
	return slices.Concat(
		box("ftyp", []byte("iso6"), u32(0), []byte("iso6mp41cmfc")),
		box("moov",
			full("mvhd", 0, 0, u32(0, 0, 1000, 0, 0x10000), u16(0x0100, 0), u32(0, 0), unity, u32(0, 0, 0, 0, 0, 0, id+1)),
			track,
			box("mvex", full("trex", 0, 0, u32(id, 1, 0, 0, 0)))))
}

// h264Entry describes H264 by its parameter sets.
func h264Entry(width, height int, sps []byte, pps [][]byte) []byte {
	config := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1} // lengths of 4 bytes, one set
	config = append(append(config, u16(len(sps))...), sps...)
	config = append(config, byte(len(pps)))
	for _, set := range pps {
		config = append(append(config, u16(len(set))...), set...)
	}
	switch sps[spsProfile] {
	case 100, 110, 122, 144: // the high ones say how their samples are
		chroma, luma, other := sampling(sps)
		config = append(config, 0xfc|chroma, 0xf8|luma, 0xf8|other, 0)
	}
	const dpi72 = 72 << 16
	name := make([]byte, 32)
	return box("avc1", make([]byte, 6), u16(1), make([]byte, 16), u16(width, height), u32(dpi72, dpi72, 0), u16(1), name, u16(0x18, 0xffff), box("avcC", config))
}

// sampling reads a high profile's chroma format and depths.
func sampling(sps []byte) (chroma, luma, other byte) {
	const behindLevel = 4
	bit := behindLevel * 8
	next := func() uint {
		at := sps[min(len(sps), bit/8):]
		var stream uint64
		for i := range 8 {
			stream <<= 8
			if i < len(at) {
				stream |= uint64(at[i])
			}
		}
		stream <<= bit % 8
		zeros := min(bits.LeadingZeros64(stream), 20)
		bit += 2*zeros + 1
		return uint(stream>>(63-2*zeros)) - 1
	}
	next() // its id
	chroma = byte(next()) & 3
	if chroma == 3 {
		bit++ // planes apart
	}
	return chroma, byte(next()) & 7, byte(next()) & 7
}

// aacEntry describes AAC by a header of ADTS.
func aacEntry(adts []byte) []byte {
	object, rate, channels := int(adts[2]>>6)+1, int(adts[2]>>2&0xf), int(adts[2]&1)<<2|int(adts[3]>>6)
	decoder := append([]byte{5, 2}, u16(object<<11|rate<<7|channels<<3)...)
	config := slices.Concat([]byte{4, byte(13 + len(decoder)), 0x40, 0x15, 0, 0, 0}, u32(0, 0), decoder)
	descriptor := slices.Concat([]byte{3, byte(3 + len(config) + 3), 0, 0, 0}, config, []byte{6, 1, 2})
	return box("mp4a", make([]byte, 6), u16(1), make([]byte, 8), u16(channels, 16, 0, 0), u32(uint32(adtsHertz(adts))<<16),
		full("esds", 0, 0, descriptor))
}

// A sample is a frame of a fragment. Times are in the track's scale.
type sample struct {
	at, lasts int64 // by the decoder's time
	later     int64 // by how much it is shown after that; it may be negative
	key       bool
	bytes     int
}

// fragment is the head of a fragment, up to its data.
func fragment(number uint32, samples []sample, video bool) []byte {
	const (
		id = 1

		baseIsHere   = 0x20000
		defaultFlags = 0x20

		hasOffset, hasLasts, hasBytes, hasFlags, hasLater = 0x1, 0x100, 0x200, 0x400, 0x800

		starts, follows = 0x02000000, 0x01010000
		mdatHeader      = 8
	)
	data := 0
	for _, s := range samples {
		data += s.bytes
	}
	head := func(offset uint32) []byte {
		flags, track := uint32(hasOffset|hasLasts|hasBytes), full("tfhd", 0, baseIsHere|defaultFlags, u32(id, starts))
		if video {
			flags |= hasFlags | hasLater
		}
		run := u32(uint32(len(samples)), offset)
		for _, s := range samples {
			run = append(run, u32(uint32(s.lasts), uint32(s.bytes))...)
			if !video {
				continue
			}
			kind := uint32(follows)
			if s.key {
				kind = starts
			}
			run = append(run, u32(kind, uint32(int32(s.later)))...)
		}
		at := binary.BigEndian.AppendUint64(nil, uint64(samples[0].at))
		return box("moof", full("mfhd", 0, 0, u32(number)), box("traf", track, full("tfdt", 1, 0, at), full("trun", 1, flags, run)))
	}
	offset := len(head(0)) + mdatHeader
	return slices.Concat(
		box("styp", []byte("msdh"), u32(0), []byte("msdhcmfs")),
		head(uint32(offset)),
		u32(uint32(mdatHeader+data)), []byte("mdat"))
}
