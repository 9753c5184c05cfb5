package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	// encodeGOP is the distance of keyframes, in seconds of true time, where Prepare has to encode.
	encodeGOP = 2

	// encodeQuality is x264's crf there: hardly to be told from the source, as the renditions are
	// made from it.
	encodeQuality = 16

	// encodeNice leaves the host's cores to the transcodes that run beside it.
	encodeNice = "10"

	// encodeMost is after how many seconds of the clock a keyframe comes in any case.
	encodeMost = 10
)

// Why a source is encoded rather than copied.
const (
	ReencodeCodec      = "codec"       // not every transcoder takes it
	ReencodeFormat     = "format"      // more than 8 bits, or more colour than 4:2:0
	ReencodeHDR        = "hdr"         // brought to the standard range
	ReencodeRotated    = "rotated"     // MPEG-TS has no rotation: a copy would lie on its side
	ReencodeAspect     = "aspect"      // Broadcasters lose the shape of pixels that are not square
	ReencodeInterlaced = "interlaced"  // a transcoder would scale two fields as one picture
	ReencodeTrimmed    = "trimmed"     // an edit list hides pictures that others need
	ReencodeClip       = "clip"        // a clip does not begin at a keyframe, or its last pictures need one behind it
	ReencodeUntimed    = "untimed"     // pictures out of order without a time
	ReencodeDamaged    = "damaged"     // pictures that don't decode would be shown as others
	ReencodeOpenGOP    = "open_gop"    // frames that need the GOP before: lost where segments are decoded alone
	ReencodeSparseKeys = "sparse_keys" // a segment would last too long
	ReencodeFalseKeys  = "false_keys"  // Mist would cut at pictures that need those before them
	ReencodeResized    = "resized"     // the stream's parameters change
	ReencodeConstant   = "constant"    // a varying rate, for profiles with a rate of their own
)

// reencode says why a source cannot be copied, as far as the probe tells, or nothing.
func (s Source) reencode(opts Options) string {
	v := s.Video
	copies := v.Codec == "h264" || v.Codec == "hevc" && opts.HEVC
	plain := v.PixFmt == "yuv420p" || v.PixFmt == "yuvj420p"
	switch {
	case v.HDR:
		return ReencodeHDR
	case v.Rotation%360 != 0:
		return ReencodeRotated
	case v.Width != v.CodedWidth || v.Height != v.CodedHeight:
		return ReencodeAspect
	case v.Interlaced:
		return ReencodeInterlaced
	case !copies:
		return ReencodeCodec
	case !plain && !opts.HighDepth:
		return ReencodeFormat
	case v.Hidden > 0:
		return ReencodeTrimmed
	case s.line.rank == nil:
		return ReencodeUntimed
	case s.line.cut != nil && !s.line.cut.copies:
		return ReencodeClip
	case v.Undecodable > 0 || opts.Encode:
		return ReencodeDamaged
	case opts.Constant && v.Variable:
		return ReencodeConstant
	default:
		return ""
	}
}

var errNoPictures = errors.New("no picture came through")

// encode decodes the source's pictures and encodes them, each as a frame, with closed GOPs and
// without B-frames. When they are shown is listed on the way.
func (p *preparation) encode(ctx context.Context, b *body, why string) error {
	in, err := input(p.in)
	if err != nil {
		return err
	}
	in = p.src.near(in)
	listed, lists, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe for ffmpeg: %w", err)
	}
	frames := &frameList{}
	read := make(chan error, 1)
	go func() {
		_, err := frames.ReadFrom(listed)
		read <- errors.Join(err, listed.Close())
	}()

	args := append([]string{"-n", encodeNice, p.tools.ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", "-copyts"}, in...)
	args = append(args, "-filter_complex", p.filters(b, why), "-map", "[out]",
		"-fps_mode", "passthrough", "-enc_time_base", "-1",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", strconv.Itoa(encodeQuality), "-bf", "0", "-sc_threshold", "0",
		"-g", strconv.FormatInt(b.clock.fps*encodeMost, 10),
		"-force_key_frames", fmt.Sprintf("expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+%d))", encodeGOP), "-pix_fmt", "yuv420p",
		"-bsf:v", tickRate(Rate{b.clock.fps, 1})+",setts=ts=N", "-muxdelay", "0", "-muxpreload", "0", "-f", "mpegts", "pipe:1",
		"-map", "[seen]")
	args = append(args, frames.arguments("pipe:3")...)
	demux := &demuxer{each: b.encoded}
	err = runWith(ctx, "nice", demux, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{lists} }, args...)
	_ = lists.Close() // so that the reader sees the end
	if err := errors.Join(err, <-read); err != nil {
		return err
	}
	if err := demux.end(); err != nil {
		return err
	}
	return b.setTimes(frames.times(), why)
}

