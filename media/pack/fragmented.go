package pack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/media/mpegts"
)

// A Fragmented is fragmented MP4 of all rungs, and the manifests that list it.
type Fragmented struct {
	Files  []string // all, in the order in which they may be uploaded
	Master string   // HLS's
	MPD    string   // DASH's
	Bytes  int64    // of all but the manifests
}

const (
	masterName = "master.m3u8"
	mpdName    = "index.mpd"

	// soundID stands in names where a picture's has the number of its rung.
	soundID = "a"
)

// A fragmentTrack is a track of them.
type fragmentTrack struct {
	id     string
	scale  int64
	spans  []span // in ticks of the scale
	codec  string
	rung   Rung
	fps    float64
	adts   []byte // of sound
	header int64  // bytes of its init segment
}

func (f *fragmentTrack) init() string     { return "init-" + f.id + ".m4s" }
func (f *fragmentTrack) playlist() string { return "media-" + f.id + ".m3u8" }
func (f *fragmentTrack) chunk(n int) string {
	return fmt.Sprintf("chunk-%s-%d.m4s", f.id, n)
}

// Fragmented makes fragments of all rungs, once, for an HLS master (dir/master.m3u8) and a DASH
// manifest (dir/index.mpd). The sound is the first rung's that has some: theirs is the same.
func (p Packer) Fragmented(ctx context.Context, rungs []Rung, dir string, segment time.Duration) (Fragmented, error) {
	const what = "fragmented MP4"
	if len(rungs) == 0 {
		return Fragmented{}, failed(what, Rung{}, refusal("there is no rendition to be packaged"))
	}
	var pictures []*fragmentTrack
	var sound *fragmentTrack
	for i, rung := range rungs {
		t, err := look(ctx, rung)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err != nil {
			return Fragmented{}, failed(what, rung, err)
		}
		plan := t.plan(segment, "%d")
		video, err := fragmentVideo(ctx, rung, t, plan, dir, fmt.Sprint(i))
		if err == nil && t.sound != 0 && sound == nil {
			sound, err = fragmentSound(ctx, rung, t, plan, dir)
		}
		if err != nil {
			return Fragmented{}, failed(what, rung, err)
		}
		pictures = append(pictures, video)
	}
	all := slices.Clone(pictures)
	if sound != nil {
		all = append(all, sound)
	}
	result := Fragmented{Master: masterName, MPD: mpdName}
	for _, f := range all {
		result.Files = append(result.Files, f.init())
		result.Bytes += f.header
		for _, s := range f.spans {
			result.Files = append(result.Files, s.name)
			result.Bytes += s.bytes
		}
	}
	for _, f := range all {
		list := mediaPlaylist(f.ticks(), f.init())
		if err := os.WriteFile(filepath.Join(dir, f.playlist()), list, 0o644); err != nil {
			return Fragmented{}, failed(what, f.rung, err)
		}
		result.Files = append(result.Files, f.playlist())
	}
	manifest, err := mpd(pictures, sound)
	if err != nil {
		return Fragmented{}, failed(what, rungs[0], err)
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{mpdName, manifest}, {masterName, fragmentMaster(pictures, sound)}} {
		if err := os.WriteFile(filepath.Join(dir, file.name), file.data, 0o644); err != nil {
			return Fragmented{}, failed(what, rungs[0], err)
		}
		result.Files = append(result.Files, file.name)
	}
	return result, nil
}

// ticks are the spans in those of MPEG-TS.
func (f *fragmentTrack) ticks() []span {
	spans := slices.Clone(f.spans)
	for i := range spans {
		spans[i].from, spans[i].to = spans[i].from*clock/f.scale, spans[i].to*clock/f.scale
	}
	return spans
}

// rates are its peak and mean.
func (f *fragmentTrack) rates() (peak, mean int64) { return bitRates(f.ticks()) }

// fragmentMaster is the HLS master: pictures by rung, and the sound beside them.
func fragmentMaster(pictures []*fragmentTrack, sound *fragmentTrack) []byte {
	var rungs []MasterRung
	before, more := "", ""
	var soundPeak, soundMean int64
	if sound != nil {
		const group = "sound"
		before = fmt.Sprintf("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"%d\",URI=%q\n",
			group, sound.channels(), sound.playlist())
		more = fmt.Sprintf(",AUDIO=%q", group)
		soundPeak, soundMean = sound.rates()
	}
	for _, f := range pictures {
		codecs := f.codec
		if sound != nil {
			codecs += "," + sound.codec
		}
		peak, mean := f.rates()
		rungs = append(rungs, MasterRung{
			Rung: f.rung, URI: f.playlist(),
			Playlist: Playlist{Codecs: codecs, FrameRate: f.fps, PeakBitRate: peak + soundPeak, MeanBitRate: mean + soundMean},
		})
	}
	return master(rungs, before, more)
}

func (f *fragmentTrack) channels() int { return int(f.adts[2]&1)<<2 | int(f.adts[3]>>6) }

// A fragmenter gathers a track's samples and writes a chunk whenever a span is over.
type fragmenter struct {
	track   *fragmentTrack
	dir     string
	video   bool
	samples []sample
	data    []byte
}

// chunk writes what was gathered. Its last sample lasts until next, by the decoder's time.
func (f *fragmenter) chunk(next int64) error {
	if len(f.samples) == 0 {
		return nil
	}
	for i := range f.samples {
		until := next
		if i+1 < len(f.samples) {
			until = f.samples[i+1].at
		}
		f.samples[i].lasts = max(1, until-f.samples[i].at)
	}
	s := &f.track.spans[len(f.track.spans)-1]
	head := fragment(uint32(len(f.track.spans)), f.samples, f.video)
	s.bytes = int64(len(head) + len(f.data))
	f.samples = f.samples[:0]
	file, err := os.Create(filepath.Join(f.dir, s.name))
	if err != nil {
		return err
	}
	_, err = file.Write(append(head, f.data...))
	f.data = f.data[:0]
	if err != nil {
		_ = file.Close() // the write's error says it
		return err
	}
	return file.Close()
}

