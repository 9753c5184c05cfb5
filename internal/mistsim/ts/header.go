package ts

import (
	"bytes"
	"slices"
)

// Header is what a codec header says about its track.
type Header struct {
	Width, Height int
	// SARWidth and SARHeight give the shape of a pixel; 0 where unknown.
	SARWidth, SARHeight int
	// FPKS is frames per 1,000 seconds, 0 where the header names no rate: nothing
	// is ever measured in its place. Mist keeps it in 16 bits (lib/dtsc.cpp), so
	// 120 frames a second read 54.464.
	FPKS int
	// SPS and PPS are the H.264 parameter sets without start codes.
	SPS, PPS []byte
}

// DisplayHeight is the height as Mist shows it: corrected by the pixel's shape,
// so a 640x352 picture of a 16:9 source reads 640x360.
func (h *Header) DisplayHeight() int {
	if h.SARWidth == 0 || h.SARHeight == 0 {
		return h.Height
	}
	return (h.Height*h.SARHeight + h.SARWidth/2) / h.SARWidth
}

// Init is the avcC record, the form in which Mist keeps H.264 parameter sets.
func (h *Header) Init() []byte {
	if len(h.SPS) < 4 || len(h.PPS) == 0 {
		return nil
	}
	b := []byte{1, h.SPS[1], h.SPS[2], h.SPS[3], 0xff, 0xe1, byte(len(h.SPS) >> 8), byte(len(h.SPS))}
	b = append(b, h.SPS...)
	b = append(b, 1, byte(len(h.PPS)>>8), byte(len(h.PPS)))
	return append(b, h.PPS...)
}

// ParseHeader finds the codec header in a frame. ok is false when it holds none.
func ParseHeader(codec string, data []byte) (h Header, ok bool) {
	switch codec {
	case H264:
		for _, nal := range nals(data) {
			switch nal[0] & 0x1f {
			case 7:
				if len(nal) >= 4 {
					h.SPS, ok = nal, true
					h.avc(&bits{b: unescape(nal[1:])})
				}
			case 8:
				h.PPS = nal
			}
		}
	case HEVC:
		for _, nal := range nals(data) {
			if nal[0]>>1&0x3f == 33 && len(nal) > 2 {
				ok = true
				h.hevc(&bits{b: unescape(nal[2:])})
			}
		}
	case MPEG2:
		if i := bytes.Index(data, []byte{0, 0, 1, 0xb3}); i >= 0 && i+8 <= len(data) {
			h.Width = int(data[i+4])<<4 | int(data[i+5])>>4
			h.Height = int(data[i+5]&0x0f)<<8 | int(data[i+6])
			if code := int(data[i+7] & 0x0f); code < len(mpegRates) {
				h.rate(mpegRates[code][0], mpegRates[code][1])
			}
			ok = true
		}
	}
	return h, ok && h.Width > 0 && h.Height > 0
}

// isIntra says whether Mist takes a NAL unit for a keyframe's: IDR pictures, and
// for H.264 every slice of type I or SI, be it in an IDR picture or not. Recovery
// points are nothing to it.
func isIntra(codec string, nal []byte) bool {
	if codec == HEVC {
		t := nal[0] >> 1 & 0x3f
		return t >= 16 && t <= 21
	}
	switch nal[0] & 0x1f {
	case 5:
		return true
	case 1:
		const sliceHead = 10 // the slice type lies within
		r := &bits{b: unescape(nal[1:min(len(nal), sliceHead)])}
		r.ue() // first_mb_in_slice
		switch r.ue() {
		case 2, 4, 7, 9:
			return true
		}
	}
	return false
}

// startsGroup looks for a group-of-pictures header among the first units of an
// MPEG-2 packet.
func startsGroup(units [][]byte) bool {
	const looked = 8 // no unit behind the eighth is looked at
	return slices.ContainsFunc(units[:min(len(units), looked)], func(unit []byte) bool { return unit[0] == 0xb8 })
}

// StartsWithInit says whether a frame's first NAL unit is a parameter set.
func StartsWithInit(codec string, data []byte) bool {
	units := nals(data)
	if len(units) == 0 {
		return false
	}
	switch codec {
	case H264:
		t := units[0][0] & 0x1f
		return t == 7 || t == 8
	case HEVC:
		t := units[0][0] >> 1 & 0x3f
		return t >= 32 && t <= 34
	}
	return false
}

