package media

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sync/errgroup"

	"weir/media/mpegts"
)

const (
	// timeTicks is how far a frame may be from its time: a millisecond.
	timeTicks = 1 * ticksPerMS

	// soundUS is how far sound may be from where it was beside the picture: less than half a frame
	// of film, which nobody hears. Where sound was encoded, the encoder's priming comes on top.
	soundUS   = 20_000
	primingUS = 25_000

	// audioUS is by how much audio may be shorter than the source's: the last packets of an encoder
	// that had to be used, and priming that containers count in different ways.
	audioUS = second / 4

	// mostBits is how much more than asked for a rendition may hold, over its length, and one second
	// more: every segment's encoder starts with a second of bits in hand.
	mostBits = 1.5
)

// What can be wrong with a rendition.
const (
	ProblemUnplayable    = "unplayable"     // video that does not decode
	ProblemFramesMissing = "frames_missing" // fewer frames than the source, or a gap
	ProblemFramesExtra   = "frames_extra"   // more frames than the source
	ProblemFramesMoved   = "frames_moved"   // frames at other times than the source's
	ProblemKeysMissing   = "keys_missing"   // a segment does not start with a keyframe
	ProblemTooShort      = "too_short"
	ProblemTooLong       = "too_long"
	ProblemWrongSize     = "wrong_size"
	ProblemBitRate       = "bit_rate_exceeded"
	ProblemAudioMissing  = "audio_missing"
	ProblemAudioShort    = "audio_short"
	ProblemAudioMoved    = "audio_moved" // sound elsewhere beside the picture than in the source
)

// A Want is what a rendition has to be.
type Want struct {
	Width, Height int     // as planned
	FPS           float64 // the profile's; 0: the source's
	BitRate       int64   // as asked for, bits a second; 0: not judged
	Source        Source
	Prepared      Prepared
	// Followed is the decoding of the pushed file, which is over; nil: there is none. What it found
	// counts where the finished file has those pictures, which is looked at.
	Followed *Following
	// Listed is what Finish found in the file while it wrote it; nil: nothing.
	Listed *Listed
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
	Decoded    int64     `json:"decoded"`     // frames that a decoder made of them
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

// Judge looks at a finished file, believing nobody: every packet is counted and its time compared
// with the source's, and everything is decoded, here or before (Want.Followed). What is wrong with the file is in the Verdict; an
// error means that this machine could not tell.
//
// At the source's own rate a rendition has exactly the source's frames, each within a millisecond of
// its time, and a keyframe where each segment began. At a rate of its own it has one at every place
// of that rate's, within a frame.
func (t *Tools) Judge(ctx context.Context, path string, want Want) (Verdict, error) {
	otherwise := &Error{Code: CodeSpoolUnreadable, Op: "judge", Path: path, Text: "the finished file cannot be judged"}
	info, err := os.Stat(path)
	if err != nil {
		return Verdict{}, blame(err, otherwise)
	}
	c, err := loadClock(clockPath(want.Prepared))
	if err != nil {
		return Verdict{}, blame(err, otherwise)
	}
	known := want.Listed
	if same, err := known.of(path); err != nil {
		return Verdict{}, blame(err, otherwise)
	} else if !same {
		known = nil
	}
	var l *listing
	var listed, decoded error
	var frames int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if known != nil {
			l = known.listing
		} else {
			l, err = t.list(groupCtx, path, beginUS(&want.Source, &want.Prepared), 0)
		}
		return fault(err, &listed)
	})
	group.Go(func() (err error) {
		frames, err = t.frames(groupCtx, path, want.Followed, known)
		return fault(err, &decoded)
	})
	if err := group.Wait(); err != nil {
		return Verdict{}, blame(err, otherwise)
	}

	v := Verdict{Bytes: info.Size(), Problems: []Problem{}}
	unlisted := func(err error) (Verdict, error) {
		v.problem(ProblemUnplayable, "the file holds no video: %v", err)
		return v, nil
	}
	if listed != nil {
		return unlisted(listed)
	}
	src, err := l.only(path)
	if err != nil {
		return unlisted(err)
	}
	if decoded != nil {
		v.problem(ProblemUnplayable, "its video does not decode: %v", decoded)
	}
	v.Frames, v.Decoded, v.DurationMS = src.Video.Frames, frames, src.DurationUS/1000
	v.Width, v.Height, v.Rate, v.Codec, v.BitRate = src.Video.CodedWidth, src.Video.CodedHeight, src.Video.Rate, src.Video.Codec, src.Video.BitRate
	v.Audio = src.Audio
	if decoded == nil && v.Decoded != v.Frames {
		v.problem(ProblemUnplayable, "%d of its %d frames decode", v.Decoded, v.Frames)
	}
	v.shape(want)
	if ownRate(want.FPS, want.Prepared) {
		v.frames(l.tracks[src.Video.Index], src.line, c)
	} else {
		v.resampled(src, want)
	}
	v.sound(src, want)
	v.OK = len(v.Problems) == 0
	return v, nil
}

