package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// preparedName is the prepared file, in the attempt's folder. Its ending tells Mist what it is.
	preparedName = "source.ts"

	// maxSegmentUS is the longest GOP that is sent as it is. A segment is held in memory by Mist and
	// by the Broadcaster, which refuses 5 minutes (go-livepeer), and all of it is lost work when
	// one upload fails.
	maxSegmentUS = 60 * second

	// encodeGOP is the distance of keyframes, in seconds, where Prepare has to encode.
	encodeGOP = 2

	// encodeQuality is x264's crf there: hardly to be told from the source, as the renditions are
	// made from it.
	encodeQuality = 16

	// writeBuffer spares the disk small writes: ffmpeg's pipe gives 64 KiB at most.
	writeBuffer = 1 << 20
)

// Why a source is encoded rather than copied.
const (
	ReencodeRotated    = "rotated"     // MPEG-TS has no rotation: a copy would lie on its side
	ReencodeOpenGOP    = "open_gop"    // frames that need the GOP before: lost where segments are decoded alone
	ReencodeSparseKeys = "sparse_keys" // a segment would be too long to send
	ReencodeFalseKeys  = "false_keys"  // Mist would cut at pictures that need those before them
)

// A Prepared is a file that MistProcLivepeer can be pointed at. It is stored as a row, so its JSON
// is a contract.
type Prepared struct {
	Path string `json:"path"`
	// StopMS is where a push has to end (recstop): every rendition frame of the source has a smaller
	// DTS, every frame of the padding a greater one.
	StopMS  int64 `json:"stop_ms"`
	TotalMS int64 `json:"total_ms"` // DTS where the last padding GOP ends
	Bytes   int64 `json:"bytes"`
	// Frames are those of the source part. They are the source's, unless some could not be decoded.
	Frames     int64  `json:"frames"`
	DurationUS int64  `json:"duration_us"` // of the source part
	StartUS    int64  `json:"start_us"`    // PTS, in the source's own time, of its first frame
	Keyframes  int64  `json:"keyframes"`   // of the source part
	PadKeys    int64  `json:"pad_keys"`    // of the padding, counted in what was written
	Reencoded  string `json:"reencoded"`   // why it is no copy, else empty
}

// Prepare writes source.ts into a folder: the best video track alone, from DTS 0, with padding.
// Tracks are copied; sources that segment-wise transcoding would damage are encoded once, at high
// quality (see the Reencode constants): about 4.5 s of one core for 20 s of 720p at 30 fps.
//
// in is the file that src was probed from. Prepare may be repeated; it replaces what it left. A
// file under the final name is whole. Failures are CodePrepareFailed, or the machine's.
func (t *Tools) Prepare(ctx context.Context, src Source, in, outDir string) (Prepared, error) {
	failed := &Error{
		Code: CodePrepareFailed, Op: "prepare", Path: in,
		Text: "the source's video could not be put into the form that Mist needs",
	}
	path := filepath.Join(outDir, preparedName)
	part, err := os.Create(path + ".part")
	if err != nil {
		return Prepared{}, blame(err, failed)
	}
	defer func() {
		_ = part.Close()           // closed below where it matters
		_ = os.Remove(part.Name()) // renamed away when all went well
	}()

	file := bufio.NewWriterSize(part, writeBuffer)
	why := src.reencode()
	body, err := t.rewrite(ctx, src, in, why, file)
	if err == nil && body.cuts.torn { // seen only in the copy
		why = ReencodeFalseKeys
		file.Reset(part)
		if _, err = part.Seek(0, io.SeekStart); err == nil {
			err = part.Truncate(0)
		}
		if err == nil {
			body, err = t.rewrite(ctx, src, in, why, file)
		}
	}
	if err != nil {
		return Prepared{}, blame(err, failed)
	}
	if err := body.check(src, why); err != nil {
		failed.Err = err
		return Prepared{}, failed
	}

	frameTicks := src.frameUS() * tsClock / second
	pad := body.plan(frameTicks)
	padding, err := pad.write(part, file, body.demux.counters)
	if err != nil {
		return Prepared{}, blame(err, failed)
	}
	if err := errors.Join(file.Flush(), part.Close()); err != nil {
		return Prepared{}, blame(fmt.Errorf("write %s: %w", part.Name(), err), failed)
	}
	if padding.keys != padGOPs || padding.unordered || padding.leastKeyGap < cutTicks || padding.first-body.key.dts < cutTicks {
		failed.Err = fmt.Errorf("the padding has %d keyframes of %d, %d ms apart", padding.keys, padGOPs, padding.leastKeyGap/ticksPerMS)
		return Prepared{}, failed
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return Prepared{}, blame(err, failed)
	}

	prep := Prepared{
		Path: path, StopMS: pad.stop / ticksPerMS, TotalMS: (pad.at + padGOPs*pad.stride) / ticksPerMS,
		Bytes: body.demux.pos + padding.demux.pos, Frames: body.frames, Keyframes: body.keys, PadKeys: padding.keys,
		DurationUS: (body.end + frameTicks - body.start) * second / tsClock, StartUS: src.Video.StartUS, Reencoded: why,
	}
	if prep.Frames < src.Video.Frames { // the leading frames of the first GOP, which no decoder shows
		prep.StartUS = src.Video.FirstKeyUS
	}
	return prep, nil
}

