package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// audioBitsPerChannel is AAC's rate where audio has to be encoded: transparent to most ears.
const audioBitsPerChannel = 96_000

// tsAudio reports whether MPEG-TS carries an audio codec so that players understand it. The others
// (PCM, Opus, Vorbis, FLAC, ALAC) become AAC.
func tsAudio(codec string) bool {
	switch codec {
	case "aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "dts":
		return true
	default:
		return false
	}
}

// Finish makes the rendition's file from the one that a push left: without the padding that
// slipped in, with the best audio track of the source as far from the video as it was there, from
// timestamp 0. Nothing is encoded but audio that MPEG-TS cannot carry, which becomes AAC.
//
// pushed and source stay as they are; out appears whole or not at all, and is replaced when Finish
// is repeated. A pushed file without a frame of the source is CodePushEmpty; what misses only some
// frames is finished all the same, and Judge says so.
func (t *Tools) Finish(ctx context.Context, pushed, source string, src Source, prep Prepared, out string) error {
	empty := &Error{
		Code: CodePushEmpty, Op: "finish", Path: pushed,
		Text: "Mist pushed no frame of this rendition",
	}
	file, err := os.Open(pushed)
	if err != nil {
		return blame(err, empty)
	}
	defer file.Close()
	kept, err := trim(file, prep)
	if err != nil {
		if errors.Is(err, errNotTS) {
			empty.Err = err
			return empty
		}
		return blame(err, empty)
	}
	if kept.frames == 0 {
		return empty
	}

	failed := &Error{
		Code: CodeFinishFailed, Op: "finish", Path: pushed,
		Text: "the rendition's video and the source's audio could not be put into one file",
	}
	args, err := finishArgs(source, src, kept.start*second/tsClock-prep.StartUS)
	if err != nil {
		return blame(err, failed)
	}
	part, err := os.Create(out + ".part")
	if err != nil {
		return blame(err, failed)
	}
	defer func() {
		_ = part.Close()           // closed below where it matters
		_ = os.Remove(part.Name()) // renamed away when all went well
	}()
	w := bufio.NewWriterSize(part, writeBuffer)
	video := io.NewSectionReader(file, 0, kept.bytes)
	if err := run(ctx, t.ffmpeg(), video, w, args...); err != nil {
		return blame(err, failed)
	}
	if err := errors.Join(w.Flush(), part.Close()); err != nil {
		return blame(fmt.Errorf("write %s: %w", part.Name(), err), failed)
	}
	if err := os.Rename(part.Name(), out); err != nil {
		return blame(err, failed)
	}
	return nil
}

// A trimmed file is the part of a pushed one that comes from the source.
type trimmed struct {
	bytes  int64
	frames int64
	start  int64 // first PTS, 90 kHz ticks
}

// trim finds the first frame behind the hole that Prepare left. Frames before it are the source's,
// whatever is missing among them: to count them instead would let padding take the place of a hole.
func trim(file io.Reader, prep Prepared) (trimmed, error) {
	kept := trimmed{bytes: -1}
	stop := prep.StopMS * ticksPerMS
	demux := demuxer{each: func(f frame, _ []byte) {
		switch {
		case kept.bytes >= 0:
		case f.dts > stop:
			kept.bytes = f.pos
		default:
			if kept.frames == 0 || f.pts < kept.start {
				kept.start = f.pts
			}
			kept.frames++
		}
	}}
	if _, err := io.CopyBuffer(struct{ io.Writer }{&demux}, file, make([]byte, writeBuffer)); err != nil {
		return trimmed{}, fmt.Errorf("read frames: %w", err)
	}
	if kept.bytes < 0 {
		kept.bytes = demux.pos
	}
	return kept, nil
}

// finishArgs reads video from stdin and audio from the source, both with the times they have
// (-copyts) but the source's moved so that its first frame and the rendition's coincide.
func finishArgs(source string, src Source, laterUS int64) ([]string, error) {
	args := []string{
		"-hide_banner", "-loglevel", "error", "-copyts",
		"-protocol_whitelist", "pipe", "-f", "mpegts", "-i", "pipe:0",
	}
	if src.Audio != nil {
		in, err := input(source)
		if err != nil {
			return nil, err
		}
		args = append(args, "-itsoffset", fmt.Sprintf("%dus", laterUS))
		args = append(args, in...)
	}
	args = append(args, "-map", "0:v:0", "-c", "copy")
	if src.Audio != nil {
		args = append(args, "-map", "1:"+strconv.Itoa(src.Audio.Index))
		if !tsAudio(src.Audio.Codec) {
			args = append(args, "-c:a", "aac", "-b:a", strconv.Itoa(audioBitsPerChannel*max(1, src.Audio.Channels)))
		}
	}
	return append(args, "-muxdelay", "0", "-muxpreload", "0", "-avoid_negative_ts", "make_zero", "-f", "mpegts", "pipe:1"), nil
}