// filters bring the picture to the form that is encoded, and split it off for the listing of times.
func (p *preparation) filters(b *body, why string) string {
	v := p.src.Video
	w, h := evenSize(v.Width, v.Height)
	chain := p.src.line.cut.filters(p.src.line.rank != nil)
	if v.Interlaced {
		chain = append(chain, "bwdif=mode=send_frame") // one frame for each
	}
	if v.HDR {
		chain = append(chain, "zscale=t=linear:npl=100", "format=gbrpf32le", "zscale=p=bt709", "tonemap=hable:desat=0", "zscale=t=bt709:m=bt709:r=tv")
	}
	if why == ReencodeConstant || b.opts.Constant && v.Variable {
		chain = append(chain, fmt.Sprintf("fps=%d", b.clock.fps))
	}
	chain = append(chain, fmt.Sprintf("scale=%d:%d", w, h), "setsar=1", "format=yuv420p")
	return fmt.Sprintf("[0:%d]%s,split[out][seen]", v.Index, strings.Join(chain, ","))
}

// encoded takes the next picture of the encoder, in the order in which they are shown.
func (b *body) encoded(p picture) error {
	if lookAt(b.codec, p.data).idr {
		if err := b.begin(b.pictures); err != nil {
			return err
		}
	}
	if len(b.clock.segments) == 0 {
		return errNoPictures
	}
	return b.put(p, b.pictures, b.pictures-b.begun)
}

// setTimes gives the encoded frames their times, now that it is known which pictures decoded.
func (b *body) setTimes(us []int64, why string) error {
	if b.pictures == 0 {
		return errNoPictures
	}
	if int64(len(us)) != b.pictures {
		return fmt.Errorf("%d pictures were encoded of %d decoded", b.pictures, len(us))
	}
	lost := b.src.Video.Frames - b.pictures
	line := &timeline{}
	switch {
	case why == ReencodeConstant || b.opts.Constant && b.src.Video.Variable:
		line.set(evenTimes(us[0], b.clock.fps, len(us)), Rate{b.clock.fps, 1})
		line.startUS, lost = us[0], 0
		b.warnings = append(b.warnings, Warning{WarningConstant, fmt.Sprintf(
			"the source's frame rate varies; as profiles ask for rates of their own, all renditions are made from a constant one of %d", b.clock.fps)})
	case b.src.line.rank == nil && lost == 0:
		line = b.src.line // the decoder can only guess
	case !rising(us) && lost == 0:
		line = b.src.line
	case !rising(us):
		return errors.New("the times of its pictures run back")
	default:
		line.set(us, b.src.line.rate)
		line.startUS = us[0]
	}
	if lost > 0 {
		b.warnings = append(b.warnings, Warning{WarningUndecodable, fmt.Sprintf("%d pictures of the source can't be decoded and were left out", lost)})
	}
	switch why {
	case ReencodeHDR:
		b.warnings = append(b.warnings, Warning{WarningHDR, "the source's high dynamic range was brought to the standard one"})
	case ReencodeResized:
		b.warnings = append(b.warnings, Warning{WarningResized, "the source's picture changes its size; all of it was brought to the first"})
	}
	b.clock.ticks, b.startUS, b.even, b.rate, b.dense = line.ticks, line.startUS, line.even, line.rate, line.dense
	return nil
}

func rising(us []int64) bool {
	for i := 1; i < len(us); i++ {
		if us[i] <= us[i-1] {
			return false
		}
	}
	return true
}

// evenTimes are n frames at a rate, in microseconds.
func evenTimes(from, fps int64, n int) []int64 {
	us := make([]int64, n)
	for i := range us {
		us[i] = from + int64(i)*second/fps
	}
	return us
}
