package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	// preparedName is the prepared file, in the attempt's folder. Its ending tells Mist what it is.
	preparedName = "source.ts"

	// clockName is the file beside it that holds the frames' true times.
	clockName = "source.clock"

	// maxKeyTicks is the longest true time between two places where a segment may begin. An HLS
	// segment of a rendition may last no longer than 20 s.
	maxKeyTicks = 10 * tsClock

	// writeBuffer spares the disk small writes: ffmpeg's pipe gives 64 KiB at most.
	writeBuffer = 1 << 20

	// maxRate bounds what an encoded source may come to, in bytes a second: a quarter gigabit, more
	// than any camera's.
	maxRate = 32 << 20

	// rateFloor is left to short ones.
	rateFloor = 64 << 20
)

// A Prepared is a file that MistProcLivepeer can be pointed at. It is stored as a row, so its JSON
// is a contract.
type Prepared struct {
	Path string `json:"path"`
	// StopMS is where a push has to end (recstop), on Mist's clock: every rendition frame of the
	// source has a smaller DTS, every frame of the padding a greater one.
	StopMS int64 `json:"stop_ms"`
	// EndMS is where the source's last frame lies on that clock (DTS).
	EndMS     int64 `json:"end_ms"`
	SegmentMS int64 `json:"segment_ms"` // the longest Content-Duration
	Bytes     int64 `json:"bytes"`
	// Frames are those of the source part. They are the source's, unless some could not be decoded.
	Frames     int64 `json:"frames"`
	DurationUS int64 `json:"duration_us"` // of the source part, in true time
	StartUS    int64 `json:"start_us"`    // PTS, in the source's own time, of its first frame
	Segments   int64 `json:"segments"`    // of the source part
	// Width and Height are what a decoder makes of it: upright, in square pixels.
	Width  int `json:"width"`
	Height int `json:"height"`
	// ClockFPS is the rate at which the frames lie in the file, and to be asked of a Broadcaster
	// for a rendition at the source's rate. A rendition's bit rate has to be asked for RateScale
	// times, as a transcoder counts seconds of the clock.
	ClockFPS  int64   `json:"clock_fps"`
	RateScale float64 `json:"rate_scale"`
	Rate      Rate    `json:"rate"`     // the true one; where it varies the mean
	Variable  bool    `json:"variable"` // frames are not evenly spaced
	// Reencoded says why it is no copy, else it is empty.
	Reencoded string    `json:"reencoded"`
	AAC       bool      `json:"aac"` // the renditions' sound is AAC, whatever the source's is
	Warnings  []Warning `json:"warnings"`
}

// TrueMS is about how much of the source lies before a time of Mist's clock, both in milliseconds.
func (p *Prepared) TrueMS(clockMS int64) int64 {
	const usPerMS = 1000
	if clockMS <= 0 || p.StopMS <= 0 {
		return 0
	}
	return int64(float64(p.DurationUS/usPerMS) * min(1, float64(clockMS)/float64(p.StopMS)))
}

// A Warning tells what was done to a source that its owner may want to know.
type Warning struct {
	Code string `json:"code"` // one of the Warning constants
	Text string `json:"text"` // for people
}

// What is told of a source.
const (
	WarningUndecodable = "pictures_undecodable" // pictures that no decoder shows were left out
	WarningHDR         = "hdr_to_sdr"           // brought to the standard range
	WarningConstant    = "rate_made_constant"   // a varying rate, for profiles with a rate of their own
	WarningResized     = "picture_size_changes" // brought to the first size
	WarningJoined      = "timestamps_joined"    // the file's times jumped
)

// Options are what a request needs of a prepared file.
type Options struct {
	// Constant: there are renditions with a rate of their own, for which a source's has to be even.
	Constant bool
	// Encode the picture in any case: a copy of it has shown pictures that don't decode.
	Encode bool
	// HEVC may pass as it is: the transcoders take it.
	HEVC bool
	// HighDepth: H264 of more than 8 bits, or with more colour than 4:2:0, may pass as it is.
	HighDepth bool
	// AAC: renditions are for browsers, which play no other sound.
	AAC bool
	// Progress is told how much is done, from 0 to 1, now and then. It may be nil.
	Progress func(part float64)
}

