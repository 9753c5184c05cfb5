package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sync/errgroup"
)

const (
	// fullDecodePixels is up to which size a rendition is decoded whole: 20 s of 640x360, an eighth
	// of a second on two cores. Of larger ones every keyframe and the whole last GOP are.
	fullDecodePixels = 20 * 30 * 640 * 360

	// clockUS allows for Mist's clock, which counts whole milliseconds, at both ends of a part.
	clockUS = 5_000

	// audioUS is by how much audio may be shorter than the source's: the last packets of an encoder
	// that had to be used, and priming that containers count in different ways.
	audioUS = second / 4

	// sameRate is how near two frame rates are when they are one: 30 and 29.97 (a thousandth apart)
	// are two.
	sameRate = 0.0002
)

// What can be wrong with a rendition.
const (
	ProblemUnplayable    = "unplayable"     // no video that decodes
	ProblemFramesMissing = "frames_missing" // fewer frames than the source, or a gap
	ProblemFramesExtra   = "frames_extra"   // more frames than the source
	ProblemTooShort      = "too_short"
	ProblemTooLong       = "too_long"
	ProblemWrongSize     = "wrong_size"
	ProblemAudioMissing  = "audio_missing"
	ProblemAudioShort    = "audio_short"
)

// A Want is what a rendition has to be.
type Want struct {
	Width, Height int     // as planned: Mist floors a profile's to multiples of 16
	FPS           float64 // the profile's; 0: the source's
	Source        Source
	Prepared      Prepared
}

// A Problem is one way in which a rendition is not what was wanted.
type Problem struct {
	Code string `json:"code"` // one of the Problem constants
	Text string `json:"text"` // for people
}

// A Verdict is the evidence on a finished file. It is stored as a row, so its JSON is a contract.
type Verdict struct {
	OK         bool      `json:"ok"` // no problems
	Problems   []Problem `json:"problems"`
	Frames     int64     `json:"frames"`
	DurationMS int64     `json:"duration_ms"` // of the video
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	Rate       Rate      `json:"rate"`
	Codec      string    `json:"codec"`
	BitRate    int64     `json:"bit_rate"` // bits a second, of the video
	Bytes      int64     `json:"bytes"`    // of the file
	Audio      *Audio    `json:"audio"`    // nil: silent
}

func (v *Verdict) problem(code, format string, args ...any) {
	v.Problems = append(v.Problems, Problem{Code: code, Text: fmt.Sprintf(format, args...)})
}

// Judge looks at a finished file, believing nobody: every packet is counted, every keyframe and the
// whole last GOP are decoded (small files whole). What is wrong with the file is in the Verdict;
// an error means that this machine could not tell.
//
// At the source's own even frame rate a rendition has exactly the prepared frames; at another, or
// where the source's varies, the source's duration within one frame and no gap wider than the
// source's by more than that.
func (t *Tools) Judge(ctx context.Context, path string, want Want) (Verdict, error) {
	otherwise := &Error{Code: CodeSpoolUnreadable, Op: "judge", Path: path, Text: "the finished file cannot be judged"}
	file, err := os.Open(path)
	if err != nil {
		return Verdict{}, blame(err, otherwise)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Verdict{}, blame(err, otherwise)
	}

	var l *listing
	var listed, decoded error
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		l, err = t.list(groupCtx, path)
		return fault(err, &listed)
	})
	group.Go(func() error {
		return fault(t.decode(groupCtx, file, path, want), &decoded)
	})
	if err := group.Wait(); err != nil {
		return Verdict{}, blame(err, otherwise)
	}

	v := Verdict{Bytes: info.Size(), Problems: []Problem{}}
	var src Source
	if listed == nil {
		src, listed = l.source(path)
	}
	if listed != nil {
		v.problem(ProblemUnplayable, "the file holds no video: %v", listed)
		return v, nil
	}
	if decoded != nil {
		v.problem(ProblemUnplayable, "its video does not decode: %v", decoded)
	}
	v.Frames, v.DurationMS = src.Video.Frames, src.DurationUS/1000
	v.Width, v.Height, v.Rate, v.Codec, v.BitRate = src.Video.Width, src.Video.Height, src.Video.Rate, src.Video.Codec, src.Video.BitRate
	v.Audio = src.Audio
	v.compare(src, want)
	v.OK = len(v.Problems) == 0
	return v, nil
}

