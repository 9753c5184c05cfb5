package pack

import (
	"context"
	"fmt"
	"os"

	"weir/media"
)

// A Packed is a rung in one file.
type Packed struct {
	File    string // as it was asked for
	Bytes   int64
	Seconds float64
	Codecs  string
}

// MP4 puts a rung into one file with its tables in front, so that players begin before they have all
// of it. The file appears whole or not at all.
func (p Packer) MP4(ctx context.Context, rung Rung, file string) (Packed, error) {
	packed, err := p.mp4(ctx, rung, file)
	return packed, failed("MP4", rung, err)
}

func (p Packer) mp4(ctx context.Context, rung Rung, file string) (Packed, error) {
	t, err := look(ctx, rung)
	if err != nil {
		return Packed{}, err
	}
	in, err := media.Input(rung.File)
	if err != nil {
		return Packed{}, err
	}
	part := file + ".part"
	defer os.Remove(part) //nolint:errcheck // renamed away when all went well
	// The zero of the rung is the file's; a DTS before it is left to the edit list, as is the wait
	// for what begins later.
	const usTicks = clock / 1000
	args := []string{"-nostdin", "-y", "-hide_banner", "-loglevel", "error", "-copyts", "-itsoffset", fmt.Sprintf("%dus", -(t.zero()*1000+usTicks/2)/usTicks)}
	args = append(args, in...)
	args = append(args, "-map", "0:v:0", "-c", "copy")
	if t.sound != 0 {
		args = append(args, "-map", "0:a:0", "-bsf:a", "aac_adtstoasc")
	}
	args = append(args, "-avoid_negative_ts", "disabled", "-video_track_timescale", fmt.Sprint(clock), "-movie_timescale", fmt.Sprint(clock),
		"-movflags", "+faststart", "-f", "mp4", "file:"+part)
	if err := p.tools().Run(ctx, nil, nil, args...); err != nil {
		return Packed{}, err
	}
	info, err := os.Stat(part)
	if err != nil {
		return Packed{}, err
	}
	return Packed{File: file, Bytes: info.Size(), Seconds: float64(t.end()-t.zero()) / clock, Codecs: t.codecs()}, os.Rename(part, file)
}