// Prepare writes source.ts into a folder: the best video track alone, on an even clock, with
// padding behind it that Mist may lose, and the frames' true times beside it. H264 that can be
// transcoded segment by segment is copied; all else is encoded once, at high quality, with the
// host's idle time (see the Reencode constants).
//
// in is the file that src was probed from by this process. Prepare may be repeated; it replaces what
// it left. A file under the final name is whole. Failures are CodePrepareFailed, CodeSourceBomb,
// CodeSourceTooLong, or the machine's.
func (t *Tools) Prepare(ctx context.Context, src Source, in, outDir string, opts Options) (Prepared, error) {
	failed := &Error{
		Code: CodePrepareFailed, Op: "prepare", Path: in,
		Text: "the source's video could not be put into the form that Mist needs",
	}
	if src.line == nil {
		failed.Err = errors.New("it was not probed by this process")
		return Prepared{}, failed
	}
	if src.Mended {
		in = mendedPath(in)
	}
	p := &preparation{tools: t, src: src, in: in, opts: opts, path: filepath.Join(outDir, preparedName)}
	why := src.reencode(opts)
	body, err := p.write(ctx, why)
	if cannot, ok := errors.AsType[*uncopyable](err); ok { // seen only in the copy
		why = cannot.why
		body, err = p.write(ctx, why)
	}
	switch {
	case errors.Is(err, errTooLarge):
		return Prepared{}, &Error{
			Code: CodeSourceBomb, Op: "prepare", Path: in, Err: err,
			Text: "the source unpacks to far more than any video of its length; it can't be transcoded",
		}
	case errors.Is(err, errClockFull):
		return Prepared{}, &Error{
			Code: CodeSourceTooLong, Op: "prepare", Path: in, Err: err,
			Text: "the source has more frames than can be transcoded in one piece; send it in parts",
		}
	case err != nil:
		return Prepared{}, blame(err, failed)
	}
	made := body.prepared(src, why)
	made.AAC = opts.AAC
	return made, nil
}

// uncopyable is what a copy shows that the listing did not.
type uncopyable struct{ why string }

func (u *uncopyable) Error() string { return "it can't be copied: " + u.why }

var (
	errTooLarge  = errors.New("it comes to more bytes than its length allows")
	errClockFull = errors.New("its frames don't fit on the clock")
)

// A preparation is one run of Prepare.
type preparation struct {
	tools *Tools
	src   Source
	in    string
	opts  Options
	path  string
}

// write makes the prepared file and its clock. why it is encoded; empty: it is copied.
func (p *preparation) write(ctx context.Context, why string) (*body, error) {
	part, err := os.Create(p.path + ".part")
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = part.Close()           // closed below where it matters
		_ = os.Remove(part.Name()) // renamed away when all went well
	}()
	file := bufio.NewWriterSize(part, writeBuffer)
	b := newBody(p.src, file, why, p.opts)
	if why == "" {
		err = p.copy(ctx, b)
	} else {
		err = p.encode(ctx, b, why)
	}
	if err != nil {
		return nil, err
	}
	if err := b.pad(); err != nil {
		return nil, err
	}
	if err := errors.Join(file.Flush(), part.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", part.Name(), err)
	}
	// The clock first: a file under the final name has one.
	if err := b.clock.save(filepath.Join(filepath.Dir(p.path), clockName)); err != nil {
		return nil, err
	}
	b.path = p.path
	return b, os.Rename(part.Name(), p.path)
}

// copy runs the source's pictures through as they are.
func (p *preparation) copy(ctx context.Context, b *body) error {
	in, err := input(p.in)
	if err != nil {
		return err
	}
	// Every keyframe carries its parameter sets, as each segment is decoded alone. Access unit
	// delimiters go, so that the one that the muxer adds stays the only one. The times are numbers
	// that every muxer takes: the listing knows the true ones.
	filters := map[string]string{
		"h264": "h264_mp4toannexb," + tickRate(Rate{b.clock.fps, 1}) + ":aud=remove,dump_extra=freq=keyframe",
		"hevc": "hevc_mp4toannexb,hevc_metadata=aud=remove,dump_extra=freq=keyframe",
	}
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "error"}, in...)
	args = append(args, "-map", fmt.Sprintf("0:%d", p.src.Video.Index), "-c", "copy", "-bsf:v", filters[p.src.Video.Codec]+",setts=ts=N",
		"-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts", "pipe:1")
	demux := &demuxer{each: b.copied}
	err = run(ctx, p.tools.ffmpeg(), nil, demux, args...)
	if _, ok := errors.AsType[*failure](err); ok { // a decoder may do with what a filter can't read
		return &uncopyable{ReencodeDamaged}
	}
	if err := errors.Join(err, demux.end()); err != nil {
		return err
	}
	return b.checkCopy()
}

// A body is the prepared file while it is written.
type body struct {
	src   Source
	codec string
	clock *clock
	rank  []int32 // of the source's packets; nil: pictures come in the order in which they are shown
	mux   *muxer
	opts  Options
	limit int64 // bytes; 0: none

	packets  int64 // that went by
	pictures int64 // that were written
	begun    int64 // pictures before the segment in hand
	params   []byte
	tail     []picture // the first pictures of the last segment, for the padding
	longest  int64
	path     string
	startUS  int64
	warnings []Warning
	even     bool
	rate     Rate
	dense    float64
}

func newBody(src Source, w io.Writer, why string, opts Options) *body {
	b := &body{src: src, codec: src.Video.Codec, opts: opts, startUS: src.line.startUS, even: src.line.even, rate: src.line.rate, dense: src.line.dense}
	b.clock = &clock{fps: clockFPS(src.line.dense), ticks: src.line.ticks}
	if why == "" {
		b.rank, b.clock.delay = src.line.rank, src.line.delay
	} else {
		b.codec = "h264"
		b.limit = rateFloor + maxRate*(src.DurationUS/second+1)
	}
	b.mux = newMuxer(w, b.codec)
	return b
}

