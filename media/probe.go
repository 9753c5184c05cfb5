package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	// truncatedUS is by how much a file may end before its header says. Rounding and edit lists
	// make up to some frames, encoders that were killed in time up to half a second.
	truncatedUS = 1 * second

	// firstPicture is within how many seconds a picture has to decode. A file cut from a broadcast
	// starts with frames that cannot, up to the first keyframe.
	firstPicture = "60"

	// maxDurationUS keeps clear of 26.5 hours, where the 33 bits of an MPEG-TS timestamp wrap.
	maxDurationUS = 24 * 3600 * second

	// maxPixels is a picture of 8K with a margin. A larger one takes gigabytes to decode.
	maxPixels = 8192 * 4608

	// squareEnough is how far a pixel may be from square and still be taken for it: rounding.
	squareEnough = 0.004

	// wholeProbePixels is up to which size a source is decoded whole when it is probed: 20 s of
	// 640x360, an eighth of a second on two cores.
	wholeProbePixels = 20 * 30 * 640 * 360
)

// A Rate is frames per second as a fraction, as in 30000/1001. The zero Rate is unknown.
type Rate struct {
	Num int64 `json:"num"`
	Den int64 `json:"den"`
}

// FPS is the rate as a number, 0 when unknown.
func (r Rate) FPS() float64 {
	if r.Num <= 0 || r.Den <= 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// A Source is what a file holds. It is stored as a row, so its JSON is a contract.
type Source struct {
	Container   string `json:"container"` // ffmpeg's name, as in "mov,mp4,m4a,3gp,3g2,mj2"
	Bytes       int64  `json:"bytes"`
	DurationUS  int64  `json:"duration_us"` // of the video
	Video       Video  `json:"video"`
	Audio       *Audio `json:"audio"` // nil: the source is silent
	VideoTracks int    `json:"video_tracks"`
	AudioTracks int    `json:"audio_tracks"`
	// Mended: the file's timestamps jump where parts were joined, and a copy without the jumps,
	// beside it, stands for it.
	Mended bool `json:"mended"`
	// Cut is the part that stands for all of it, where a clip is asked for; nil: the whole.
	Cut *Cut `json:"cut,omitempty"`

	line *timeline
}

// Video is the best video track, by bit rate, of those that decode.
type Video struct {
	Index       int    `json:"index"` // ffmpeg's stream index
	Codec       string `json:"codec"` // ffmpeg's name
	PixFmt      string `json:"pix_fmt"`
	Width       int    `json:"width"`  // as shown: after rotation, in square pixels
	Height      int    `json:"height"` // as shown: after rotation, in square pixels
	CodedWidth  int    `json:"coded_width"`
	CodedHeight int    `json:"coded_height"`
	Rotation    int    `json:"rotation"`
	Interlaced  bool   `json:"interlaced"`
	HDR         bool   `json:"hdr"`
	Rate        Rate   `json:"rate"`     // where it varies: the mean
	Variable    bool   `json:"variable"` // frames are not evenly spaced
	Frames      int64  `json:"frames"`   // that a player shows
	Hidden      int64  `json:"hidden"`   // that an edit list hides
	BitRate     int64  `json:"bit_rate"` // bits a second, counted
	StartUS     int64  `json:"start_us"` // PTS of the first frame shown
	// Undecodable pictures make no frame. They are among Frames until the source is encoded. Only
	// small sources are looked at for them here.
	Undecodable int64 `json:"undecodable"`
}

// Audio is the best audio track of the video's program, by bit rate, of those that ffmpeg knows.
type Audio struct {
	Index      int    `json:"index"` // ffmpeg's stream index
	Codec      string `json:"codec"`
	Channels   int    `json:"channels"`
	SampleRate int    `json:"sample_rate"`
	BitRate    int64  `json:"bit_rate"` // bits a second, counted
	StartUS    int64  `json:"start_us"`
	DurationUS int64  `json:"duration_us"`
	// Loose sound has gaps, overlaps or parts that an edit list hides: it can't be copied.
	Loose bool `json:"loose"`
}

// Probe reads a whole file, counting every packet, and decodes pictures of it: all of a small one,
// else the first. A file that cannot become renditions is an *Error with a source_ code. A
// transport stream whose timestamps jump gets a copy beside it (see Source.Mended).
func (t *Tools) Probe(ctx context.Context, path string) (Source, error) {
	unreadable := &Error{
		Code: CodeSourceUnreadable, Op: "probe", Path: path,
		Text: "the source is no video file that can be read; send MP4, MOV, MKV, WebM, MPEG-TS or AVI",
	}
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, blame(err, unreadable)
	}
	mended, err := mend(ctx, path)
	if err != nil {
		return Source{}, blame(err, unreadable)
	}
	file := path
	if mended {
		file = mendedPath(path)
	}
	showing, stop := context.WithCancel(ctx)
	shown := t.show(showing, file)
	defer func() {
		stop()
		_, _ = shown() // it is gone then
	}()
	l, err := t.list(ctx, file, lookAheadUS, info.Size())
	if errors.Is(err, errBomb) || errors.Is(err, errPackets) {
		return Source{}, &Error{
			Code: CodeSourceBomb, Op: "probe", Path: path, Err: err,
			Text: "the source's tables promise more than the file holds; make the file anew",
		}
	}
	if err != nil {
		return Source{}, blame(err, unreadable)
	}
	src, err := t.choose(ctx, l, file, shown)
	if err != nil {
		return Source{}, err
	}
	src.Bytes, src.Mended = info.Size(), mended
	return src, nil
}