// only describes a file of ours, which has one video track.
func (l *listing) only(path string) (Source, error) {
	videos, err := l.videos(path)
	if err != nil {
		return Source{}, err
	}
	return l.source(path, videos[0])
}

// fault keeps what a tool says of the file apart from what befell the tool.
func fault(err error, file *error) error {
	var ran *failure
	if errors.As(err, &ran) || errors.Is(err, mpegts.ErrNotTS) {
		*file = err
		return nil
	}
	return err
}

func (v *Verdict) shape(want Want) {
	if v.Width != want.Width || v.Height != want.Height {
		v.problem(ProblemWrongSize, "it is %dx%d instead of %dx%d", v.Width, v.Height, want.Width, want.Height)
	}
	bits := float64(v.BitRate) * float64(v.DurationMS) / 1000
	if most := mostBits * float64(want.BitRate) * (float64(want.Prepared.DurationUS)/second + 1); want.BitRate > 0 && bits > most {
		v.problem(ProblemBitRate, "it has %d bits a second; %d were asked for", v.BitRate, want.BitRate)
	}
}

// frames compares every frame's time with the source's.
func (v *Verdict) frames(t *track, got *timeline, c *clock) {
	want := int64(len(c.ticks))
	switch {
	case v.Frames < want:
		v.problem(ProblemFramesMissing, "it has %d frames of %d", v.Frames, want)
		return
	case v.Frames > want:
		v.problem(ProblemFramesExtra, "it has %d frames instead of %d", v.Frames, want)
		return
	}
	moved, worst := 0, int64(0)
	for i, at := range got.ticks {
		if off := abs(at - c.ticks[i]); off > timeTicks {
			moved++
			worst = max(worst, off)
		}
	}
	if moved > 0 {
		v.problem(ProblemFramesMoved, "%d frames are not at their time, by up to %d ms", moved, worst/ticksPerMS)
	}
	keys := map[int32]bool{}
	for packet, rank := range got.rank {
		if t.flags[packet]&flagKey != 0 {
			keys[rank] = true
		}
	}
	missing := 0
	for _, s := range c.segments {
		if !keys[int32(s.first)] {
			missing++
		}
	}
	if missing > 0 {
		v.problem(ProblemKeysMissing, "%d of its %d segments do not start with a keyframe", missing, len(c.segments))
	}
}

