package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
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

	// unevenRatio is how far the distance of two frames may be from the mean before the rate counts
	// as variable: clocks of milliseconds make 33 and 34 of 33.37.
	unevenRatio = 1.5

	// rateTolerance is how near the header's frame rate has to be to the counted one to be believed.
	rateTolerance = 0.005
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
}

// Video is the best video track, by bit rate, of those that can be transcoded.
type Video struct {
	Index      int    `json:"index"` // ffmpeg's stream index
	Codec      string `json:"codec"` // h264, hevc or mpeg2video
	PixFmt     string `json:"pix_fmt"`
	Width      int    `json:"width"`  // as shown: after rotation
	Height     int    `json:"height"` // as shown: after rotation
	Rotation   int    `json:"rotation"`
	Interlaced bool   `json:"interlaced"`
	Rate       Rate   `json:"rate"`
	Variable   bool   `json:"variable"` // frames are not evenly spaced
	BFrames    bool   `json:"b_frames"`
	// Frames are the packets from the first keyframe on. Frames that a container's edit list hides
	// are among them: a copy carries them.
	Frames     int64 `json:"frames"`
	BitRate    int64 `json:"bit_rate"` // bits a second, counted
	StartUS    int64 `json:"start_us"` // PTS of the first frame shown
	FirstKeyUS int64 `json:"first_key_us"`
	MaxGapUS   int64 `json:"max_gap_us"` // longest distance between two frames
	KeyGapUS   int64 `json:"key_gap_us"` // longest distance between two keyframes, the end counted as one
	// KeyShiftUS is by how much the distance from DTS to PTS differs between keyframes: 0 in a
	// source with an even rate.
	KeyShiftUS int64 `json:"key_shift_us"`
	// Leading frames follow a keyframe and are shown before it, so that they need the GOP before
	// theirs (open GOPs).
	Leading int64 `json:"leading"`
	// OpenLeading are those of the first GOP, which nobody can decode.
	OpenLeading int64 `json:"open_leading"`
}

// Audio is the best audio track, by bit rate.
type Audio struct {
	Index      int    `json:"index"` // ffmpeg's stream index
	Codec      string `json:"codec"`
	Channels   int    `json:"channels"`
	SampleRate int    `json:"sample_rate"`
	BitRate    int64  `json:"bit_rate"` // bits a second, counted
	StartUS    int64  `json:"start_us"`
	DurationUS int64  `json:"duration_us"`
}

// transcodable reports whether MistProcLivepeer takes a codec.
func transcodable(codec string) bool {
	return codec == "h264" || codec == "hevc" || codec == "mpeg2video"
}

// Probe reads a whole file, counting every packet, and decodes one picture of it. A file that
// cannot become renditions is an *Error with a source_ code.
func (t *Tools) Probe(ctx context.Context, path string) (Source, error) {
	unreadable := &Error{
		Code: CodeSourceUnreadable, Op: "probe", Path: path,
		Text: "the source is no video file that can be read; send MPEG-TS, MP4, MOV or MKV",
	}
	info, err := os.Stat(path)
	if err != nil {
		return Source{}, blame(err, unreadable)
	}

	var l *listing
	var plays bool
	var decodeErr error
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		l, err = t.list(groupCtx, path)
		return err
	})
	group.Go(func() error { // a failure of this one says something only if the listing worked
		plays, decodeErr = t.decodes(groupCtx, path, 0)
		return nil
	})
	if err := group.Wait(); err != nil {
		return Source{}, blame(err, unreadable)
	}

	src, err := l.source(path)
	if err != nil {
		return Source{}, err
	}
	src.Bytes = info.Size()
	if src.VideoTracks > 1 && decodeErr == nil { // the first video track was tried, the best may be another
		plays, decodeErr = t.decodes(ctx, path, l.place(src.Video.Index))
	}
	undecodable := &Error{
		Code: CodeSourceUndecodable, Op: "probe", Path: path,
		Text: "no picture of the source's video can be decoded; it is broken",
	}
	if decodeErr != nil {
		return Source{}, blame(decodeErr, undecodable)
	}
	if !plays {
		return Source{}, undecodable
	}
	return src, nil
}

// decodes tries to decode one picture of the nth video track. A wrong or truncated stream
// makes it false, not an error.
func (t *Tools) decodes(ctx context.Context, path string, nth int) (bool, error) {
	in, err := input(path)
	if err != nil {
		return false, err
	}
	args := []string{"-nostdin", "-hide_banner", "-loglevel", "error", "-t", firstPicture}
	args = append(args, in...)
	args = append(args, "-map", fmt.Sprintf("0:V:%d", nth), "-frames:v", "1", "-f", "framecrc", "pipe:1")
	var out bytes.Buffer
	err = run(ctx, t.ffmpeg(), nil, &out, args...)
	var ran *failure
	if err != nil && !errors.As(err, &ran) {
		return false, err
	}
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			return true, nil
		}
	}
	return false, nil
}

