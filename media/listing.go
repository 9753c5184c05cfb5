package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	// maxLine bounds one line of ffprobe's listing. Only names and numbers are asked for, so lines
	// stay under 500 bytes; what is longer is dropped.
	maxLine = 64 << 10

	// entries is what ffprobe is asked for. Packets are listed, not believed from a header.
	entries = "format=format_name,duration,size:program=program_id,nb_streams:" +
		"stream=index,codec_name,codec_type,width,height,has_b_frames,pix_fmt,field_order,sample_aspect_ratio," +
		"color_transfer,r_frame_rate,duration,duration_ts,channels,sample_rate:" +
		"stream_disposition=attached_pic:stream_side_data=rotation:stream_tags=rotate:" +
		"packet=stream_index,pts_time,dts_time,duration_time,size,flags:packet_side_data=side_data_type"

	// lookAhead lets ffmpeg's programs read on until they know every track: a picture may start
	// long after the sound.
	lookAheadUS    = 60 * second
	lookAheadBytes = 256 << 20

	// The packets of a file may add up to more than the file only by what a container can leave out
	// of each of them.
	bombPart  = 8
	bombFloor = 1 << 20

	// maxPackets is a day of 200 frames a second, of one track.
	maxPackets = 24 * 3600 * 200

	// encryptionInfo is what ffprobe calls the side data of packets that need a key (CENC).
	encryptionInfo = "Encryption info"

	// noTime stands for a timestamp that is not there.
	noTime = math.MinInt64
)

// A listing is one file as ffprobe sees it, added up while it is read: of each packet nine bytes
// stay, and of a file whose tables say more than it can hold nothing is read on. It is the io.Writer
// that ffprobe's compact output goes to.
type listing struct {
	container  string
	durationUS int64 // by the header
	streams    []stream
	fileBytes  int64 // 0: unknown, so no bound

	tracks  map[int]*track
	bytes   int64
	program programs
	line    []byte
	tooLong bool
}

// programs follows which streams are listed within a program.
type programs struct {
	id, left int
	of       map[int]int // stream index to program
}

// A stream is what the header says of one track.
type stream struct {
	index               int
	kind, codec, pixFmt string
	fieldOrder          string
	transfer            string
	width, height       int
	aspect              Rate // of a pixel; zero: square
	rotation            int
	rate                Rate
	bFrames, picture    bool
	channels, hertz     int
	durationUS          int64
	unknownLength       bool
}

// A track is what the packets of one stream are. Times are microseconds.
type track struct {
	packets, bytes int64
	// pts and flags are of the packets from the first keyframe on; nobody can decode those before.
	pts   []int64
	flags []byte

	startUS, endUS int64 // of what is shown: first presented, end of last presented
	firstUS        int64 // the same of all
	encrypted      bool
	hidden         int64 // packets that an edit list hides
	nextUS         int64 // where the next packet should begin
	uneven         bool  // the packets leave gaps, or overlap
}

const (
	flagKey = 1 << iota
	flagHidden
)

// unevenUS is from which gap between two packets of sound on it has to be filled: sound that runs on
// would be as far from its picture.
const unevenUS = 15_000

var (
	errBomb    = errors.New("the packets add up to more than the file")
	errPackets = fmt.Errorf("a track has more than %d packets", maxPackets)
)

// list runs ffprobe over every packet of a file whose tracks begin within so many microseconds.
// fileBytes bounds what its tables may promise.
func (t *Tools) list(ctx context.Context, path string, beginUS, fileBytes int64) (*listing, error) {
	in, err := inputAhead(path, beginUS)
	if err != nil {
		return nil, err
	}
	l := &listing{fileBytes: fileBytes}
	if err := run(ctx, t.ffprobe(), nil, l, listArgs(in)...); err != nil {
		return nil, err
	}
	if err := l.end(); err != nil {
		return nil, err
	}
	return l, nil
}

func listArgs(input []string) []string {
	return append([]string{"-hide_banner", "-loglevel", "error", "-of", "compact", "-show_entries", entries}, input...)
}

// Write takes the listing in pieces of any size. A line that makes no sense is passed over, and the
// file is judged by what is left; it fails with errBomb and errPackets.
func (l *listing) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.add(p[:i])
		if err := l.end(); err != nil {
			return 0, err
		}
		p = p[i+1:]
	}
	l.add(p)
	return n, nil
}

func (l *listing) add(part []byte) {
	if len(l.line)+len(part) > maxLine {
		l.tooLong = true
	}
	if !l.tooLong {
		l.line = append(l.line, part...)
	}
}