// resampled judges a rendition with a rate of its own: as long as the source, without a gap.
func (v *Verdict) resampled(got Source, want Want) {
	frame := second / want.FPS
	source := second / max(want.Prepared.Rate.FPS(), 1)
	slack := int64(frame+source) + 1000
	gap := int64(0)
	for i := 1; i < len(got.line.ticks); i++ {
		gap = max(gap, toUS(got.line.ticks[i]-got.line.ticks[i-1]))
	}
	if gap > int64(max(frame, source))+slack {
		v.problem(ProblemFramesMissing, "it stands still for %d ms", gap/1000)
	}
	frames := float64(want.Prepared.DurationUS) / frame
	// Each segment is brought to the rate alone, and may round its end.
	spare := float64(want.Prepared.Segments + 1)
	switch {
	case float64(v.Frames) < frames-spare:
		v.problem(ProblemFramesMissing, "it has %d frames; its rate makes %d", v.Frames, int64(math.Round(frames)))
	case float64(v.Frames) > frames+spare:
		v.problem(ProblemFramesExtra, "it has %d frames; its rate makes %d", v.Frames, int64(math.Round(frames)))
	}
	switch off := got.DurationUS - want.Prepared.DurationUS; {
	case off < -slack:
		v.problem(ProblemTooShort, "it lasts %d ms of %d", v.DurationMS, want.Prepared.DurationUS/1000)
	case off > slack:
		v.problem(ProblemTooLong, "it lasts %d ms instead of %d", v.DurationMS, want.Prepared.DurationUS/1000)
	}
}

// sound compares where the sound is beside the picture with where it was.
func (v *Verdict) sound(got Source, want Want) {
	audio := want.Source.Audio
	if audio == nil {
		return
	}
	if got.Audio == nil {
		v.problem(ProblemAudioMissing, "it is silent and the source is not")
		return
	}
	slack := int64(soundUS)
	if encodes(want.Source, want.Prepared.AAC) {
		slack += primingUS
	}
	was := audio.StartUS - want.Prepared.StartUS
	is := got.Audio.StartUS - got.Video.StartUS
	if off := is - was; abs(off) > slack {
		v.problem(ProblemAudioMoved, "its sound starts %d ms from where it did beside the picture", off/1000)
	}
	if got.Audio.DurationUS < audio.DurationUS-audioUS {
		v.problem(ProblemAudioShort, "its audio lasts %d ms of %d", got.Audio.DurationUS/1000, audio.DurationUS/1000)
	}
}

// frames is how many frames a decoder makes of a file: as was found of the same pictures, else the
// whole of it is decoded. Its error is a *failure where the file is to blame.
func (t *Tools) frames(ctx context.Context, path string, followed *Following, known *Listed) (int64, error) {
	before := followed.Decoded(ctx)
	var same bool
	var err error
	if before != nil && known != nil {
		same = *before == known.coded
	} else if same, err = before.holdsOf(ctx, path); err != nil {
		return 0, err
	}
	if same {
		return before.pictures, nil
	}
	in, err := input(path)
	if err != nil {
		return 0, err
	}
	var frames frameCount
	err = run(ctx, t.ffmpeg(), nil, &frames, decodeArgs(in...)...)
	return int64(frames), err
}

// CheckPictures decodes a prepared file. CodePicturesDamaged says that it holds pictures which make
// no frame, so that no Broadcaster could return them.
func (t *Tools) CheckPictures(ctx context.Context, prep Prepared) error {
	damaged := &Error{
		Code: CodePicturesDamaged, Op: "judge", Path: prep.Path,
		Text: "pictures of the source don't decode",
	}
	in, err := input(prep.Path)
	if err != nil {
		return err
	}
	var frames frameList
	args := append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-copyts"}, in...)
	err = run(ctx, t.ffmpeg(), nil, &frames, append(append(args, "-map", "0:v:0"), frames.arguments("pipe:1")...)...)
	if err != nil {
		return blame(err, damaged)
	}
	shown := int64(0)
	for _, us := range frames.times() {
		if toTicks(us)/ticksPerMS <= prep.StopMS {
			shown++
		}
	}
	if shown < prep.Frames {
		damaged.Err = fmt.Errorf("%d of %d make a frame", shown, prep.Frames)
		return damaged
	}
	return nil
}