// show begins to decode one picture of a file's first video track, while the file is listed:
// most have no other. It gives how many came.
func (t *Tools) show(ctx context.Context, path string) func() (int64, error) {
	var pictures int64
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		pictures, err = t.decodes(ctx, path, firstVideo, false)
	}()
	return func() (int64, error) {
		<-done
		return pictures, err
	}
}

// firstVideo is a file's first video track that is no cover.
const firstVideo = "0:V:0"

// choose takes the best video track that decodes; shown is what came of the first.
func (t *Tools) choose(ctx context.Context, l *listing, path string, shown func() (int64, error)) (Source, error) {
	candidates, err := l.videos(path)
	if err != nil {
		return Source{}, err
	}
	undecodable := &Error{
		Code: CodeSourceUndecodable, Op: "probe", Path: path,
		Text: "no picture of the source's video can be decoded; it is broken",
	}
	for _, s := range candidates {
		src, err := l.source(path, s)
		if err != nil {
			if len(candidates) > 1 {
				continue
			}
			return Source{}, err
		}
		whole := src.Video.Frames*int64(s.width)*int64(s.height) <= wholeProbePixels
		var pictures int64
		if !whole && src.VideoTracks == 1 {
			pictures, err = shown()
		} else {
			pictures, err = t.decodes(ctx, path, "0:"+strconv.Itoa(s.index), whole)
		}
		if err != nil {
			return Source{}, blame(err, undecodable)
		}
		if pictures == 0 {
			continue
		}
		if whole {
			src.Video.Undecodable = max(0, src.Video.Frames-pictures)
		}
		return src, nil
	}
	return Source{}, undecodable
}

// decodes counts the pictures of a track that can be decoded: all, or up to one. What is wrong with
// a stream makes them fewer, and is no error.
func (t *Tools) decodes(ctx context.Context, path, track string, whole bool) (int64, error) {
	in, err := input(path)
	if err != nil {
		return 0, err
	}
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-copyts"}
	if !whole {
		args = append(args, "-t", firstPicture)
	}
	args = append(args, in...)
	args = append(args, "-map", track)
	if !whole {
		args = append(args, "-frames:v", "1")
	}
	var out frameList
	err = run(ctx, t.ffmpeg(), nil, &out, append(args, out.arguments("pipe:1")...)...)
	var ran *failure
	if err != nil && !errors.As(err, &ran) {
		return 0, err
	}
	return int64(len(out.times())), nil
}

// videos are the tracks that may be the source's video, best first.
func (l *listing) videos(path string) ([]*stream, error) {
	refuse := func(code Code, text string) ([]*stream, error) {
		return nil, &Error{Code: code, Op: "probe", Path: path, Text: text}
	}
	var all, known, shown []*stream
	encrypted := false
	for i := range l.streams {
		s := &l.streams[i]
		if s.kind != "video" || s.picture {
			continue
		}
		all = append(all, s)
		t := l.tracks[s.index]
		encrypted = encrypted || t != nil && t.encrypted
		if s.codec == "" {
			continue
		}
		known = append(known, s)
		if t != nil && len(t.pts) > 0 && !t.encrypted && s.width > 0 && s.height > 0 {
			shown = append(shown, s)
		}
	}
	packets := int64(0)
	for _, s := range all {
		if t := l.tracks[s.index]; t != nil {
			packets += t.packets
		}
	}
	switch {
	case len(all) == 0:
		return refuse(CodeSourceNoVideo, "the source holds no video track; send a file with video")
	case len(known) == 0:
		return refuse(CodeSourceUnsupportedCodec, "the source's video codec is not known; send H264, HEVC, VP9, AV1, ProRes or MPEG-2")
	case packets == 0:
		return refuse(CodeSourceZeroDuration, "the source's video track holds no frames")
	case len(shown) == 0 && encrypted:
		return refuse(CodeSourceEncrypted, "the source's video is encrypted; send it without DRM")
	case len(shown) == 0:
		return refuse(CodeSourceUndecodable, "the source's video holds no keyframe, so that no player can show it")
	}
	slices.SortStableFunc(shown, func(a, b *stream) int { return cmp.Compare(l.rate(b), l.rate(a)) })
	return shown, nil
}

