package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"weir/media/mpegts"
)

const (
	// clock is how many ticks a second has, in MPEG-TS and in all times here.
	clock = mpegts.Clock

	// stillRate is how many frames a second a picture without a next one is taken for.
	stillRate = 25
)

// Stream types of MPEG-TS.
const (
	typeH264 = 0x1b
	typeAAC  = 0x0f // in ADTS
)

// tracks are what a rung holds. Times are ticks as they stand in the file.
type tracks struct {
	tables    uint16 // PID of the program's table
	entries   []byte // of both tracks, for a table of our own
	video     uint16 // PIDs
	sound     uint16 // 0: silent
	keys      []int64
	frames    int64 // from the first keyframe on
	shown     int64 // end of the last one shown
	fps       float64
	soundFrom int64
	soundTo   int64
	sps       []byte // the first
	pps       [][]byte
	adts      []byte // the first header
}

// zero is the first that is seen or heard.
func (t *tracks) zero() int64 {
	if t.sound != 0 {
		return min(t.keys[0], t.soundFrom)
	}
	return t.keys[0]
}

// end is the last that is.
func (t *tracks) end() int64 { return max(t.shown, t.soundTo) }

// look reads a rung's file once.
func look(ctx context.Context, rung Rung) (*tracks, error) {
	file, err := os.Open(rung.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t := &tracks{}
	if err := t.program(ctx, file); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if err := t.times(ctx, file, rung.FrameRate); err != nil {
		return nil, err
	}
	return t, nil
}

var errEnough = errors.New("enough was read")

// program finds the tables. Sound may come before them.
func (t *tracks) program(ctx context.Context, file *os.File) error {
	var known []mpegts.Track
	err := mpegts.Each(ctx, file, func(_ int64, p []byte) error {
		switch {
		case !mpegts.Starts(p):
		case mpegts.PID(p) == 0:
			t.tables = mpegts.ProgramTable(mpegts.Payload(p))
		case t.tables != 0 && mpegts.PID(p) == t.tables:
			known = mpegts.Tracks(mpegts.Payload(p))
			t.entries = bytes.Clone(mpegts.Entries(mpegts.Payload(p)))
			return errEnough
		}
		return nil
	})
	if errors.Is(err, mpegts.ErrNotTS) {
		return refusal("its file is no MPEG-TS")
	}
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	for _, track := range known {
		switch {
		case track.Kind == typeH264 && t.video == 0:
			t.video = track.PID
		case track.Kind == typeAAC && t.sound == 0:
			t.sound = track.PID
		default:
			return refusal(fmt.Sprintf("it has a track of MPEG-TS type 0x%02x; one of H264 and at most one of AAC (0x0f) can be packaged", track.Kind))
		}
	}
	if t.video == 0 {
		return refusal("its file has no H264 track")
	}
	return nil
}

// times finds keyframes, ends and what decoders have to know.
func (t *tracks) times(ctx context.Context, file io.Reader, fps float64) error {
	var last int64       // of the pictures that are shown
	var first, sound pes // the first keyframe; the sound at hand
	err := mpegts.Each(ctx, file, func(_ int64, p []byte) error {
		switch mpegts.PID(p) {
		case t.video:
			if begun := mpegts.TimedPES(p); begun != nil {
				pts, _ := mpegts.Times(begun)
				key := mpegts.RandomAccess(p)
				if key && (len(t.keys) == 0 || pts > t.keys[len(t.keys)-1]) {
					t.keys = append(t.keys, pts)
				}
				if len(t.keys) == 0 {
					return nil
				}
				t.frames++
				last = max(last, pts)
			}
			if len(t.keys) > 0 && t.frames == 1 {
				first.add(p)
			}
		case t.sound:
			if t.sound != 0 && mpegts.TimedPES(p) != nil {
				t.heard(&sound)
			}
			sound.add(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.heard(&sound)
	return t.conclude(first.data, last, fps)
}

// conclude makes of what was read what has to be known.
func (t *tracks) conclude(first []byte, last int64, fps float64) error {
	if len(t.keys) == 0 {
		return refusal("its file has no keyframe")
	}
	for unit := range mpegts.Units(first) {
		set := bytes.TrimRight(unit, "\x00")
		switch {
		case len(set) > spsProfile+2 && set[0]&0x1f == unitSPS && t.sps == nil:
			t.sps = bytes.Clone(set)
		case len(set) > 0 && set[0]&0x1f == unitPPS:
			t.pps = append(t.pps, bytes.Clone(set))
		}
	}
	if t.sps == nil || t.pps == nil {
		return refusal("its first keyframe has no parameter sets")
	}
	if t.sound != 0 && t.adts == nil {
		return refusal("its track of AAC holds no sound")
	}
	t.fps = fps
	if t.fps <= 0 && t.frames > 1 && last > t.keys[0] {
		t.fps = float64(t.frames-1) * clock / float64(last-t.keys[0])
	}
	if t.fps <= 0 {
		t.fps = stillRate
	}
	t.shown = last + int64(math.Round(clock/t.fps))
	return nil
}

// heard takes a whole PES packet of sound.
func (t *tracks) heard(p *pes) {
	if !p.begun {
		return
	}
	if t.adts == nil {
		t.soundFrom = p.pts
	}
	samples := int64(0)
	var hertz int64
	for header := range adts(p.data) {
		if t.adts == nil {
			t.adts = bytes.Clone(header)
		}
		hertz = adtsHertz(header)
		samples += adtsSamples * int64(1+header[6]&3)
	}
	if hertz > 0 {
		t.soundTo = max(t.soundTo, p.pts+samples*clock/hertz)
	}
}

// A pes gathers one PES packet.
type pes struct {
	begun    bool
	pts, dts int64
	key      bool
	data     []byte
}

// add takes a packet of its track. One that begins a PES packet with a time begins it anew.
func (g *pes) add(p []byte) {
	if begun := mpegts.TimedPES(p); begun != nil {
		g.begun = true
		g.key = mpegts.RandomAccess(p)
		g.pts, g.dts = mpegts.Times(begun)
		g.data = append(g.data[:0], mpegts.Held(begun)...)
		return
	}
	if g.begun && !mpegts.Starts(p) {
		g.data = append(g.data, mpegts.Payload(p)...)
	}
}