// copied takes the next picture of the source.
func (b *body) copied(p picture) error {
	if b.packets >= int64(len(b.rank)) {
		return &uncopyable{ReencodeDamaged}
	}
	l := lookAt(b.codec, p.data)
	rank := int64(b.rank[b.packets])
	// A recovery point is taken for a keyframe too, though decoding can't start there.
	key := l.key || b.src.line.flags[b.packets]&flagKey != 0
	b.packets++
	if rank == notShown && b.src.line.cut != nil {
		return nil
	}
	switch {
	case l.broken:
		return &uncopyable{ReencodeDamaged}
	case l.mixed, b.params != nil && l.params != nil && !bytes.Equal(l.params, b.params):
		return &uncopyable{ReencodeResized}
	case l.params != nil && b.params == nil:
		b.params = l.params
	}
	if l.idr && rank == b.pictures && b.cutsAt(rank) {
		if err := b.begin(rank); err != nil {
			return err
		}
	}
	if len(b.clock.segments) == 0 {
		return &uncopyable{ReencodeOpenGOP}
	}
	now := b.clock.segments[len(b.clock.segments)-1]
	place := b.pictures - b.begun
	switch {
	case rank < now.first: // it is shown before the keyframe that it follows
		return &uncopyable{ReencodeOpenGOP}
	case b.clock.ticks[rank]-b.clock.ticks[now.first] > maxKeyTicks:
		return &uncopyable{ReencodeSparseKeys}
	case place > 0 && key && place*b.clock.grid()/ticksPerMS >= cutTicks/ticksPerMS:
		return &uncopyable{ReencodeFalseKeys}
	}
	return b.put(p, rank, place)
}

// cutsAt says whether a segment begins at an IDR picture: Mist would cut there by the clock, or it
// has been a second by the true time.
func (b *body) cutsAt(rank int64) bool {
	if len(b.clock.segments) == 0 {
		return true
	}
	first := b.clock.segments[len(b.clock.segments)-1].first
	return (b.pictures-b.begun)*b.clock.grid() >= cutTicks || b.clock.ticks[rank]-b.clock.ticks[first] >= tsClock
}

// begin starts a segment.
func (b *body) begin(rank int64) error {
	b.clock.begin(rank, b.pictures-b.begun)
	b.begun = b.pictures
	b.tail = b.tail[:0]
	segments := b.clock.segments
	if n := len(segments); n > 1 {
		b.longest = max(b.longest, segments[n-1].start-segments[n-2].start)
	}
	if segments[len(segments)-1].start > maxClock {
		return errClockFull
	}
	return nil
}

// put writes a picture at its place.
func (b *body) put(p picture, rank, place int64) error {
	now := b.clock.segments[len(b.clock.segments)-1]
	grid := b.clock.grid()
	p.pts = now.start + (rank-now.first)*grid
	p.dts = now.start + (place-b.clock.delay)*grid
	if len(b.tail) < padPictures && len(b.tail) == int(place) {
		kept := p
		kept.data = append([]byte{}, p.data...)
		b.tail = append(b.tail, kept)
	}
	b.pictures++
	if b.limit > 0 && b.mux.bytes > b.limit {
		return errTooLarge
	}
	if done := b.opts.Progress; done != nil && place == 0 {
		done(float64(rank) / float64(max(1, len(b.clock.ticks))))
	}
	return b.mux.write(p, place == 0)
}

// checkCopy compares what was written with what the source holds. ffmpeg's filters leave out what
// they can't read.
func (b *body) checkCopy() error {
	if b.packets != int64(len(b.rank)) || b.pictures != int64(len(b.clock.ticks)) {
		return &uncopyable{ReencodeDamaged}
	}
	return nil
}

// prepared describes the file.
func (b *body) prepared(src Source, why string) Prepared {
	frames := int64(len(b.clock.ticks))
	p := Prepared{
		Path: b.path, StopMS: b.clock.stop / ticksPerMS, EndMS: b.clock.end() / ticksPerMS, SegmentMS: b.longest / ticksPerMS,
		Bytes: b.mux.bytes, Frames: frames, StartUS: b.startUS, Segments: int64(len(b.clock.segments)),
		Width: src.Video.CodedWidth, Height: src.Video.CodedHeight, ClockFPS: b.clock.fps, RateScale: float64(b.clock.fps) / b.dense,
		Rate: b.rate, Variable: !b.even, Reencoded: why, Warnings: b.warnings,
	}
	last := int64(float64(tsClock) / max(b.dense, 1))
	if frames > 1 {
		last = b.clock.lastGap()
	}
	p.DurationUS = toUS(b.clock.ticks[frames-1] + last)
	if near(p.RateScale, 1, rateSlack) {
		p.RateScale = 1
	}
	if why != "" {
		p.Width, p.Height = evenSize(src.Video.Width, src.Video.Height)
	}
	if src.Mended {
		p.Warnings = append(p.Warnings, Warning{WarningJoined, "the source's timestamps jump, as in recordings that were joined; its parts follow each other"})
	}
	if p.Warnings == nil {
		p.Warnings = []Warning{}
	}
	return p
}

func evenSize(w, h int) (int, int) { return max(2, w/2*2), max(2, h/2*2) }