// place is which of the file's video tracks, cover art not counted, a stream index is.
func (l *listing) place(index int) int {
	nth := 0
	for _, s := range l.streams {
		if s.index == index {
			break
		}
		if s.kind == "video" && !s.picture {
			nth++
		}
	}
	return nth
}

// source chooses the best tracks of a listing.
func (l *listing) source(path string) (Source, error) {
	refuse := func(code Code, format string, args ...any) (Source, error) {
		return Source{}, &Error{Code: code, Op: "probe", Path: path, Text: fmt.Sprintf(format, args...)}
	}
	src := Source{Container: l.container}
	var video, audio *stream
	var refused string
	for i := range l.streams {
		s := &l.streams[i]
		switch {
		case s.kind == "audio":
			src.AudioTracks++
			if l.rate(s) > 0 && (audio == nil || l.rate(s) > l.rate(audio)) {
				audio = s
			}
		case s.kind != "video" || s.picture:
		case !transcodable(s.codec):
			src.VideoTracks++
			refused = s.codec
		default:
			src.VideoTracks++
			if video == nil || l.rate(s) > l.rate(video) {
				video = s
			}
		}
	}
	switch {
	case src.VideoTracks == 0:
		return refuse(CodeSourceNoVideo, "the source holds no video track; send a file with H264, HEVC or MPEG-2 video")
	case video == nil:
		return refuse(CodeSourceUnsupportedCodec, "the source's video codec is %s; H264, HEVC and MPEG-2 can be transcoded", refused)
	}
	t := l.tracks[video.index]
	if t == nil || t.packets == 0 {
		return refuse(CodeSourceZeroDuration, "the source's video track holds no frames")
	}
	if t.encrypted {
		return refuse(CodeSourceEncrypted, "the source's video is encrypted; send it without DRM")
	}
	if t.frames == 0 {
		return refuse(CodeSourceUndecodable, "the source's video holds no keyframe, so that no player can show it")
	}
	src.Video = l.video(video, t)
	src.DurationUS = t.endUS - t.startUS
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
	if audio != nil {
		t := l.tracks[audio.index]
		src.Audio = &Audio{
			Index: audio.index, Codec: audio.codec, Channels: audio.channels, SampleRate: audio.hertz,
			BitRate: t.bitRate(), StartUS: t.startUS, DurationUS: t.durationUS(),
		}
	}
	return src, nil
}

func (l *listing) rate(s *stream) int64 {
	if t := l.tracks[s.index]; t != nil {
		return t.bitRate()
	}
	return 0
}

func (l *listing) video(s *stream, t *track) Video {
	// A container that gives packets no duration (or a wrong one) gets the mean distance.
	mean := int64(0)
	if t.frames > 1 {
		mean = (t.lastUS - t.firstDTS) / (t.frames - 1)
	} else if fps := s.rate.FPS(); fps > 0 {
		mean = int64(second / fps)
	}
	if t.endUS == t.lastPTS {
		t.endUS += mean
	}
	v := Video{
		Index: s.index, Codec: s.codec, PixFmt: s.pixFmt, Width: s.width, Height: s.height, Rotation: s.rotation,
		Interlaced: s.fieldOrder != "" && s.fieldOrder != "progressive" && s.fieldOrder != "unknown",
		BFrames:    s.bFrames, Frames: t.frames, BitRate: t.bitRate(), StartUS: t.startUS, FirstKeyUS: t.firstKeyUS,
		MaxGapUS: t.maxGapUS, KeyShiftUS: t.maxShift - t.minShift, Leading: t.leading, OpenLeading: t.openLeading,
	}
	v.KeyGapUS = max(t.keyGapUS, t.endUS-t.keyPTS)
	if quarter := s.rotation % 180; quarter != 0 {
		v.Width, v.Height = v.Height, v.Width
	}
	if t.frames > 1 {
		v.Variable = float64(t.maxGapUS) > unevenRatio*float64(mean) || float64(mean) > unevenRatio*float64(t.minGapUS)
	}
	v.Rate = s.rate
	// Over the whole length: Matroska's DTS are ffmpeg's guess, and crowd at the start.
	if length := t.endUS - t.startUS; length > 0 && !near(s.rate.FPS(), float64(t.frames*second)/float64(length), rateTolerance) {
		v.Rate = Rate{Num: t.frames * second, Den: length}
	}
	return v
}

// lengths are how long the file says it is and how long it was seen to be. Where a track has a
// length of its own in the header that one is compared, else the whole file's.
func (l *listing) lengths(video *stream, t *track) (declared, seen int64) {
	if video.durationUS > 0 {
		return video.durationUS, t.endUS - t.startUS
	}
	start, end := t.startUS, t.endUS
	for _, other := range l.tracks {
		if other.frames > 0 {
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