// nals splits Annex B data; every NAL unit returned has at least one byte.
func nals(data []byte) [][]byte {
	var out [][]byte
	code := []byte{0, 0, 1}
	i := bytes.Index(data, code)
	for i >= 0 {
		data = data[i+len(code):]
		i = bytes.Index(data, code)
		nal := data
		if i >= 0 {
			nal = data[:i]
		}
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) > 0 {
			out = append(out, nal)
		}
	}
	return out
}

// unescape removes the emulation prevention bytes.
func unescape(b []byte) []byte {
	return bytes.ReplaceAll(b, []byte{0, 0, 3}, []byte{0, 0})
}

// mpegRates are the frame rates of an MPEG-2 sequence header (ISO/IEC 13818-2,
// table 6-4) as fractions; its extension is not read.
var mpegRates = [][2]int{{}, {24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {30, 1}, {50, 1}, {60000, 1001}, {60, 1}}

// rate sets the frame rate to a fraction, cut and wrapped as Mist's field is.
func (h *Header) rate(frames, seconds int) {
	if seconds > 0 {
		h.FPKS = int(uint16(int64(float64(frames) / float64(seconds) * 1000))) // the overflow is the point
	}
}

// bits reads a bit stream; beyond its end it reads zeros.
type bits struct {
	b   []byte
	pos int
}

func (r *bits) u(n int) (v int) {
	for range n {
		v <<= 1
		if i := r.pos >> 3; i < len(r.b) {
			v |= int(r.b[i]>>(7-r.pos&7)) & 1
		}
		r.pos++
	}
	return v
}

// ue reads an Exp-Golomb number; 32 leading zeros mean a broken stream.
func (r *bits) ue() int {
	zeros := 0
	for r.u(1) == 0 {
		if zeros++; zeros > 31 {
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// ues skips n Exp-Golomb numbers.
func (r *bits) ues(n int) {
	for range n {
		r.ue()
	}
}

// maxCount bounds loops whose length a hostile header could choose.
const maxCount = 256

// avc reads an H.264 sequence parameter set (ITU-T H.264, 7.3.2.1.1 and E.1.1).
func (h *Header) avc(r *bits) {
	profile := r.u(8)
	r.u(16)
	r.ue()
	chroma := 1
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138:
		if chroma = r.ue(); chroma == 3 {
			r.u(1)
		}
		r.ue()
		r.ue()
		r.u(1)
		if r.u(1) == 1 {
			lists := 8
			if chroma == 3 {
				lists = 12
			}
			for i := range lists {
				if r.u(1) == 1 {
					size := 16
					if i >= 6 {
						size = 64
					}
					scaling(r, size)
				}
			}
		}
	}
	r.ue()
	switch r.ue() {
	case 0:
		r.ue()
	case 1:
		r.u(1)
		r.ue()
		r.ue()
		for range min(r.ue(), maxCount) {
			r.ue()
		}
	}
	r.ue()
	r.u(1)
	width, height := r.ue()+1, r.ue()+1
	frameOnly := r.u(1)
	if frameOnly == 0 {
		r.u(1)
	}
	r.u(1)
	h.Width, h.Height = width*16, height*16*(2-frameOnly)
	if r.u(1) == 1 { // cropping, in chroma samples
		unitX, unitY := 2, 2*(2-frameOnly)
		if chroma == 3 || chroma == 0 {
			unitX = 1
		}
		if chroma != 1 {
			unitY = 2 - frameOnly
		}
		left, right, top, bottom := r.ue(), r.ue(), r.ue(), r.ue()
		h.Width -= (left + right) * unitX
		h.Height -= (top + bottom) * unitY
	}
	if r.u(1) == 1 {
		h.vui(r)
	}
}

// Pixel shapes by aspect_ratio_idc (table E-1).
var shapes = [][2]int{
	{}, {1, 1}, {12, 11}, {10, 11}, {16, 11}, {40, 33}, {24, 11}, {20, 11}, {32, 11},
	{80, 33}, {18, 11}, {15, 11}, {64, 33}, {160, 99}, {4, 3}, {3, 2}, {2, 1},
}

func (h *Header) vui(r *bits) {
	const extended = 255
	if r.u(1) == 1 {
		if idc := r.u(8); idc == extended {
			h.SARWidth, h.SARHeight = r.u(16), r.u(16)
		} else if idc < len(shapes) {
			h.SARWidth, h.SARHeight = shapes[idc][0], shapes[idc][1]
		}
	}
	if r.u(1) == 1 {
		r.u(1)
	}
	if r.u(1) == 1 {
		r.u(4)
		if r.u(1) == 1 {
			r.u(24)
		}
	}
	if r.u(1) == 1 {
		r.ue()
		r.ue()
	}
	if r.u(1) == 1 {
		tick, scale := r.u(32), r.u(32)
		h.rate(scale, 2*tick) // two fields a frame
	}
}

func scaling(r *bits, size int) {
	last, next := 8, 8
	for range size {
		if next != 0 {
			k := r.ue()
			delta := (k + 1) / 2
			if k%2 == 0 {
				delta = -k / 2
			}
			next = (last + delta + 256) % 256
		}
		if next != 0 {
			last = next
		}
	}
}

// hevc reads an H.265 sequence parameter set (ITU-T H.265, 7.3.2.2.1 and E.2.1) as
// far as Mist does and with its slips (lib/h265.cpp): the rate is that of the VUI
// alone, and sets of reference pictures that are predicted from others throw it off.
func (h *Header) hevc(r *bits) {
	r.u(4)
	layers := r.u(3)
	r.u(1)
	r.u(88) // general profile and tier
	r.u(8)  // general level
	var profiles, levels [8]bool
	for i := range layers {
		profiles[i], levels[i] = r.u(1) == 1, r.u(1) == 1
	}
	if layers > 0 {
		r.u(2 * (8 - layers))
	}
	for i := range layers {
		if profiles[i] {
			r.u(88)
		}
		if levels[i] {
			r.u(8)
		}
	}
	r.ue()
	chroma := r.ue()
	if chroma == 3 {
		r.u(1)
	}
	h.Width, h.Height = r.ue(), r.ue()
	if r.u(1) == 1 {
		unitX, unitY := 1, 1
		if chroma == 1 || chroma == 2 {
			unitX = 2
		}
		if chroma == 1 {
			unitY = 2
		}
		r.ue() // what is cut on the left, which Mist skips
		right := r.ue()
		r.ue()
		bottom := r.ue()
		h.Width -= right * unitX
		h.Height -= bottom * unitY
	}
	r.ues(2)                // bit depths
	const maxOrderBits = 64 // 16 are allowed; a broken header claims billions
	orderBits := min(r.ue()+4, maxOrderBits)
	first := layers
	if r.u(1) == 1 {
		first = 0
	}
	r.ues(3 * (layers - first + 1))
	r.ues(6)         // block sizes
	if r.u(1) == 1 { // scaling lists are in use
		if r.u(1) == 1 { // and here
			hevcScaling(r)
		}
	}
	r.u(2)
	if r.u(1) == 1 { // PCM
		r.u(8)
		r.ues(2)
		r.u(1)
	}
	hevcReferences(r)
	if r.u(1) == 1 {
		for range min(r.ue(), maxCount) {
			r.u(orderBits + 1)
		}
	}
	r.u(2)
	if r.u(1) == 1 {
		h.hevcVUI(r)
	}
}

func hevcScaling(r *bits) {
	for size := range 4 {
		matrices := 6
		if size == 3 {
			matrices = 2
		}
		for range matrices {
			if r.u(1) == 0 {
				r.ue()
				continue
			}
			coefficients := min(64, 1<<(4+size<<1))
			if size > 1 {
				r.ue()
			}
			r.ues(coefficients)
		}
	}
}

// hevcReferences skips the short-term reference picture sets.
func hevcReferences(r *bits) {
	pictures := map[int]int{}
	for i := range min(r.ue(), maxCount) {
		if i > 0 && r.u(1) == 1 {
			r.u(1)
			r.ue()
			for range pictures[i-1] {
				if r.u(1) == 0 {
					r.u(1)
				}
			}
			continue
		}
		negative := min(r.ue(), maxCount)
		positive := min(r.ue(), maxCount)
		pictures[i] = negative + positive
		for range pictures[i] {
			r.ue()
			r.u(1)
		}
	}
}

func (h *Header) hevcVUI(r *bits) {
	const extended = 255
	if r.u(1) == 1 && r.u(8) == extended {
		r.u(32)
	}
	if r.u(1) == 1 {
		r.u(1)
	}
	if r.u(1) == 1 {
		r.u(4)
		if r.u(1) == 1 {
			r.u(24)
		}
	}
	if r.u(1) == 1 {
		r.ues(2)
	}
	r.u(3)
	if r.u(1) == 1 {
		r.ues(4)
	}
	if r.u(1) == 1 {
		tick, scale := r.u(32), r.u(32)
		h.rate(scale, tick)
	}
}
