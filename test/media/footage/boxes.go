package footage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// A box is a part of an MP4 file (ISO 14496-12), as a place in its bytes.
type box struct{ at, size int }

const (
	boxHead  = 8  // size and name
	fullHead = 12 // and version and flags
)

func inside(data []byte, b box) []byte { return data[b.at : b.at+b.size] }

// find gives every box at a path of names.
func find(data []byte, path ...string) []box {
	found := []box{{-boxHead, len(data) + boxHead}}
	for _, name := range path {
		var next []box
		for _, parent := range found {
			for at := parent.at + boxHead; at+boxHead <= parent.at+parent.size; {
				size := int(binary.BigEndian.Uint32(data[at:]))
				if size == 1 {
					size = int(binary.BigEndian.Uint64(data[at+boxHead:]))
				}
				if size < boxHead {
					break
				}
				if string(data[at+4:at+boxHead]) == name {
					next = append(next, box{at, size})
				}
				at += size
			}
		}
		found = next
	}
	return found
}

func samples(name string) []string { return []string{"moov", "trak", "mdia", "minf", "stbl", name} }

// unknownDuration makes all durations ones, which stands for unknown.
func unknownDuration(data []byte) ([]byte, error) {
	changed := 0
	for _, of := range []struct {
		at   int
		path []string
	}{{28, []string{"moov", "trak", "tkhd"}}, {24, []string{"moov", "trak", "mdia", "mdhd"}}, {24, []string{"moov", "mvhd"}}} {
		for _, b := range find(data, of.path...) {
			if data[b.at+boxHead] != 0 {
				return nil, errors.New("the box has 64-bit times")
			}
			binary.BigEndian.PutUint32(data[b.at+of.at:], 0xffffffff)
			changed++
		}
	}
	if changed == 0 {
		return nil, errors.New("no durations in the file")
	}
	return data, nil
}

// unknownAudio gives the n-th AAC track a codec that ffmpeg does not know, as phones' spatial audio.
func unknownAudio(n int) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		for _, b := range find(data, samples("stsd")...) {
			at := bytes.Index(inside(data, b), []byte("mp4a"))
			if at < 0 {
				continue
			}
			if n--; n >= 0 {
				continue
			}
			copy(data[b.at+at:], "ac-4")
			if esds := bytes.Index(inside(data, b), []byte("esds")); esds > 0 {
				copy(data[b.at+esds:], "dac4")
			}
			return data, nil
		}
		return nil, errors.New("no such AAC track")
	}
}

// breakSample makes the n-th picture in decoding order one that makes no sense.
func breakSample(n int) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		at, size, err := sample(data, n)
		if err != nil {
			return nil, err
		}
		for i := at + 4; i < at+size; i++ {
			data[i] = 0xff
		}
		return data, nil
	}
}

// sample is where the n-th sample of the first track lies.
func sample(data []byte, n int) (at, size int, err error) {
	table := func(name string) []uint32 {
		found := find(data, samples(name)...)
		if len(found) == 0 {
			return nil
		}
		var words []uint32
		for body := inside(data, found[0])[fullHead:]; len(body) >= 4; body = body[4:] {
			words = append(words, binary.BigEndian.Uint32(body))
		}
		return words
	}
	sizes, offsets, runs := table("stsz"), table("stco"), table("stsc")
	if len(sizes) < 2 || len(offsets) == 0 || len(runs) == 0 {
		return 0, 0, errors.New("no table of samples")
	}
	sampleSize := func(i int) int {
		if sizes[0] > 0 {
			return int(sizes[0])
		}
		return int(sizes[2+i])
	}
	next := 0
	for chunk := 1; chunk <= int(offsets[0]); chunk++ {
		at := int(offsets[chunk])
		per := 0
		for r := range int(runs[0]) {
			if int(runs[1+3*r]) <= chunk {
				per = int(runs[2+3*r])
			}
		}
		for range per {
			if next == n {
				return at, sampleSize(n), nil
			}
			at += sampleSize(next)
			next++
		}
	}
	return 0, 0, fmt.Errorf("there are %d samples, not %d", next, n)
}

// bomb makes one picture many: all samples are the same bytes, so that the file is small to send
// and huge once it is copied.
func bomb(count, perSecond uint32) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		at, size, err := sample(data, 0)
		if err != nil {
			return nil, err
		}
		stsd := inside(data, find(data, samples("stsd")...)[0])
		be := func(values ...any) []byte {
			var b []byte
			for _, v := range values {
				switch v := v.(type) {
				case uint16:
					b = binary.BigEndian.AppendUint16(b, v)
				case uint32:
					b = binary.BigEndian.AppendUint32(b, v)
				case int: // so many zeroes
					b = append(b, make([]byte, v)...)
				case string:
					b = append(b, v...)
				case []byte:
					b = append(b, v...)
				}
			}
			return b
		}
		made := func(name string, body []byte) []byte { return be(uint32(boxHead+len(body)), name, body) }
		full := func(name string, flags uint32, body []byte) []byte { return made(name, be(flags, body)) }
		one, quarter := uint32(0x10000), uint32(0x40000000)
		matrix := be(one, 12, one, 12, quarter)
		ftyp := made("ftyp", be("isom", uint32(512), "isomiso2avc1mp41"))
		offsets := be(count)
		for range count {
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(len(ftyp)+boxHead))
		}
		table := made("stbl", be(stsd,
			full("stts", 0, be(uint32(1), count, uint32(1))),
			full("stsz", 0, be(uint32(size), count)),
			full("stsc", 0, be(uint32(1), uint32(1), uint32(1), uint32(1))),
			full("stco", 0, offsets)))
		minf := made("minf", be(full("vmhd", 1, be(8)), made("dinf", full("dref", 0, be(uint32(1), full("url ", 1, nil)))), table))
		mdia := made("mdia", be(
			full("mdhd", 0, be(8, perSecond, count, uint16(0x55c4), uint16(0))),
			full("hdlr", 0, be(4, "vide", 12, "v", 1)),
			minf))
		trak := made("trak", be(
			full("tkhd", 3, be(8, uint32(1), 4, count, 16, matrix, uint32(320<<16), uint32(240<<16))),
			mdia))
		mvhd := full("mvhd", 0, be(8, perSecond, count, one, uint16(0x100), 10, matrix, 24, uint32(2)))
		return be(ftyp, made("mdat", data[at:at+size]), made("moov", be(mvhd, trak))), nil
	}
}
