// Package free has media, a Mist and a storage that cost nothing, so that what is left of a
// lifecycle is what rows cost.
package free

import (
	"context"
	"os"

	"weir/jobs/host"
	"weir/media"
)

// What costs nothing says what the real one says of a source of 20 s in three
// renditions, at once. The files are there, as a host looks for them, and hold next to nothing.
const (
	freeMS     = 20_000
	freeFrames = 600
	freeFile   = "a file that costs nothing"
	// freeSlow is by how much what is held is slower than real time: it takes longer than anybody
	// holds it.
	freeSlow = 20
)

var _ host.Media = Media{}

// Media is media's tools.
type Media struct{}

// Probe implements host.Media.
func (Media) Probe(context.Context, string) (media.Source, error) {
	return media.Source{
		Container: "mov,mp4,m4a,3gp,3g2,mj2", Bytes: int64(len(freeFile)), DurationUS: freeMS * 1000, VideoTracks: 1,
		Video: media.Video{Codec: "h264", PixFmt: "yuv420p", Width: 1280, Height: 720, CodedWidth: 1280, CodedHeight: 720,
			Rate: media.Rate{Num: 30, Den: 1}, Frames: freeFrames, BitRate: 3_000_000},
	}, nil
}

// Prepare implements host.Media.
func (Media) Prepare(_ context.Context, s media.Source, in, _ string, _ media.Options) (media.Prepared, error) {
	return media.Prepared{
		Path: in, StopMS: freeMS, EndMS: freeMS, SegmentMS: 2000, Bytes: s.Bytes, Frames: freeFrames, DurationUS: s.DurationUS, Segments: 10,
		Width: s.Video.Width, Height: s.Video.Height, ClockFPS: 30, RateScale: 1, Rate: s.Video.Rate,
	}, nil
}

// Follow implements host.Media.
func (Media) Follow(context.Context, media.Pushed, string) *media.Following { return nil }

// Sound implements host.Media.
func (Media) Sound(context.Context, string, media.Source, media.Prepared) error { return nil }

// Finish implements host.Media.
func (Media) Finish(_ context.Context, _ media.Pushed, out string) (*media.Listed, error) {
	return nil, leave(out)
}

// Judge implements host.Media.
func (Media) Judge(_ context.Context, _ string, want media.Want) (media.Verdict, error) {
	return media.Verdict{
		OK: true, Problems: []media.Problem{}, Frames: freeFrames, Decoded: freeFrames, DurationMS: freeMS, Width: want.Width, Height: want.Height,
		Rate: want.Source.Video.Rate, Codec: "h264", BitRate: want.BitRate, Bytes: int64(len(freeFile)),
	}, nil
}

// CheckPictures implements host.Media.
func (Media) CheckPictures(context.Context, media.Prepared) error { return nil }

func leave(path string) error { return os.WriteFile(path, []byte(freeFile), 0o600) }
