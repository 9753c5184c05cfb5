// Package playlist reads HLS playlists (RFC 8216) as far as is needed to bring a recording
// into one file: which variants there are, and of which parts one consists. It opens
// nothing.
package playlist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxBytes of a playlist: a day of segments of a second, each with a presigned URL,
	// that has no more parameters than it needs.
	MaxBytes = 32 << 20
	// MaxSegments is a day of segments of a second.
	MaxSegments = 86_400
	// maxVariants of a master playlist; players know a dozen.
	maxVariants = 256
	// maxLine is above the longest URL that is taken.
	maxLine = 16 << 10
)

// What Parse's errors are; test by errors.Is. Others are of playlists that can't be read.
var (
	// ErrLive: it has no end yet.
	ErrLive = errors.New("it has no #EXT-X-ENDLIST: it is still being written")
	// ErrEncrypted: its segments need a key.
	ErrEncrypted = errors.New("its segments are encrypted")
)

// Playlist is a master or a media playlist: it has Variants, or Segments.
type Playlist struct {
	Variants []Variant
	Segments []Segment
}

// Variant is one rendition of a master playlist.
type Variant struct {
	URI       string
	Bandwidth int64
	// Width and Height are 0 where it does not say.
	Width, Height int
	// Apart: its sound, or its picture, is in a playlist of its own.
	Apart bool
}

// Segment is a part of a media playlist.
type Segment struct {
	Part
	// Init goes before it: the header of fragmented MP4; its URI is empty where there is none.
	Init Part
	// Discontinuity: its timestamps do not follow those of the segment before.
	Discontinuity bool
	// Gap: its file is known to be missing.
	Gap bool
	// Time is the time of day of its begin; zero: it has none.
	Time time.Time
}

// Part is a file, or a range of one.
type Part struct {
	URI string
	// Offset and Length of the range; a Length of 0 is the whole.
	Offset, Length int64
}

// Best is the variant with most bits, of those that have a picture where it says so; of
// equal ones that with most lines, then the first.
func (p *Playlist) Best() Variant {
	best := p.Variants[0]
	for _, v := range p.Variants[1:] {
		switch {
		case (v.Height > 0) != (best.Height > 0):
			if v.Height > 0 {
				best = v
			}
		case v.Bandwidth > best.Bandwidth, v.Bandwidth == best.Bandwidth && v.Height > best.Height:
			best = v
		}
	}
	return best
}

// Parse reads a playlist. Its errors repeat nothing of it.
func Parse(text []byte) (*Playlist, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	r := reader{apart: map[string]bool{}}
	for lines.Scan() {
		r.line++
		line := strings.TrimSpace(lines.Text())
		if r.line == 1 && line != "#EXTM3U" {
			return nil, errors.New("it does not begin with #EXTM3U")
		}
		if err := r.read(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
	}
	if lines.Err() != nil {
		return nil, fmt.Errorf("line %d is longer than %d bytes", r.line+1, maxLine)
	}
	return r.end()
}

// reader reads line by line; what is pending belongs to the next URI.
type reader struct {
	line     int
	list     Playlist
	init     Part
	ended    bool
	media    bool // a tag of a media playlist was there
	variant  *Variant
	groups   []string // of the pending variant
	apart    map[string]bool
	of       [][]string
	segment  Segment
	pending  bool
	ranged   bool
	from     int64 // of the pending range; below 0: behind the last one
	lastURI  string
	lastEnd  int64
	rangeLen int64
}

func (r *reader) read(line string) error {
	if line == "" {
		return nil
	}
	if !strings.HasPrefix(line, "#") {
		return r.uri(line)
	}
	tag, value, _ := strings.Cut(line, ":")
	switch tag {
	case "#EXT-X-STREAM-INF":
		return r.streamInf(value)
	case "#EXT-X-MEDIA":
		a, err := attributes(value)
		if err != nil {
			return err
		}
		if kind := a["TYPE"]; (kind == "AUDIO" || kind == "VIDEO") && a["URI"] != "" {
			r.apart[kind+"="+a["GROUP-ID"]] = true
		}
	case "#EXTINF":
		r.media, r.pending = true, true
	case "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE":
		r.media = true
	case "#EXT-X-BYTERANGE":
		return r.byteRange(value)
	case "#EXT-X-DISCONTINUITY":
		r.segment.Discontinuity = true
	case "#EXT-X-PROGRAM-DATE-TIME":
		r.segment.Time = timeOf(value)
	case "#EXT-X-GAP":
		r.segment.Gap = true
	case "#EXT-X-MAP":
		return r.initMap(value)
	case "#EXT-X-KEY":
		a, err := attributes(value)
		if err != nil {
			return err
		}
		if a["METHOD"] != "NONE" {
			return ErrEncrypted
		}
	case "#EXT-X-DEFINE":
		return errors.New("it defines variables, which are not known here")
	case "#EXT-X-ENDLIST":
		r.media, r.ended = true, true
	}
	return nil
}

// timeOf reads a date of ISO 8601, its offset with or without a colon; what is none is no
// time, as all but clips go well without.
func timeOf(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return at
		}
	}
	return time.Time{}
}