// end takes the line that has been gathered.
func (l *listing) end() error {
	line, tooLong := l.line, l.tooLong
	l.line, l.tooLong = l.line[:0], false
	if tooLong {
		return nil
	}
	section, rest, _ := strings.Cut(string(line), "|")
	switch section {
	case "packet":
		return l.packet(parseFields(rest))
	case "program": // its first stream is on the same line, the others on lines of their own
		head, first, nested := strings.Cut(rest, "|stream|")
		f := parseFields(head)
		l.program.id, _ = f.number("program_id")
		l.program.left, _ = f.number("nb_streams")
		if nested {
			l.stream(parseFields(first))
		}
	case "stream":
		l.stream(parseFields(rest))
	case "format":
		f := parseFields(rest)
		l.container = f["format_name"]
		l.durationUS = f.us("duration")
	}
	return nil
}

func (l *listing) stream(f fields) {
	s := f.stream()
	if l.program.left > 0 { // told again outside of its program
		l.program.left--
		if l.program.of == nil {
			l.program.of = map[int]int{}
		}
		if _, known := l.program.of[s.index]; !known {
			l.program.of[s.index] = l.program.id
		}
		return
	}
	l.streams = append(l.streams, s)
}

func (l *listing) packet(f fields) error {
	index, ok := f.number("stream_index")
	if !ok {
		return nil
	}
	if l.tracks == nil {
		l.tracks = map[int]*track{}
	}
	t := l.tracks[index]
	if t == nil {
		t = &track{startUS: noTime, endUS: noTime, firstUS: noTime, nextUS: noTime}
		l.tracks[index] = t
	}
	t.encrypted = t.encrypted || f["side_data_type"] == encryptionInfo
	size, _ := f.number("size")
	l.bytes += int64(max(0, size))
	if l.fileBytes > 0 && l.bytes > l.fileBytes+l.fileBytes/bombPart+bombFloor {
		return errBomb
	}
	var flags byte
	if strings.HasPrefix(f["flags"], "K") {
		flags |= flagKey
	}
	if strings.Contains(f["flags"], "D") {
		flags |= flagHidden
	}
	t.add(f.us("pts_time"), f.us("dts_time"), max(0, f.us("duration_time")), int64(max(0, size)), flags)
	if len(t.pts) > maxPackets {
		return errPackets
	}
	return nil
}

func (t *track) add(pts, dts, duration, size int64, flags byte) {
	t.packets++
	t.bytes += size
	if len(t.pts) == 0 && flags&flagKey == 0 {
		return
	}
	if pts == noTime { // AVI has no PTS
		pts = dts
	}
	t.pts = append(t.pts, pts)
	t.flags = append(t.flags, flags)
	if pts != noTime && (t.firstUS == noTime || pts < t.firstUS) {
		t.firstUS = pts
	}
	if flags&flagHidden != 0 {
		t.hidden++
		return
	}
	if pts == noTime {
		return
	}
	if t.startUS == noTime || pts < t.startUS {
		t.startUS = pts
	}
	t.endUS = max(t.endUS, pts+duration)
	if t.nextUS != noTime && duration > 0 && (pts-t.nextUS > unevenUS || t.nextUS-pts > unevenUS) {
		t.uneven = true
	}
	t.nextUS = pts + duration
}

func (t *track) durationUS() int64 {
	if t == nil || t.startUS == noTime {
		return 0
	}
	return t.endUS - t.startUS
}

func (t *track) bitRate() int64 {
	if us := t.durationUS(); us > 0 {
		return int64(float64(t.bytes) * 8 * second / float64(us))
	}
	return 0
}

// second is one second in the unit of this package's times.
const second = 1_000_000

// fields are one line of the listing.
type fields map[string]string

func parseFields(rest string) fields {
	f := fields{}
	for pair := range strings.SplitSeq(rest, "|") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			f[key] = value
		}
	}
	return f
}

func (f fields) number(key string) (int, bool) {
	n, err := strconv.ParseInt(f[key], 10, 32)
	return int(n), err == nil
}