// begin begins a span of the track, which ends the one before.
func (f *fragmenter) begin(from int64) {
	n := len(f.track.spans)
	if n > 0 {
		f.track.spans[n-1].to = from
	}
	f.track.spans = append(f.track.spans, span{from: from, name: f.track.chunk(n + 1)})
}

func (f *fragmenter) add(s sample, data ...[]byte) {
	for _, part := range data {
		s.bytes += len(part)
		f.data = append(f.data, part...)
	}
	f.samples = append(f.samples, s)
}

// each calls f with every PES packet of a track.
func each(ctx context.Context, path string, track uint16, f func(p *pes) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var now pes
	err = mpegts.Each(ctx, file, func(_ int64, p []byte) error {
		if mpegts.PID(p) != track {
			return nil
		}
		if now.begun && mpegts.TimedPES(p) != nil {
			if err := f(&now); err != nil {
				return err
			}
		}
		now.add(p)
		return nil
	})
	if err != nil || !now.begun {
		return err
	}
	return f(&now)
}

// writeInit writes the init segment.
func (f *fragmentTrack) writeInit(dir string, t initTrack) error {
	data := initSegment(t)
	f.header = int64(len(data))
	return os.WriteFile(filepath.Join(dir, f.init()), data, 0o644)
}

// fragmentVideo makes the fragments of a rung's pictures. The zero lies where it does in MPEG-TS, so
// that no DTS is before 0: players disagree on edit lists and on pictures that are shown before their
// DTS.
func fragmentVideo(ctx context.Context, rung Rung, t *tracks, plan []span, dir, id string) (*fragmentTrack, error) {
	track := &fragmentTrack{id: id, scale: clock, codec: t.videoCodec(), rung: rung, fps: t.fps}
	if err := track.writeInit(dir, initTrack{
		scale: clock, width: rung.Width, height: rung.Height, entry: h264Entry(rung.Width, rung.Height, t.sps, t.pps),
	}); err != nil {
		return nil, err
	}
	out := &fragmenter{track: track, dir: dir, video: true}
	shift, at := zeroAt-t.zero(), int64(-1)
	err := each(ctx, rung.File, t.video, func(p *pes) error {
		n := len(track.spans)
		if n == 0 && !p.key {
			return nil
		}
		shown := p.pts + shift
		at = max(p.dts+shift, at+1)
		if n == 0 || p.key && n < len(plan) && shown-zeroAt >= plan[n].from {
			if err := out.chunk(at); err != nil {
				return err
			}
			out.begin(shown)
		}
		out.add(sample{at: at, later: shown - at, key: p.key}, t.lengthened(p.data)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	track.spans[len(track.spans)-1].to = t.shown + shift
	return track, out.chunk(out.samples[len(out.samples)-1].at + max(1, int64(clock/t.fps)))
}

// lengthened is a picture's units with their lengths before them, without the parameter sets that
// the init segment has.
func (t *tracks) lengthened(data []byte) (parts [][]byte) {
	for unit := range mpegts.Units(data) {
		// Zeros at the end belong to the next start code.
		for len(unit) > 0 && unit[len(unit)-1] == 0 {
			unit = unit[:len(unit)-1]
		}
		if len(unit) == 0 || unit[0]&0x1f == unitDelimiter || t.known(unit) {
			continue
		}
		parts = append(parts, u32(uint32(len(unit))), unit)
	}
	return parts
}

// known says whether a unit is a parameter set of the init segment.
func (t *tracks) known(unit []byte) bool {
	return string(unit) == string(t.sps) || slices.ContainsFunc(t.pps, func(set []byte) bool { return string(set) == string(unit) })
}

// fragmentSound makes the fragments of a rung's sound.
func fragmentSound(ctx context.Context, rung Rung, t *tracks, plan []span, dir string) (*fragmentTrack, error) {
	hertz := adtsHertz(t.adts)
	track := &fragmentTrack{id: soundID, scale: hertz, codec: t.soundCodec(), rung: rung, adts: t.adts}
	if hertz == 0 || track.channels() == 0 {
		return nil, refusal("its AAC has a sample rate or a layout of channels that only its frames say")
	}
	if err := track.writeInit(dir, initTrack{scale: uint32(hertz), entry: aacEntry(t.adts)}); err != nil {
		return nil, err
	}
	out := &fragmenter{track: track, dir: dir}
	zero, next, at := t.zero(), int64(0), 0
	const zeroSeconds = zeroAt / clock
	err := each(ctx, rung.File, t.sound, func(p *pes) error {
		frames := slices.Collect(adtsFrames(p.data))
		if len(frames) == 0 {
			return nil
		}
		now := (p.pts-zero)*hertz/clock + zeroSeconds*hertz
		// Timestamps are rounded; frames follow each other where they nearly do.
		const near = 500 // parts of a second
		if off := now - next; len(track.spans) > 0 && max(off, -off) < hertz/near {
			now = next
		}
		began := len(track.spans) == 0
		for at+1 < len(plan) && p.pts-zero >= plan[at+1].from {
			at++
			began = true
		}
		if began {
			if err := out.chunk(now); err != nil {
				return err
			}
			out.begin(now)
		}
		for _, frame := range frames {
			out.add(sample{at: now}, frame)
			now += adtsSamples
		}
		next = now
		return nil
	})
	if err != nil {
		return nil, err
	}
	track.spans[len(track.spans)-1].to = next
	return track, out.chunk(next)
}