func (r *reader) streamInf(value string) error {
	a, err := attributes(value)
	if err != nil {
		return err
	}
	v := Variant{}
	if v.Bandwidth, err = strconv.ParseInt(a["BANDWIDTH"], 10, 64); err != nil || v.Bandwidth < 0 {
		return errors.New("a variant without a BANDWIDTH that is a number")
	}
	if width, height, found := strings.Cut(a["RESOLUTION"], "x"); found {
		w, werr := strconv.ParseUint(width, 10, 16)
		h, herr := strconv.ParseUint(height, 10, 16)
		if errors.Join(werr, herr) == nil {
			v.Width, v.Height = int(w), int(h)
		}
	}
	r.variant, r.groups = &v, []string{"AUDIO=" + a["AUDIO"], "VIDEO=" + a["VIDEO"]}
	return nil
}

func (r *reader) uri(uri string) error {
	if r.variant != nil {
		if len(r.list.Variants) == maxVariants {
			return fmt.Errorf("it has more than %d variants", maxVariants)
		}
		r.variant.URI = uri
		r.list.Variants = append(r.list.Variants, *r.variant)
		r.of = append(r.of, r.groups)
		r.variant = nil
		return nil
	}
	if !r.pending {
		return errors.New("an address without #EXTINF or #EXT-X-STREAM-INF before it")
	}
	if len(r.list.Segments) == MaxSegments {
		return fmt.Errorf("it has more than %d segments", MaxSegments)
	}
	s := r.segment
	s.Part, s.Init = Part{URI: uri}, r.init
	if r.ranged {
		if r.from < 0 {
			if uri != r.lastURI {
				return errors.New("a byte range that follows none of the same file")
			}
			r.from = r.lastEnd
		}
		s.Offset, s.Length = r.from, r.rangeLen
		r.lastURI, r.lastEnd = uri, r.from+r.rangeLen
	} else {
		r.lastURI = ""
	}
	r.list.Segments = append(r.list.Segments, s)
	r.segment, r.pending, r.ranged = Segment{}, false, false
	return nil
}

func (r *reader) byteRange(value string) (err error) {
	r.ranged = true
	r.rangeLen, r.from, err = rangeOf(value)
	return err
}

func (r *reader) initMap(value string) error {
	a, err := attributes(value)
	if err != nil {
		return err
	}
	if a["URI"] == "" {
		return errors.New("an #EXT-X-MAP without a URI")
	}
	r.init = Part{URI: a["URI"]}
	if text := a["BYTERANGE"]; text != "" {
		if r.init.Length, r.init.Offset, err = rangeOf(text); err != nil {
			return err
		}
		r.init.Offset = max(r.init.Offset, 0)
	}
	return nil
}

// rangeOf reads LENGTH[@OFFSET]; an offset that is left out is below 0.
func rangeOf(text string) (length, offset int64, err error) {
	first, second, has := strings.Cut(strings.TrimSpace(text), "@")
	const most = 1 << 50 // no file is as long; a sum of two can't overflow
	length, err = strconv.ParseInt(first, 10, 64)
	offset = -1
	if err == nil && has {
		offset, err = strconv.ParseInt(second, 10, 64)
	}
	if err != nil || length <= 0 || length > most || has && (offset < 0 || offset > most) {
		return 0, 0, errors.New("a byte range that is none")
	}
	return length, offset, nil
}

func (r *reader) end() (*Playlist, error) {
	for i := range r.list.Variants {
		for _, group := range r.of[i] {
			r.list.Variants[i].Apart = r.list.Variants[i].Apart || r.apart[group]
		}
	}
	switch {
	case r.line == 0:
		return nil, errors.New("it is empty")
	case r.variant != nil || r.pending:
		return nil, errors.New("it ends before the address of its last part")
	case len(r.list.Variants) > 0 && (r.media || len(r.list.Segments) > 0):
		return nil, errors.New("it has both variants and segments")
	case len(r.list.Variants) > 0:
		return &r.list, nil
	case !r.ended:
		return nil, ErrLive
	case len(r.list.Segments) == 0:
		return nil, errors.New("it has no segments")
	}
	return &r.list, nil
}

// attributes reads NAME=VALUE,NAME="VALUE,...".
func attributes(text string) (map[string]string, error) {
	list := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; {
		name, rest, found := strings.Cut(text, "=")
		if !found {
			return nil, errors.New("an attribute without a value")
		}
		value, quoted := strings.CutPrefix(rest, `"`)
		if quoted {
			if value, rest, found = strings.Cut(value, `"`); !found {
				return nil, errors.New("a value whose quotes do not end")
			}
			_, text, _ = strings.Cut(rest, ",")
		} else {
			value, text, _ = strings.Cut(rest, ",")
		}
		list[strings.TrimSpace(name)] = strings.TrimSpace(value)
		text = strings.TrimSpace(text)
	}
	return list, nil
}