// us reads seconds as microseconds; what is no time, or beyond a century, is noTime.
func (f fields) us(key string) int64 {
	const century = 100 * 366 * 24 * 3600
	seconds, err := strconv.ParseFloat(f[key], 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > century {
		return noTime
	}
	return int64(math.Round(seconds * second))
}

func (f fields) stream() stream {
	s := stream{
		kind: f["codec_type"], codec: f["codec_name"], pixFmt: f["pix_fmt"], fieldOrder: f["field_order"],
		rate: parseRate(f["r_frame_rate"]), picture: f["disposition:attached_pic"] == "1",
		durationUS: f.us("duration"), transfer: f["color_transfer"],
		aspect: parseRate(strings.Replace(f["sample_aspect_ratio"], ":", "/", 1)),
	}
	switch f["duration_ts"] { // all ones, in 4 or 8 bytes: unknown (ISO 14496-12)
	case "4294967295", "18446744073709551615", "9223372036854775807", "-1":
		s.unknownLength = true
	}
	if s.codec == "unknown" || s.codec == "none" {
		s.codec = ""
	}
	s.index, _ = f.number("index")
	s.width, _ = f.number("width")
	s.height, _ = f.number("height")
	s.channels, _ = f.number("channels")
	s.hertz, _ = f.number("sample_rate")
	bFrames, _ := f.number("has_b_frames")
	s.bFrames = bFrames > 0
	if turn, ok := f.number("rotation"); ok {
		s.rotation = turn
	} else if turn, ok := f.number("tag:rotate"); ok { // how older files and tools say it, the other way round
		s.rotation = -turn
	}
	return s
}

func parseRate(text string) Rate {
	num, den, _ := strings.Cut(text, "/")
	n, errNum := strconv.ParseInt(num, 10, 32)
	d, errDen := strconv.ParseInt(den, 10, 32)
	if errNum != nil || errDen != nil || n <= 0 || d <= 0 {
		return Rate{}
	}
	return Rate{Num: n, Den: d}
}

// A Listed is what was found in a finished file while it was written: evidence for Judge, of a file
// that has these bytes.
type Listed struct {
	bytes   int64
	crc     uint32
	listing *listing // ffprobe's
	coded   Decoded  // the pictures that a decoder would read
}

// of says whether it is of the file at a path: so many bytes, and the same.
func (l *Listed) of(path string) (bool, error) {
	if l == nil {
		return false, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	crc := crc32.New(castagnoli)
	n, err := io.CopyBuffer(crc, struct{ io.Reader }{file}, make([]byte, writeBuffer))
	if err != nil {
		return false, err
	}
	return n == l.bytes && crc.Sum32() == l.crc, nil
}

// castagnoli is the checksum that processors compute as fast as they read.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// listBeside lists a file of ours that is written to it, whose tracks begin within so many
// microseconds. Who has it ends it, by end or stop.
func (t *Tools) listBeside(ctx context.Context, beginUS int64) *besideListing {
	ctx, cancel := context.WithCancel(ctx)
	read, write := io.Pipe()
	b := &besideListing{pipe: write, cancel: cancel, done: make(chan struct{}), crc: crc32.New(castagnoli), sum: newCodedSum()}
	b.demux = &demuxer{each: b.sum.add}
	go func() {
		defer close(b.done)
		l := &listing{}
		args := append(listArgs(ahead(beginUS)), "-protocol_whitelist", "pipe", "-f", "mpegts", "-i", "pipe:0")
		if b.err = runWith(ctx, t.ffprobe(), l, func(cmd *exec.Cmd) { cmd.Stdin = read }, args...); b.err == nil {
			b.err = l.end()
		}
		b.listing = l
		_ = read.Close() // who still writes is not kept waiting
	}()
	return b
}

// beginUS is within what time the tracks of a rendition should begin; one that does not is missed.
func beginUS(source *Source, prepared *Prepared) int64 {
	const atLeast = 2 * second
	if source.Audio == nil {
		return atLeast
	}
	return atLeast + abs(source.Audio.StartUS-prepared.StartUS)
}

// A besideListing takes what is written to it, whatever becomes of ffprobe, and sums it up.
type besideListing struct {
	pipe   *io.PipeWriter
	cancel context.CancelFunc
	bytes  int64
	crc    hash.Hash32
	sum    *codedSum
	demux  *demuxer
	broken bool
	done   chan struct{}
	// Read after done.
	listing *listing
	err     error
}

// Write never fails: a listing that ends before the file is no evidence, and Judge lists by itself.
func (b *besideListing) Write(p []byte) (int, error) {
	if !b.broken {
		_, err := b.pipe.Write(p)
		_, unread := b.demux.Write(p)
		b.crc.Write(p)
		b.bytes += int64(len(p))
		b.broken = err != nil || unread != nil
	}
	return len(p), nil
}

// end waits for what was found of all that was written; nil: nothing can be said.
func (b *besideListing) end() *Listed {
	_ = b.pipe.Close()
	<-b.done
	b.cancel()
	if b.broken || b.err != nil || b.demux.end() != nil {
		return nil
	}
	return &Listed{bytes: b.bytes, crc: b.crc.Sum32(), listing: b.listing, coded: *b.sum.decoded()}
}

// stop ends it, and returns when ffprobe is gone.
func (b *besideListing) stop() {
	b.cancel()
	_ = b.pipe.Close()
	<-b.done
}