// rewrite runs ffmpeg over the source's video, into file, and says what came out.
func (t *Tools) rewrite(ctx context.Context, src Source, in, why string, file *bufio.Writer) (*timeline, error) {
	args, err := prepareArgs(src, in, why)
	if err != nil {
		return nil, err
	}
	codec := src.Video.Codec
	if why != "" {
		codec = "h264"
	}
	body := newTimeline(codec)
	if err := run(ctx, t.ffmpeg(), nil, io.MultiWriter(file, body), args...); err != nil {
		return nil, err
	}
	if err := file.Flush(); err != nil {
		return nil, fmt.Errorf("write the prepared file: %w", err)
	}
	return body, nil
}

// reencode says why a source cannot be copied, or nothing.
func (s Source) reencode() string {
	switch {
	case s.Video.Rotation%360 != 0:
		return ReencodeRotated
	case s.Video.Leading > 0:
		return ReencodeOpenGOP
	case s.Video.KeyGapUS > maxSegmentUS:
		return ReencodeSparseKeys
	default:
		return ""
	}
}

// frameUS is how long one frame lasts, on average.
func (s Source) frameUS() int64 {
	return s.DurationUS / max(1, s.Video.Frames)
}

func prepareArgs(src Source, path, why string) ([]string, error) {
	in, err := input(path)
	if err != nil {
		return nil, err
	}
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "error"}, in...)
	args = append(args, "-map", "0:"+strconv.Itoa(src.Video.Index))
	if why == "" {
		// Every keyframe carries its parameter sets, as each segment is decoded alone. Access unit
		// delimiters go first, so that the one that the muxer adds stays the only one.
		filters := map[string]string{
			"h264":       "h264_mp4toannexb,filter_units=remove_types=9," + src.tickRate() + "dump_extra=freq=keyframe",
			"hevc":       "hevc_mp4toannexb,filter_units=remove_types=35,dump_extra=freq=keyframe",
			"mpeg2video": "dump_extra=freq=keyframe",
		}
		args = append(args, "-c", "copy", "-bsf:v", filters[src.Video.Codec])
	} else {
		// ffmpeg turns the picture upright by itself. Even sizes, because 4:2:0 has no others.
		args = append(args, "-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-fps_mode", "passthrough", "-enc_time_base", "-1",
			"-c:v", "libx264", "-preset", "veryfast", "-crf", strconv.Itoa(encodeQuality), "-bf", "0", "-sc_threshold", "0",
			"-g", "600", "-force_key_frames", fmt.Sprintf("expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+%d))", encodeGOP), "-pix_fmt", "yuv420p",
			"-bsf:v", src.tickRate()+"null")
	}
	return append(args, "-muxdelay", "0", "-muxpreload", "0", "-avoid_negative_ts", "make_zero", "-f", "mpegts", "pipe:1"), nil
}

// check compares what was written with what the source holds.
func (t *timeline) check(src Source, why string) error {
	least := src.Video.Frames
	if why != "" {
		least -= src.Video.OpenLeading
	}
	switch {
	case t.frames < least || t.frames > src.Video.Frames:
		return fmt.Errorf("%d frames of %d came through", t.frames, src.Video.Frames)
	case t.early:
		return errors.New("it does not start with a keyframe")
	case t.unordered:
		return errors.New("its timestamps run backwards")
	case t.first < 0 || t.first > tsClock:
		return fmt.Errorf("it starts at %d ms", t.first/ticksPerMS)
	default:
		return nil
	}
}

// tickRate is the bitstream filter that makes an H264 track announce its own rate.
// Mist reads a track's rate from there, and Broadcasters bring renditions to that
// rate: with a time base for a rate, as phones and variable-rate encoders write it,
// every frame would come back hundreds of times.
func (s Source) tickRate() string {
	if s.Video.Rate.FPS() == 0 {
		return ""
	}
	const ticksPerFrame = 2 // H264 counts fields
	return fmt.Sprintf("h264_metadata=tick_rate=%d/%d,", ticksPerFrame*s.Video.Rate.Num, s.Video.Rate.Den)
}