// fault keeps what a tool says of the file apart from what befell the tool.
func fault(err error, file *error) error {
	var ran *failure
	if errors.As(err, &ran) || errors.Is(err, errNotTS) {
		*file = err
		return nil
	}
	return err
}

func (v *Verdict) compare(got Source, want Want) {
	if got.Video.Width != want.Width || got.Video.Height != want.Height {
		v.problem(ProblemWrongSize, "it is %dx%d instead of %dx%d", got.Video.Width, got.Video.Height, want.Width, want.Height)
	}

	source := want.Source.Video.Rate.FPS()
	own := want.FPS == 0 || near(want.FPS, source, sameRate)
	if own && !want.Source.Video.Variable {
		switch frames := want.Prepared.Frames; {
		case v.Frames < frames:
			v.problem(ProblemFramesMissing, "it has %d frames of %d", v.Frames, frames)
		case v.Frames > frames:
			v.problem(ProblemFramesExtra, "it has %d frames instead of %d", v.Frames, frames)
		}
	}
	frame := max(got.frameUS(), want.Source.frameUS())
	// Mist starts each segment at its source's DTS, so frames move by as much as PTS and DTS of
	// keyframes do not keep their distance.
	slack := frame + clockUS + want.Source.Video.KeyShiftUS + got.Video.KeyShiftUS
	if gap := got.Video.MaxGapUS; gap > max(want.Source.Video.MaxGapUS, frame)+slack {
		v.problem(ProblemFramesMissing, "it stands still for %d ms", gap/1000)
	}
	switch off := got.DurationUS - want.Prepared.DurationUS; {
	case off < -slack:
		v.problem(ProblemTooShort, "it lasts %d ms of %d", v.DurationMS, want.Prepared.DurationUS/1000)
	case off > slack:
		v.problem(ProblemTooLong, "it lasts %d ms instead of %d", v.DurationMS, want.Prepared.DurationUS/1000)
	}

	if audio := want.Source.Audio; audio != nil {
		switch {
		case got.Audio == nil:
			v.problem(ProblemAudioMissing, "it is silent and the source is not")
		case got.Audio.DurationUS < audio.DurationUS-audioUS:
			v.problem(ProblemAudioShort, "its audio lasts %d ms of %d", got.Audio.DurationUS/1000, audio.DurationUS/1000)
		}
	}
}

// decode decodes enough of a file to know that it plays. Its error is a *failure or errNotTS where
// the file is to blame.
func (t *Tools) decode(ctx context.Context, file io.ReaderAt, path string, want Want) error {
	in, err := input(path)
	if err != nil {
		return err
	}
	play := func(ctx context.Context, stdin io.Reader, args ...string) error {
		args = append([]string{"-hide_banner", "-loglevel", "error", "-xerror"}, args...)
		args = append(args, "-map", "0:v:0", "-f", "null", "pipe:1")
		return run(ctx, t.ffmpeg(), stdin, io.Discard, args...)
	}
	if want.Prepared.Frames*int64(want.Width)*int64(want.Height) <= fullDecodePixels {
		return play(ctx, nil, append([]string{"-nostdin"}, in...)...)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return play(ctx, nil, append([]string{"-nostdin", "-skip_frame", "nokey"}, in...)...)
	})
	group.Go(func() error {
		gop, err := lastGOP(file)
		if err != nil {
			return err
		}
		return play(ctx, gop, "-protocol_whitelist", "pipe", "-f", "mpegts", "-i", "pipe:0")
	})
	return group.Wait()
}

// lastGOP is a file's last GOP with the tables from its start before it, so that it plays alone.
func lastGOP(file io.ReaderAt) (io.Reader, error) {
	first, last := int64(-1), int64(0)
	demux := demuxer{each: func(f frame, _ []byte) {
		if first < 0 {
			first = f.pos
		}
		if f.key {
			last = f.pos
		}
	}}
	all := io.NewSectionReader(file, 0, math.MaxInt64)
	if _, err := io.CopyBuffer(struct{ io.Writer }{&demux}, struct{ io.Reader }{all}, make([]byte, writeBuffer)); err != nil {
		return nil, fmt.Errorf("find the last GOP: %w", err)
	}
	if first < 0 {
		return bytes.NewReader(nil), nil
	}
	return io.MultiReader(io.NewSectionReader(file, 0, first), io.NewSectionReader(file, last, demux.pos-last)), nil
}
