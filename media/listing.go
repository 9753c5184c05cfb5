package media

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"strings"
)

const (
	// maxLine bounds one line of ffprobe's listing. Only names and numbers are asked for, so lines
	// stay under 500 bytes; what is longer is dropped.
	maxLine = 64 << 10

	// entries is what ffprobe is asked for. Packets are listed, not believed from a header.
	entries = "format=format_name,duration,size:" +
		"stream=index,codec_name,codec_type,width,height,has_b_frames,pix_fmt,field_order," +
		"r_frame_rate,duration,channels,sample_rate:" +
		"stream_disposition=attached_pic:stream_side_data=rotation:stream_tags=rotate:" +
		"packet=stream_index,pts_time,dts_time,duration_time,size,flags:packet_side_data=side_data_type"

	// encryptionInfo is what ffprobe calls the side data of packets that need a key (CENC).
	encryptionInfo = "Encryption info"

	// noTime stands for a timestamp that is not there.
	noTime = math.MinInt64
)

// A listing is one file as ffprobe sees it, added up while it is read: its cost in memory does not
// grow with the file. It is the io.Writer that ffprobe's compact output goes to.
type listing struct {
	container  string
	durationUS int64 // by the header
	streams    []stream

	tracks  map[int]*track
	line    []byte
	tooLong bool
}

// A stream is what the header says of one track.
type stream struct {
	index               int
	kind, codec, pixFmt string
	fieldOrder          string
	width, height       int
	rotation            int
	rate                Rate
	bFrames, picture    bool
	channels, hertz     int
	durationUS          int64
}

// A track is what the packets of one stream add up to. Times are microseconds.
type track struct {
	packets, bytes       int64
	frames               int64 // from the first keyframe on; nobody can decode those before it
	startUS, endUS       int64 // first presented, end of last presented
	lastPTS, firstDTS    int64
	firstKeyUS           int64
	lastUS               int64 // DTS of the last packet
	minGapUS, maxGapUS   int64 // between one DTS and the next
	lastKeyUS, keyGapUS  int64 // DTS of the last keyframe; longest distance between two
	keyPTS               int64
	minShift, maxShift   int64 // of keyframes, from DTS to PTS
	encrypted            bool
	leading, openLeading int64 // frames shown before the keyframe they follow: all, and of the first GOP
}

// list runs ffprobe over every packet of a file.
func (t *Tools) list(ctx context.Context, path string) (*listing, error) {
	in, err := input(path)
	if err != nil {
		return nil, err
	}
	l := &listing{}
	args := append([]string{"-hide_banner", "-loglevel", "error", "-of", "compact", "-show_entries", entries}, in...)
	if err := run(ctx, t.ffprobe(), nil, l, args...); err != nil {
		return nil, err
	}
	l.end()
	return l, nil
}

// Write takes the listing in pieces of any size. It never fails: a line that makes no sense is
// passed over, and the file is judged by what is left.
func (l *listing) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		l.add(p[:i])
		l.end()
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
func (l *listing) end() {
	line, tooLong := l.line, l.tooLong
	l.line, l.tooLong = l.line[:0], false
	if tooLong {
		return
	}
	section, rest, _ := strings.Cut(string(line), "|")
	fields := fields{}
	for pair := range strings.SplitSeq(rest, "|") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			fields[key] = value
		}
	}
	switch section {
	case "packet":
		l.packet(fields)
	case "stream":
		l.streams = append(l.streams, fields.stream())
	case "format":
		l.container = fields["format_name"]
		l.durationUS = fields.us("duration")
	}
}

func (l *listing) packet(f fields) {
	index, ok := f.number("stream_index")
	if !ok {
		return
	}
	if l.tracks == nil {
		l.tracks = map[int]*track{}
	}
	t := l.tracks[index]
	if t == nil {
		t = &track{startUS: noTime, endUS: noTime, firstKeyUS: noTime, lastUS: noTime, lastKeyUS: noTime, lastPTS: noTime}
		l.tracks[index] = t
	}
	t.encrypted = t.encrypted || f["side_data_type"] == encryptionInfo
	size, _ := f.number("size")
	t.add(f.us("pts_time"), f.us("dts_time"), max(0, f.us("duration_time")), int64(size), strings.HasPrefix(f["flags"], "K"))
}

func (t *track) add(pts, dts, duration, size int64, key bool) {
	t.packets++
	t.bytes += max(0, size)
	if pts == noTime { // AVI has no PTS
		pts = dts
	}
	if dts == noTime {
		dts = pts
	}
	if pts == noTime || (t.frames == 0 && !key) {
		return
	}
	t.frames++
	if key {
		if t.lastKeyUS == noTime {
			t.firstKeyUS, t.minShift, t.maxShift = pts, pts-dts, pts-dts
		} else {
			t.keyGapUS = max(t.keyGapUS, dts-t.lastKeyUS)
			t.minShift, t.maxShift = min(t.minShift, pts-dts), max(t.maxShift, pts-dts)
		}
		t.lastKeyUS, t.keyPTS = dts, pts
	} else if pts < t.keyPTS {
		t.leading++
		if t.keyPTS == t.firstKeyUS {
			t.openLeading++
		}
	}
	if t.startUS == noTime || pts < t.startUS {
		t.startUS = pts
	}
	t.lastPTS = max(t.lastPTS, pts)
	t.endUS = max(t.endUS, pts+duration)
	if t.lastUS == noTime {
		t.firstDTS = dts
	} else if dts > t.lastUS {
		gap := dts - t.lastUS
		t.maxGapUS = max(t.maxGapUS, gap)
		if t.minGapUS == 0 || gap < t.minGapUS {
			t.minGapUS = gap
		}
	}
	t.lastUS = dts
}

func (t *track) durationUS() int64 {
	if t == nil || t.frames == 0 {
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
		durationUS: f.us("duration"),
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