// source describes the file with one of its video tracks.
func (l *listing) source(path string, video *stream) (Source, error) {
	refuse := func(code Code, format string, args ...any) (Source, error) {
		return Source{}, &Error{Code: code, Op: "probe", Path: path, Text: fmt.Sprintf(format, args...)}
	}
	src := Source{Container: l.container}
	for _, s := range l.streams {
		switch {
		case s.kind == "audio":
			src.AudioTracks++
		case s.kind == "video" && !s.picture:
			src.VideoTracks++
		}
	}
	if video.width*video.height > maxPixels {
		return refuse(CodeSourcePictureTooLarge, "the source's picture is %dx%d; up to 8192x4608 can be transcoded", video.width, video.height)
	}
	t := l.tracks[video.index]
	line := t.timeline(video.rate)
	if len(line.ticks) == 0 {
		return refuse(CodeSourceZeroDuration, "the source's video has no frame with a time, so that no player can show it")
	}
	src.line = line
	src.Video = video.describe(t, line)
	src.DurationUS = toUS(line.end())
	if src.DurationUS <= 0 {
		return refuse(CodeSourceZeroDuration, "the source's video lasts no time at all")
	}
	if src.DurationUS > maxDurationUS {
		return refuse(CodeSourceTooLong, "the source lasts %d hours; up to %d can be transcoded",
			src.DurationUS/3600/second, maxDurationUS/3600/second)
	}
	if declared, seen := l.lengths(video, t); declared-seen > truncatedUS && !strings.HasPrefix(l.container, "mpeg") {
		// MPEG-TS and PS have no header that says: their length is ffprobe's guess.
		return refuse(CodeSourceTruncated, "the source should last %.1f s and ends after %.1f s; send the whole file",
			float64(declared)/second, float64(seen)/second)
	}
	if audio := l.audio(video); audio != nil {
		t := l.tracks[audio.index]
		src.Audio = &Audio{
			Index: audio.index, Codec: audio.codec, Channels: audio.channels, SampleRate: audio.hertz,
			BitRate: t.bitRate(), StartUS: t.startUS, DurationUS: t.durationUS(), Loose: t.uneven || t.hidden > primingPackets,
		}
		if !src.Audio.Loose { // it is copied, priming and all
			src.Audio.StartUS, src.Audio.DurationUS = t.firstUS, t.endUS-t.firstUS
		}
	}
	return src, nil
}

// primingPackets are hidden at the start of a track by encoders that need some samples to get going.
const primingPackets = 3

// audio is the best track of sound that belongs to a video: of its program, where there are such.
func (l *listing) audio(video *stream) *stream {
	var best *stream
	within := false
	program, programmed := l.program.of[video.index]
	for i := range l.streams {
		s := &l.streams[i]
		if s.kind != "audio" || s.codec == "" || s.channels == 0 || l.rate(s) == 0 {
			continue
		}
		of, known := l.program.of[s.index]
		same := programmed && known && of == program
		if programmed && known && !same {
			continue // another program's
		}
		if best == nil || same && !within || same == within && l.rate(s) > l.rate(best) {
			best, within = s, same
		}
	}
	return best
}

func (l *listing) rate(s *stream) int64 {
	if t := l.tracks[s.index]; t != nil {
		return t.bitRate()
	}
	return 0
}

func (s *stream) describe(t *track, line *timeline) Video {
	v := Video{
		Index: s.index, Codec: s.codec, PixFmt: s.pixFmt, Rotation: s.rotation, CodedWidth: s.width, CodedHeight: s.height,
		Interlaced: s.fieldOrder != "" && s.fieldOrder != "progressive" && s.fieldOrder != "unknown",
		HDR:        s.transfer == "smpte2084" || s.transfer == "arib-std-b67",
		Rate:       line.rate, Variable: !line.even, Frames: int64(len(line.ticks)), Hidden: t.hidden,
		BitRate: t.bitRate(), StartUS: line.startUS,
	}
	v.Width, v.Height = s.square()
	if s.rotation%180 != 0 {
		v.Width, v.Height = v.Height, v.Width
	}
	return v
}

// square is the size of a picture in square pixels: nothing of it is lost, one side grows.
func (s *stream) square() (w, h int) {
	aspect := s.aspect.FPS()
	if aspect == 0 || math.Abs(aspect-1) < squareEnough {
		return s.width, s.height
	}
	even := func(n float64) int { return max(2, 2*int(math.Round(n/2))) }
	if aspect > 1 {
		return even(float64(s.width) * aspect), even(float64(s.height))
	}
	return even(float64(s.width)), even(float64(s.height) / aspect)
}

// lengths are how long the file says it is and how long it was seen to be. Where a track has a
// length of its own in the header that one is compared, else the whole file's.
func (l *listing) lengths(video *stream, t *track) (declared, seen int64) {
	for _, s := range l.streams {
		if s.unknownLength {
			return 0, 0
		}
	}
	if video.durationUS > 0 {
		return video.durationUS, max(t.endUS, t.endUS-t.firstUS)
	}
	start, end := t.startUS, t.endUS
	for _, other := range l.tracks {
		if other.startUS != noTime {
			start, end = min(start, other.startUS), max(end, other.endUS)
		}
	}
	// Matroska counts from 0, whatever the first timestamp.
	return l.durationUS, max(end-start, end)
}

// near reports whether two numbers differ by no more than a part of the second.
func near(a, b, part float64) bool {
	return a >= b*(1-part) && a <= b*(1+part)
}
